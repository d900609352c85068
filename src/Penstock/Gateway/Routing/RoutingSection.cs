using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Gateway.Routing;

/// <summary>
/// The sections <c>providers</c>, <c>models</c>, <c>tiers</c>, <c>gateway</c> and <c>routing</c>. Vendors whose key is in the environment,
/// <c>local</c> and <c>simulated</c> are configured without being named.
/// </summary>
internal sealed class RoutingSection(IEnumerable<IProviderKind> kinds, EnvironmentKeys environment, PlatformKeys? keys = null) : IConfigSection
{
    private readonly Dictionary<string, IProviderKind> _kinds = kinds.ToDictionary(kind => kind.Kind);
    private readonly Lock _building = new();
    private Func<RoutingTable>? _build;

    public RoutingTable Current { get; private set; } = new(new Dictionary<string, IChatProvider>(), new Dictionary<string, NamedRoute>(), new Dictionary<string, NamedRoute>(), new GatewayOptions());

    public IReadOnlyList<string> Names { get; } = ["providers", "models", "tiers", "gateway", "routing"];

    public Action Read(ConfigRead file)
    {
        var providers = Shipped().Where(settings => _kinds.ContainsKey(settings.Kind)).ToDictionary(settings => settings.Name);
        var shipped = providers.Keys.ToHashSet();
        foreach (var (name, entry) in file.Members("providers"))
        {
            if (file.Try(() => ReadProvider(name, entry), null) is not { } settings) continue;
            providers[name] = settings;
            shipped.Remove(name);
        }

        var routes = new RouteReader(providers);
        var aliases = new Dictionary<string, NamedRoute>();
        foreach (var (name, entry) in file.Members("models"))
        {
            if (file.Try(() => routes.Alias(name, entry), null) is { } alias) aliases[name] = alias;
        }

        var tiers = RoutingTable.ShippedTiers.ToDictionary(tier => tier.Name);
        foreach (var (name, entry) in file.Members("tiers"))
        {
            if (file.Try(() => routes.Tier(name, entry), null) is { } tier) tiers[name] = tier;
        }

        var options = GatewayOptions.Read(file);
        var routing = RoutingOptions.Read(file);
        return () => Use(() =>
        {
            var ready = providers.Values.Select(settings => shipped.Contains(settings.Name) ? WithPlatformKey(settings) : settings).OfType<ProviderSettings>().ToDictionary(settings => settings.Name);
            return new RoutingTable(ready.Values.ToDictionary(settings => settings.Name, settings => _kinds[settings.Kind].Create(settings)), aliases, tiers, options)
            {
                Routing = routing,
                Settings = ready,
                WithKey = (name, key) => _kinds[ready[name].Kind].Create(ready[name] with { ApiKey = key }),
            };
        });
    }

    /// <summary>What is configured, with the platform's keys of now. Calls that are under way keep theirs.</summary>
    public void Refresh() => Use(null);

    private void Use(Func<RoutingTable>? build)
    {
        lock (_building)
        {
            _build = build ?? _build;
            if (_build is not null) Current = _build();
        }
    }

    /// <summary>
    /// Null for a vendor whose key is looked for elsewhere and is not there yet. A provider that the file names has the key that the file gives it, and no other:
    /// its server may be anybody's.
    /// </summary>
    private ProviderSettings? WithPlatformKey(ProviderSettings settings)
    {
        if (keys?.Of(settings.Name) is { } key) return settings with { ApiKey = key };
        return PlatformKeys.Vendors.Contains(settings.Name) && settings is { ApiKey: null, BaseUrl: null } ? null : settings;
    }

    private IEnumerable<ProviderSettings> Shipped()
    {
        yield return new ProviderSettings("local", "local", null, null);
        yield return new ProviderSettings("simulated", "simulated", null, null);
        // A base URL without a key is a compatible server that needs none.
        var expected = keys?.HasSource ?? false;
        if (expected || environment.OpenAiKey is not null || environment.OpenAiBaseUrl is not null)
            yield return new ProviderSettings("openai", "openai", environment.OpenAiBaseUrl, environment.OpenAiKey);
        if (expected || environment.AnthropicKey is not null || environment.AnthropicBaseUrl is not null)
            yield return new ProviderSettings("anthropic", "anthropic", environment.AnthropicBaseUrl, environment.AnthropicKey);
        // The address and the region are its kind's to find, which knows AWS.
        if (environment.UsesBedrock && environment.AwsRegion is not null && (environment.BedrockToken is not null || environment.HasAwsCredentials))
            yield return new ProviderSettings("bedrock", "bedrock", null, environment.BedrockToken);
        if (environment.AwsRegion is not null && environment.HasAwsCredentials) yield return new ProviderSettings("sagemaker", "sagemaker", null, null);
    }

    private ProviderSettings ReadProvider(string name, JsonView entry)
    {
        entry.AllowOnly(["kind", "baseUrl", "apiKey", .. RouteReader.Timeouts]);
        // The name goes into a header and stands before the '/' of a target.
        if (name.Length is 0 or > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')) throw entry.Bad("must be named by 1 to 64 letters, digits, '.', '_' or '-'");
        var kind = entry.Optional("kind")?.OneOf([.. _kinds.Keys]) ?? (_kinds.ContainsKey(name) ? name : throw entry.Bad($"needs 'kind': one of {string.Join(", ", _kinds.Keys)}"));
        if (entry.Optional("apiKey") is { } needless && !_kinds[kind].TakesKey) throw needless.Bad($"must not stand at the kind '{kind}', which takes no key");
        var url = entry.Optional("baseUrl") is { } given ? Url(given) : null;
        var settings = new ProviderSettings(name, kind, url, entry.Optional("apiKey") is { } key ? Secret(key) : null);
        var timeouts = RouteReader.ReadTimeouts(entry, settings.Timeouts);
        return settings with { ConnectTimeout = timeouts.Connect, FirstByteTimeout = timeouts.FirstByte, IdleTimeout = timeouts.Idle, TotalTimeout = timeouts.Total };
    }

    private static Uri Url(JsonView text) => Uri.TryCreate(text.Text(), UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? url : throw text.Bad("must be an http or https URL");

    private static string Secret(JsonView text)
    {
        var value = SecretText.Read(text);
        return value.All(c => c is > ' ' and < '\x7f') ? value : throw text.Bad("holds a blank or a character that no HTTP header may hold");
    }
}
