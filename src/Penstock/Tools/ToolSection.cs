using System.Collections.Frozen;
using System.Text.RegularExpressions;
using Penstock.Configuration;
using Penstock.Kernel;
using Penstock.Tools.Functions;
using Penstock.Tools.Mcp;

namespace Penstock.Tools;

/// <summary>The section <c>tools</c>: <c>{maxInFlight, …, off, fetch, functions: {name: …}, http: {name: …}, mcp: {name: …}}</c>.</summary>
internal sealed partial class ToolSection(McpServers servers, IEnumerable<IToolFunctions> functions) : IConfigSection
{
    /// <summary>Tools of ours, whose names no other may have.</summary>
    public static readonly IReadOnlyList<string> BuiltIn = ["calculator", "classify", "extract", "http_fetch", "search", "summarize", "wait"];

    public ToolOptions Current { get; private set; } = new();

    public IReadOnlyList<string> Names { get; } = ["tools"];

    public Action Read(ConfigRead file)
    {
        var options = file.Section("tools") is { } section ? Read(file, section) : new ToolOptions();
        return () =>
        {
            Current = options;
            servers.Use(options.Servers);
        };
    }

    private ToolOptions Read(ConfigRead file, JsonView section)
    {
        var usual = new ToolOptions();
        file.Try<object?>(() => { section.AllowOnly("maxInFlight", "maxInFlightPerTenant", "maxWaiting", "maxWaitSeconds", "off", "fetch", "functions", "http", "mcp"); return null; }, null);
        return new ToolOptions
        {
            MaxInFlight = file.Try(() => section.Optional("maxInFlight")?.Whole(1, 100_000) ?? usual.MaxInFlight, 1),
            MaxInFlightPerTenant = file.Try(() => section.Optional("maxInFlightPerTenant")?.Whole(1, 100_000) ?? usual.MaxInFlightPerTenant, 1),
            MaxWaiting = file.Try(() => section.Optional("maxWaiting")?.Whole(0, 1_000_000) ?? usual.MaxWaiting, 0),
            MaxWait = file.Try(() => Seconds(section, "maxWaitSeconds", usual.MaxWait), usual.MaxWait),
            Off = file.Try(() => Texts(section, "off", name => name.OneOf([.. BuiltIn])), []).ToFrozenSet(StringComparer.Ordinal),
            Fetch = file.Try(() => section.Optional("fetch") is { } fetch ? ReadFetch(fetch) : usual.Fetch, usual.Fetch),
            Functions = file.Try(() => ReadFunctions(section), FrozenDictionary<string, string>.Empty),
            Endpoints = Named(file, section, "http", ReadEndpoint),
            Servers = Named(file, section, "mcp", ReadServer),
        };
    }

    private static List<T> Named<T>(ConfigRead file, JsonView section, string kind, Func<string, JsonView, T> read)
        where T : class
    {
        var found = new List<T>();
        foreach (var (name, entry) in file.Try(() => section.Optional(kind)?.Members().ToArray() ?? [], []))
        {
            if (file.Try(() => Name().IsMatch(name) && !BuiltIn.Contains(name) ? read(name, entry) : throw entry.Bad($"must be named by 1 to 64 letters, digits, '_' or '-', and by no name of a built-in tool"), null) is { } one) found.Add(one);
        }

        return found;
    }

    private FrozenDictionary<string, string> ReadFunctions(JsonView section)
    {
        if (section.Optional("functions") is not { } named) return FrozenDictionary<string, string>.Empty;
        named.AllowOnly([.. BuiltIn]);
        if (!functions.Any()) throw named.Bad("needs a place where functions are: set AWS_REGION, or LAMBDA_ENDPOINT for an emulator");
        return named.Members().ToFrozenDictionary(pair => pair.Name, pair => ReadFunction(pair.Value), StringComparer.Ordinal);
    }

    private static string ReadFunction(JsonView entry)
    {
        entry.AllowOnly("function");
        var function = entry.Required("function");
        return FunctionName().IsMatch(function.Text()) ? function.Text() : throw function.Bad("must be the name of a function or its ARN, with or without a version or alias");
    }

    private static FetchOptions ReadFetch(JsonView fetch)
    {
        var usual = new FetchOptions();
        fetch.AllowOnly("allowHosts", "ports", "maxBytes", "timeoutSeconds");
        return new FetchOptions
        {
            AllowHosts = Texts(fetch, "allowHosts", host => host.ShortText(253).ToLowerInvariant()).ToFrozenSet(StringComparer.OrdinalIgnoreCase),
            Ports = fetch.Optional("ports") is { } ports ? ports.Items().Select(port => port.Whole(1, 65_535)).ToFrozenSet() : usual.Ports,
            MaxBytes = fetch.Optional("maxBytes")?.Whole(1_024, 64 * 1024 * 1024) ?? usual.MaxBytes,
            Timeout = Seconds(fetch, "timeoutSeconds", usual.Timeout),
        };
    }

    private static EndpointOptions ReadEndpoint(string name, JsonView entry)
    {
        entry.AllowOnly("description", "url", "secret", "input", "output", "effect", "timeoutSeconds", "concurrency", "costUsd", "maxBytes", "reconcile");
        var spec = new ToolSpec
        {
            Name = name,
            Kind = ToolKind.Http,
            Description = entry.Required("description").ShortText(2_000),
            Input = ReadInput(entry.Required("input")),
            Output = entry.Optional("output") is { } output ? JsonSchema.Declare(output) : null,
            Effect = entry.Optional("effect") is { } effect ? ToolNames.ReadEffect(effect) : ToolEffect.Once,
            Timeout = Seconds(entry, "timeoutSeconds", TimeSpan.FromSeconds(30)),
            Concurrency = entry.Optional("concurrency")?.Whole(1, 100_000) ?? 10,
            Cost = entry.Optional("costUsd") is { } cost ? Money.FromUsd(cost.Decimal(0, 1_000)) : Money.Zero,
        };
        var reconcile = entry.Optional("reconcile");
        if (reconcile is { } asked && spec.Effect != ToolEffect.Once) throw asked.Bad("is for a tool of effect 'once': any other is simply called again");
        return new EndpointOptions(
            spec, HookUrl.Read(entry.Required("url")), HookSecret.Read(entry.Required("secret")), entry.Optional("maxBytes")?.Whole(64, 64 * 1024 * 1024) ?? 1024 * 1024,
            reconcile is { } url ? HookUrl.Read(url) : null);
    }

    private static JsonSchema ReadInput(JsonView input)
    {
        if (input.Optional("type") is not { Kind: System.Text.Json.JsonValueKind.String } type || type.Text() != "object") throw input.Bad("must be a JSON Schema whose 'type' is \"object\"");
        return JsonSchema.Declare(input);
    }

    private static McpServerOptions ReadServer(string name, JsonView entry)
    {
        entry.AllowOnly("command", "args", "env", "passEnv", "url", "headers", "tools", "timeoutSeconds", "concurrency", "maxBytes");
        if (entry.Optional("command") is null == entry.Optional("url") is null) throw entry.Bad("must have 'command' (a program) or 'url' (an HTTP server), and not both");
        var usual = new McpServerOptions { Name = name };
        return usual with
        {
            Command = entry.Optional("command")?.ShortText(1_000),
            Arguments = Texts(entry, "args", text => text.Text()),
            Environment = Secrets(entry, "env"),
            PassEnvironment = entry.Optional("passEnv") is null ? usual.PassEnvironment : Texts(entry, "passEnv", text => text.ShortText(200)),
            Url = entry.Optional("url") is { } url ? HookUrl.Read(url) : null,
            Headers = Secrets(entry, "headers"),
            Tools = Texts(entry, "tools", text => text.ShortText(200)),
            Timeout = Seconds(entry, "timeoutSeconds", usual.Timeout),
            Concurrency = entry.Optional("concurrency")?.Whole(1, 100_000) ?? usual.Concurrency,
            MaxBytes = entry.Optional("maxBytes")?.Whole(1_024, 64 * 1024 * 1024) ?? usual.MaxBytes,
        };
    }

    private static Dictionary<string, string> Secrets(JsonView entry, string name) =>
        entry.Optional(name)?.Members().ToDictionary(pair => pair.Name, pair => SecretText.Read(pair.Value), StringComparer.Ordinal) ?? [];

    private static string[] Texts(JsonView entry, string name, Func<JsonView, string> read) => entry.Optional(name)?.Items().Select(read).ToArray() ?? [];

    private static TimeSpan Seconds(JsonView entry, string name, TimeSpan usual) => entry.Optional(name) is { } value ? TimeSpan.FromSeconds(value.Number(0.05, 3_600)) : usual;

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();

    // As the Invoke API takes it.
    [GeneratedRegex(@"^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:)?[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9$_-]{1,128})?\z", RegexOptions.CultureInvariant)]
    private static partial Regex FunctionName();
}
