using Penstock.Usage;

namespace Penstock.Gateway.Routing;

/// <summary>One place a call can go.</summary>
/// <param name="Model">As the provider names it.</param>
/// <param name="MaxOutputTokens">Cap of the tier or alias that led here; null for none.</param>
internal sealed record Target(IChatProvider Provider, string Model, int? MaxOutputTokens, ModelPrice Price, string PriceVersion, TargetHealth Health)
{
    public TargetName Name => new(Provider.Name, Model);

    /// <summary>Null for the provider's own.</summary>
    public CallTimeouts? Timeouts { get; init; }

    /// <summary>Its share of the calls, beside those of others; null for a fallback.</summary>
    public int? Weight { get; init; }

    /// <summary>The call is made with a provider key of its caller's, who pays the provider.</summary>
    public bool OwnKey { get; init; }

    /// <summary>That key is stored here; else it came with the call.</summary>
    public bool StoredKey { get; init; }

    /// <summary>The tier it is of, where another was chosen and this one answers in its place; else null.</summary>
    public string? Instead { get; init; }

    /// <summary>
    /// Whether that one may be asked where this one does not answer. Who brings their own key has said who pays: nobody whom the platform would pay comes behind
    /// it, and a key that came with the call goes to no other provider. What runs in this process bills nobody.
    /// </summary>
    public bool MayGiveWayTo(Target other) => !OwnKey || other.Provider.Dialect == Dialect.Native || (other.OwnKey && (StoredKey || other.Provider.Name == Provider.Name));

    public int? Cap(int? asked) => asked is { } tokens && MaxOutputTokens is { } cap ? Math.Min(tokens, cap) : asked ?? MaxOutputTokens;
}

/// <summary><c>provider/model</c>, taken apart.</summary>
internal readonly record struct TargetName(string Provider, string Model)
{
    public override string ToString() => $"{Provider}/{Model}";
}

/// <summary>A target as an alias or a tier lists it.</summary>
internal sealed record RouteTarget(string Provider, string Model)
{
    public TargetName Name => new(Provider, Model);

    /// <summary>Null for the provider's own.</summary>
    public CallTimeouts? Timeouts { get; init; }

    public int? Weight { get; init; }

    /// <summary>No fallback: it answers only where no other target's provider is configured.</summary>
    public bool Alone { get; init; }
}

/// <summary>An alias or tier: those of its targets whose provider is configured answer, the others after the first where that fails.</summary>
internal sealed record NamedRoute(string Name, IReadOnlyList<RouteTarget> Targets, int? MaxOutputTokens)
{
    public Strategy Strategy { get; init; }

    /// <summary>The name itself leads to the first target, as it would without this entry; <see cref="Targets"/> are its fallbacks.</summary>
    public bool ByItsName { get; init; }

    /// <summary>Neither alias nor tier: a client named it.</summary>
    public bool Coined { get; init; }

    public static NamedRoute Of(RouteTarget target) => new(target.Model, [target], null) { Coined = true };
}

/// <summary>What the configuration says about providers, names and limits of the gateway.</summary>
internal sealed record RoutingTable(IReadOnlyDictionary<string, IChatProvider> Providers, IReadOnlyDictionary<string, NamedRoute> Aliases, IReadOnlyDictionary<string, NamedRoute> Tiers, GatewayOptions Options)
{
    public const string Standard = "standard";
    public const string Local = "local";

    public RoutingOptions Routing { get; init; } = new();

    /// <summary>How each provider is configured.</summary>
    public IReadOnlyDictionary<string, ProviderSettings> Settings { get; init; } = new Dictionary<string, ProviderSettings>();

    /// <summary>Targets of <paramref name="route"/> whose provider is configured, in order.</summary>
    public IReadOnlyList<RouteTarget> Configured(NamedRoute route)
    {
        var configured = route.Targets.Where(target => Providers.ContainsKey(target.Provider)).ToArray();
        return configured is [{ Alone: true }, ..] ? [configured[0]] : [.. configured.Where(target => !target.Alone)];
    }

    /// <summary>The provider of this name with another key.</summary>
    public Func<string, string, IChatProvider> WithKey { get; init; } = (name, _) => throw new InvalidOperationException($"Provider '{name}' is not configured.");

    /// <summary>
    /// Tiers as they stand without configuration: Bedrock's ids where Bedrock is configured, else the nearest model of the vendor that is,
    /// else the local provider. Local is no language model, and so never the fallback of one.
    /// </summary>
    public static readonly IReadOnlyList<NamedRoute> ShippedTiers =
    [
        new("fast", [new("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0"), new("anthropic", "claude-haiku-4-5"), new("openai", "gpt-4.1-mini"), new(Local, Local) { Alone = true }], 1024),
        new(Standard, [new("bedrock", "anthropic.claude-sonnet-4-20250514-v1:0"), new("anthropic", "claude-sonnet-4-6"), new("openai", "gpt-4.1"), new(Local, Local) { Alone = true }], 4096),
        new("reasoning", [new("bedrock", "meta.llama3-1-70b-instruct-v1:0"), new("anthropic", "claude-opus-4-6"), new("openai", "o4-mini"), new(Local, Local) { Alone = true }], 4096),
    ];

    /// <summary>Vendors whose models are known by their bare names, and the variable that configures each.</summary>
    public static readonly IReadOnlyDictionary<string, string> Vendors = new Dictionary<string, string>
    {
        ["openai"] = "OPENAI_API_KEY",
        ["anthropic"] = "ANTHROPIC_API_KEY",
        ["bedrock"] = "AWS_REGION with AWS_BEARER_TOKEN_BEDROCK, or with PENSTOCK_BEDROCK=true and AWS credentials",
    };
}
