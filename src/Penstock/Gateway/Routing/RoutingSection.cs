using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Gateway.Routing;

/// <summary>
/// The sections <c>providers</c>, <c>models</c>, <c>tiers</c> and <c>gateway</c>. Vendors whose key is in the environment,
/// <c>local</c> and <c>simulated</c> are configured without being named.
/// </summary>
internal sealed class RoutingSection(IEnumerable<IProviderKind> kinds, EnvironmentKeys environment) : IConfigSection
{
    private readonly Dictionary<string, IProviderKind> _kinds = kinds.ToDictionary(kind => kind.Kind);

    public RoutingTable Current { get; private set; } = new(new Dictionary<string, IChatProvider>(), new Dictionary<string, NamedRoute>(), new Dictionary<string, NamedRoute>(), new GatewayOptions());

    public IReadOnlyList<string> Names { get; } = ["providers", "models", "tiers", "gateway"];

    public Action Read(ConfigRead file)
    {
        var providers = Shipped().Where(settings => _kinds.ContainsKey(settings.Kind)).ToDictionary(settings => settings.Name);
        foreach (var (name, entry) in file.Members("providers"))
        {
            if (file.Try(() => ReadProvider(name, entry), null) is { } settings) providers[name] = settings;
        }

        var aliases = new Dictionary<string, NamedRoute>();
        foreach (var (name, entry) in file.Members("models"))
        {
            if (file.Try(() => ReadAlias(name, entry, providers), null) is { } alias) aliases[name] = alias;
        }

        var tiers = RoutingTable.ShippedTiers.ToDictionary(tier => tier.Name);
        foreach (var (name, entry) in file.Members("tiers"))
        {
            if (file.Try(() => ReadTier(name, entry, providers), null) is { } tier) tiers[name] = tier;
        }

        var options = GatewayOptions.Read(file);
        return () => Current = new RoutingTable(providers.Values.ToDictionary(settings => settings.Name, settings => _kinds[settings.Kind].Create(settings)), aliases, tiers, options)
        {
            WithKey = (name, key) => _kinds[providers[name].Kind].Create(providers[name] with { ApiKey = key }),
        };
    }

    private IEnumerable<ProviderSettings> Shipped()
    {
        yield return new ProviderSettings("local", "local", null, null);
        yield return new ProviderSettings("simulated", "simulated", null, null);
        // A base URL without a key is a compatible server that needs none.
        if (environment.OpenAiKey is not null || environment.OpenAiBaseUrl is not null)
            yield return new ProviderSettings("openai", "openai", environment.OpenAiBaseUrl, environment.OpenAiKey);
        if (environment.AnthropicKey is not null || environment.AnthropicBaseUrl is not null)
            yield return new ProviderSettings("anthropic", "anthropic", environment.AnthropicBaseUrl, environment.AnthropicKey);
    }

    private ProviderSettings ReadProvider(string name, JsonView entry)
    {
        entry.AllowOnly("kind", "baseUrl", "apiKey", "connectTimeoutSeconds", "idleTimeoutSeconds");
        // The name goes into a header and stands before the '/' of a target.
        if (name.Length is 0 or > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')) throw entry.Bad("must be named by 1 to 64 letters, digits, '.', '_' or '-'");
        var kind = entry.Optional("kind")?.OneOf([.. _kinds.Keys]) ?? (_kinds.ContainsKey(name) ? name : throw entry.Bad($"needs 'kind': one of {string.Join(", ", _kinds.Keys)}"));
        var url = entry.Optional("baseUrl") is { } given ? Url(given) : null;
        var settings = new ProviderSettings(name, kind, url, entry.Optional("apiKey") is { } key ? Secret(key) : null);
        return settings with
        {
            ConnectTimeout = entry.Optional("connectTimeoutSeconds") is { } connect ? TimeSpan.FromSeconds(connect.Number(0.1, 300)) : settings.ConnectTimeout,
            IdleTimeout = entry.Optional("idleTimeoutSeconds") is { } idle ? TimeSpan.FromSeconds(idle.Number(0.1, 3600)) : settings.IdleTimeout,
        };
    }

    private static Uri Url(JsonView text) => Uri.TryCreate(text.Text(), UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? url : throw text.Bad("must be an http or https URL");

    private static string Secret(JsonView text)
    {
        var value = SecretText.Read(text);
        return value.All(c => c is > ' ' and < '\x7f') ? value : throw text.Bad("holds a blank or a character that no HTTP header may hold");
    }

    private static NamedRoute ReadAlias(string name, JsonView entry, Dictionary<string, ProviderSettings> providers)
    {
        entry.AllowOnly("target", "maxOutputTokens");
        return new NamedRoute(name, [ReadTarget(entry.Required("target"), providers)], entry.Optional("maxOutputTokens")?.Whole(1));
    }

    private static NamedRoute ReadTier(string name, JsonView entry, Dictionary<string, ProviderSettings> providers)
    {
        entry.AllowOnly("targets", "maxOutputTokens");
        var targets = entry.Required("targets").Items().Select(target => ReadTarget(target, providers)).ToArray();
        if (targets.Length == 0) throw entry.Required("targets").Bad("must name at least one target");
        return new NamedRoute(name, targets, entry.Optional("maxOutputTokens")?.Whole(1));
    }

    private static TargetName ReadTarget(JsonView text, Dictionary<string, ProviderSettings> providers)
    {
        var value = text.NonEmptyText();
        var slash = value.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || slash == value.Length - 1) throw text.Bad("must look like 'provider/model'");
        var name = new TargetName(value[..slash], value[(slash + 1)..]);
        return providers.ContainsKey(name.Provider) || RoutingTable.Vendors.ContainsKey(name.Provider)
            ? name
            : throw text.Bad($"names the provider '{name.Provider}', which is not under 'providers'; there are {string.Join(", ", providers.Keys)}");
    }
}
