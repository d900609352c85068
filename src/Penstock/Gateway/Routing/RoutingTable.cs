using Penstock.Usage;

namespace Penstock.Gateway.Routing;

/// <summary>One place a call can go.</summary>
/// <param name="Model">As the provider names it.</param>
/// <param name="MaxOutputTokens">Cap of the tier or alias that led here; null for none.</param>
internal sealed record Target(IChatProvider Provider, string Model, int? MaxOutputTokens, ModelPrice Price, string PriceVersion)
{
    /// <summary>The call is made with a provider key of its caller's, who pays the provider.</summary>
    public bool OwnKey { get; init; }

    /// <summary>That key is stored here; else it came with the call.</summary>
    public bool StoredKey { get; init; }

    public int? Cap(int? asked) => asked is { } tokens && MaxOutputTokens is { } cap ? Math.Min(tokens, cap) : asked ?? MaxOutputTokens;
}

/// <summary><c>provider/model</c>, taken apart.</summary>
internal readonly record struct TargetName(string Provider, string Model)
{
    public override string ToString() => $"{Provider}/{Model}";
}

/// <summary>An alias or tier: the first target whose provider is configured answers.</summary>
internal sealed record NamedRoute(string Name, IReadOnlyList<TargetName> Targets, int? MaxOutputTokens);

/// <summary>What the configuration says about providers, names and limits of the gateway.</summary>
internal sealed record RoutingTable(IReadOnlyDictionary<string, IChatProvider> Providers, IReadOnlyDictionary<string, NamedRoute> Aliases, IReadOnlyDictionary<string, NamedRoute> Tiers, GatewayOptions Options)
{
    public const string Standard = "standard";
    public const string Local = "local";

    /// <summary>The provider of this name with another key.</summary>
    public Func<string, string, IChatProvider> WithKey { get; init; } = (name, _) => throw new InvalidOperationException($"Provider '{name}' is not configured.");

    /// <summary>
    /// Tiers as they stand without configuration: Bedrock's ids where Bedrock is configured, else the nearest model of the vendor that is,
    /// else the local provider.
    /// </summary>
    public static readonly IReadOnlyList<NamedRoute> ShippedTiers =
    [
        new("fast", [new("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0"), new("anthropic", "claude-haiku-4-5"), new("openai", "gpt-4.1-mini"), new(Local, Local)], 1024),
        new(Standard, [new("bedrock", "anthropic.claude-sonnet-4-20250514-v1:0"), new("anthropic", "claude-sonnet-4-6"), new("openai", "gpt-4.1"), new(Local, Local)], 4096),
        new("reasoning", [new("bedrock", "meta.llama3-1-70b-instruct-v1:0"), new("anthropic", "claude-opus-4-6"), new("openai", "o4-mini"), new(Local, Local)], 4096),
    ];

    /// <summary>Vendors whose models are known by their bare names, and the variable that configures each.</summary>
    public static readonly IReadOnlyDictionary<string, string> Vendors = new Dictionary<string, string>
    {
        ["openai"] = "OPENAI_API_KEY",
        ["anthropic"] = "ANTHROPIC_API_KEY",
        ["bedrock"] = "",
    };
}
