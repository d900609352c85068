using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;

namespace Penstock.Configuration;

public enum PlatformEnvironment
{
    Development,
    Staging,
    Production,
}

/// <summary>Where keys, budgets and books are kept.</summary>
public enum StoreKind
{
    /// <summary>In a file of this server's own.</summary>
    Sqlite,

    /// <summary>In tables that any number of servers share.</summary>
    DynamoDb,
}

/// <summary>What the environment, <c>.env</c> and <c>appsettings.json</c> say. Fixed at the start; every error is reported at once.</summary>
public sealed partial record EnvironmentKeys
{
    private const int ShortestSecret = 32;
    private const int MasterKeyBytes = 32;

    /// <summary>Values that documentation and examples show, and that therefore protect nothing.</summary>
    private static readonly string[] Examples =
    [
        "your-super-secret-jwt-key", "your-encryption-salt", "sk-your-openai-key", "sk-ant-your-anthropic-key", "changeme", "change-me", "secret", "password",
        "sk-pen-dev-0123456789abcdef0123456789abcdef",
    ];

    private static readonly string[] AwsCredentials =
        ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

    public PlatformEnvironment Platform { get; private init; }

    /// <summary>TCP port, 0 for any free one.</summary>
    public int Port { get; private init; } = 3000;

    /// <summary>Folder of the embedded store.</summary>
    public string DataFolder { get; private init; } = "./data";

    public StoreKind Store { get; private init; }

    /// <summary>AWS's region; null where none is set.</summary>
    public string? AwsRegion { get; private init; }

    /// <summary>DynamoDB elsewhere than in the region, such as an emulator.</summary>
    public Uri? DynamoEndpoint { get; private init; }

    /// <summary>Lambda elsewhere than in the region, such as an emulator.</summary>
    public Uri? LambdaEndpoint { get; private init; }

    /// <summary>Bedrock is wanted: asked for, or plain from a token or an address of its own. Credentials alone say nothing, since tables and queues need them too.</summary>
    public bool UsesBedrock { get; private init; }

    /// <summary>A bearer token for Bedrock (a Bedrock API key); null where requests are signed.</summary>
    public string? BedrockToken { get; private init; }

    /// <summary>Bedrock's runtime elsewhere than in the region.</summary>
    public Uri? BedrockEndpoint { get; private init; }

    /// <summary>SageMaker's runtime elsewhere than in the region.</summary>
    public Uri? SageMakerEndpoint { get; private init; }

    /// <summary>The environment names credentials of AWS's standard chain: a key, a profile, a web identity or a container's.</summary>
    public bool HasAwsCredentials { get; private init; }

    /// <summary>Stands before the name of every table.</summary>
    public string TablePrefix { get; private init; } = "";

    /// <summary>Whether slices of budgets are taken where many calls come; only with DynamoDB.</summary>
    public bool LeaseBudgets { get; private init; }

    public string? AdminKey { get; private init; }

    /// <summary>How long streams may finish after SIGTERM.</summary>
    public TimeSpan Drain { get; private init; } = TimeSpan.FromSeconds(30);

    public string? OpenAiKey { get; private init; }
    public Uri? OpenAiBaseUrl { get; private init; }
    public string? AnthropicKey { get; private init; }
    public Uri? AnthropicBaseUrl { get; private init; }

    /// <summary>False books tokens at no cost.</summary>
    public bool CostTracking { get; private init; } = true;

    /// <summary>False sends no alert.</summary>
    public bool BudgetAlerts { get; private init; } = true;

    /// <summary>A Slack incoming webhook. It is a secret.</summary>
    public Uri? SlackWebhook { get; private init; }

    /// <summary>Who gets alerts by e-mail, through the server that the section <c>alerts</c> names.</summary>
    public string? AlertEmail { get; private init; }

    /// <summary>Seals provider keys that are stored: 32 bytes. Null where none is set.</summary>
    public ReadOnlyMemory<byte>? MasterKey { get; private init; }

    /// <summary>Master keys of before: they open what they sealed, and seal nothing more.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> OldMasterKeys { get; private init; } = [];

    /// <summary>Keys that are set and valid, and that nothing reads yet.</summary>
    public IReadOnlyList<string> NotYetUsed { get; private init; } = [];

    /// <summary>Throws <see cref="ConfigException"/> with every error.</summary>
    public static EnvironmentKeys Read(IConfiguration configuration)
    {
        var reader = new Reader(configuration);
        var store = reader.Choice("PENSTOCK_STORE", StoreKind.Sqlite);
        var aws = reader.Aws();
        var keys = new EnvironmentKeys
        {
            Platform = reader.Choice("PLATFORM_ENVIRONMENT", PlatformEnvironment.Development),
            Port = reader.Whole("PORT", 3000, 0, 65_535),
            DataFolder = reader.Text("PENSTOCK_DATA") ?? "./data",
            Store = store,
            AwsRegion = reader.Text("AWS_REGION"),
            DynamoEndpoint = reader.Url("DYNAMODB_ENDPOINT") ?? aws.Endpoint,
            LambdaEndpoint = reader.Url("LAMBDA_ENDPOINT") ?? aws.Endpoint,
            UsesBedrock = reader.Flag("PENSTOCK_BEDROCK", reader.Text("AWS_BEARER_TOKEN_BEDROCK") is not null || reader.Text("AWS_ENDPOINT_URL_BEDROCK_RUNTIME") is not null),
            BedrockToken = reader.Header("AWS_BEARER_TOKEN_BEDROCK"),
            BedrockEndpoint = reader.Url("AWS_ENDPOINT_URL_BEDROCK_RUNTIME") ?? aws.Endpoint,
            SageMakerEndpoint = reader.Url("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME") ?? aws.Endpoint,
            HasAwsCredentials = Array.Exists(AwsCredentials, name => reader.Text(name) is not null),
            TablePrefix = reader.Text("PENSTOCK_TABLE_PREFIX") ?? "",
            LeaseBudgets = reader.Flag("PENSTOCK_BUDGET_LEASES", false),
            AdminKey = reader.Text("PENSTOCK_ADMIN_KEY"),
            Drain = TimeSpan.FromSeconds(reader.Whole("PENSTOCK_DRAIN_SECONDS", 30, 0, 3600)),
            OpenAiKey = reader.Header("OPENAI_API_KEY"),
            OpenAiBaseUrl = reader.Url("OPENAI_BASE_URL"),
            AnthropicKey = reader.Header("ANTHROPIC_API_KEY"),
            AnthropicBaseUrl = reader.Url("ANTHROPIC_BASE_URL"),
            CostTracking = reader.Flag("COST_TRACKING_ENABLED", true),
            BudgetAlerts = reader.Flag("BUDGET_ALERTS_ENABLED", true),
            SlackWebhook = reader.Hook("SLACK_WEBHOOK_URL"),
            AlertEmail = reader.Match("ALERT_EMAIL", Mail(), "must be an e-mail address"),
            MasterKey = reader.Bytes("PENSTOCK_MASTER_KEY"),
            OldMasterKeys = reader.BytesList("PENSTOCK_MASTER_KEYS_OLD"),
            Aws = aws,
            NotYetUsed = reader.NotYetUsed(),
        };
        reader.RefuseUnreachableStore(keys);
        reader.RefuseUnusableAws(keys);
        if (keys.Platform == PlatformEnvironment.Production) reader.RefuseWeakSecrets(keys);
        return reader.Errors.Count == 0 ? keys : throw new ConfigException(reader.Errors);
    }

    private sealed partial class Reader(IConfiguration configuration)
    {
        public List<string> Errors { get; } = [];

        public string? Text(string name) => configuration[name]?.Trim() is { Length: > 0 } text ? text : null;

        public string? Header(string name)
        {
            var text = Text(name);
            if (text is null || text.All(c => c is > ' ' and < '\x7f')) return text;
            Errors.Add($"{name} holds a blank or a character that no HTTP header may hold.");
            return null;
        }

        public int Whole(string name, int otherwise, int min, int max)
        {
            if (Text(name) is not { } text) return otherwise;
            if (int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max) return value;
            Errors.Add($"{name} must be a whole number from {min} to {max}, not '{text}'.");
            return otherwise;
        }

        public bool Flag(string name, bool otherwise)
        {
            if (Text(name) is not { } text) return otherwise;
            if (bool.TryParse(text, out var flag)) return flag;
            Errors.Add($"{name} must be true or false, not '{text}'.");
            return otherwise;
        }

        public T Choice<T>(string name, T otherwise)
            where T : struct, Enum
        {
            if (Text(name) is not { } text) return otherwise;
            var choices = Enum.GetValues<T>();
            foreach (var choice in choices)
            {
                // Enum.TryParse would also take numbers, and add up names with commas between them.
                if (choice.ToString().Equals(text, StringComparison.OrdinalIgnoreCase)) return choice;
            }

            var names = Array.ConvertAll(choices, choice => choice.ToString().ToLowerInvariant());
            Errors.Add($"{name} must be {string.Join(", ", names[..^1])} or {names[^1]}, not '{text}'.");
            return otherwise;
        }

        public Uri? Url(string name)
        {
            if (Text(name) is not { } text) return null;
            if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https") return url;
            // A URL may hold a password or be one, as a webhook's is: it is not repeated.
            Errors.Add($"{name} must be an http or https URL such as https://api.example.com/v1.");
            return null;
        }

        public Uri? Hook(string name)
        {
            if (Url(name) is not { } url) return null;
            if (HookUrl.Is(url)) return url;
            Errors.Add($"{name} must be https.");
            return null;
        }

        public string? Match(string name, Regex form, string rule)
        {
            if (Text(name) is not { } text) return null;
            if (form.IsMatch(text)) return text;
            Errors.Add($"{name} {rule}, not '{text}'.");
            return null;
        }

        public ReadOnlyMemory<byte>? Bytes(string name) => Text(name) is { } text ? Bytes(name, text) : null;

        public IReadOnlyList<ReadOnlyMemory<byte>> BytesList(string name) =>
            [.. (Text(name)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? []).Select(text => Bytes(name, text)).OfType<ReadOnlyMemory<byte>>()];

        /// <summary>Validates the keys whose feature is not built yet, and says which of them are set.</summary>
        public IReadOnlyList<string> NotYetUsed()
        {
            Match("AWS_REGION", Region(), "must look like us-east-1");
            Match("AWS_ACCOUNT_ID", Account(), "must be 12 digits");
            Match("PENSTOCK_TABLE_PREFIX", Prefix(), "may hold letters, digits, '_', '-' and '.', at most 60");
            string[] names = ["AWS_ACCOUNT_ID", "JWT_SECRET_KEY", "ENCRYPTION_SALT"];
            return [.. names.Where(name => Text(name) is not null)];
        }

        public void RefuseUnreachableStore(EnvironmentKeys keys)
        {
            if (keys is { Store: StoreKind.DynamoDb, AwsRegion: null, DynamoEndpoint: null }) Errors.Add("AWS_REGION is missing; with PENSTOCK_STORE=dynamodb it says where the tables are (or DYNAMODB_ENDPOINT does).");
        }

        public void RefuseWeakSecrets(EnvironmentKeys keys)
        {
            Secret("JWT_SECRET_KEY", Text("JWT_SECRET_KEY"), required: true);
            Secret("ENCRYPTION_SALT", Text("ENCRYPTION_SALT"), required: true);
            Secret("PENSTOCK_ADMIN_KEY", keys.AdminKey, required: false);
            if (Examples.Contains(keys.OpenAiKey)) Errors.Add("OPENAI_API_KEY is the example from the documentation; production needs your own.");
            if (Examples.Contains(keys.AnthropicKey)) Errors.Add("ANTHROPIC_API_KEY is the example from the documentation; production needs your own.");
        }

        /// <summary>The value is a secret: it is not repeated.</summary>
        private ReadOnlyMemory<byte>? Bytes(string name, string base64)
        {
            var bytes = new byte[base64.Length];
            if (Convert.TryFromBase64String(base64, bytes, out var length) && length == MasterKeyBytes) return bytes.AsMemory(0, length);
            Errors.Add($"{name} must be {MasterKeyBytes} bytes in base64{(name.EndsWith("_OLD", StringComparison.Ordinal) ? ", several with commas between them" : "")} (openssl rand -base64 {MasterKeyBytes}).");
            return null;
        }

        private void Secret(string name, string? value, bool required)
        {
            if (value is null && required) Errors.Add($"{name} is missing; production needs one of {ShortestSecret} characters or more (openssl rand -hex 32).");
            else if (value is not null && Examples.Contains(value)) Errors.Add($"{name} is the example from the documentation; production needs your own (openssl rand -hex 32).");
            else if (value is { Length: < ShortestSecret }) Errors.Add($"{name} has {value.Length} characters; production needs {ShortestSecret} or more (openssl rand -hex 32).");
        }

    }

    [GeneratedRegex(@"^[a-z]{2}(-[a-z]+)+-[0-9]\z", RegexOptions.CultureInvariant)]
    private static partial Regex Region();

    [GeneratedRegex(@"^[A-Za-z0-9_.-]{1,60}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Prefix();

    [GeneratedRegex(@"^[0-9]{12}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Account();

    // As HTML's input of type email takes it, with at least one dot in the domain.
    [GeneratedRegex(@"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\z", RegexOptions.CultureInvariant)]
    internal static partial Regex Mail();
}
