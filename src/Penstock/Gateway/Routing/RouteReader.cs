using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Routing;

/// <summary>Reads aliases, tiers and their targets.</summary>
internal sealed class RouteReader(IReadOnlyDictionary<string, ProviderSettings> providers)
{
    /// <summary>Fields of a provider and of a target, in seconds.</summary>
    public static readonly string[] Timeouts = ["connectTimeoutSeconds", "firstByteTimeoutSeconds", "idleTimeoutSeconds", "totalTimeoutSeconds"];

    private static readonly string[] Strategies = ["order", "weighted", "latency"];

    /// <summary>One of <c>target</c> and <c>targets</c>, and <c>fallbacks</c>; with <c>fallbacks</c> alone the name leads where it would without the entry.</summary>
    public NamedRoute Alias(string name, JsonView entry)
    {
        entry.AllowOnly("target", "targets", "fallbacks", "strategy", "maxOutputTokens");
        var (one, several, fallbacks) = (entry.Optional("target"), entry.Optional("targets"), entry.Optional("fallbacks"));
        if (one is not null && several is { } both) throw both.Bad("must not stand beside 'target'");
        var byItsName = one is null && several is null && fallbacks is not null;
        RouteTarget[] first = one is { } target ? [Target(target)] : several is { } list ? Targets(list) : byItsName ? [] : [Target(entry.Required("target"))];
        return Route(name, entry, [.. first, .. fallbacks is { } rest ? Fallbacks(rest) : []]) with { ByItsName = byItsName };
    }

    public NamedRoute Tier(string name, JsonView entry)
    {
        entry.AllowOnly("targets", "strategy", "maxOutputTokens");
        return Route(name, entry, Targets(entry.Required("targets")));
    }

    /// <summary>Those of <paramref name="entry"/>, and of <paramref name="otherwise"/> where it says nothing.</summary>
    public static CallTimeouts ReadTimeouts(JsonView entry, CallTimeouts otherwise)
    {
        return new CallTimeouts(Seconds(0, 300) ?? otherwise.Connect, Seconds(1, 3600) ?? otherwise.FirstByte, Seconds(2, 3600) ?? otherwise.Idle, Seconds(3, 86_400) ?? otherwise.Total);

        TimeSpan? Seconds(int field, double most) => entry.Optional(Timeouts[field]) is { } value ? TimeSpan.FromSeconds(value.Number(0.1, most)) : null;
    }

    private static NamedRoute Route(string name, JsonView entry, IReadOnlyList<RouteTarget> targets)
    {
        var given = entry.Optional("strategy");
        var strategy = (Strategy)Array.IndexOf(Strategies, given?.OneOf(Strategies) ?? Strategies[0]);
        var weights = targets.Any(target => target.Weight is not null);
        if (strategy == Strategy.Weighted && !weights) throw given!.Value.Bad("is 'weighted', and no target has a 'weight'");
        if (strategy != Strategy.Weighted && weights) throw entry.Bad("has weights, which count with 'strategy': 'weighted' only");
        return new NamedRoute(name, targets, entry.Optional("maxOutputTokens")?.Whole(1)) { Strategy = strategy };
    }

    private RouteTarget[] Targets(JsonView list)
    {
        var targets = list.Items().Select(Target).ToArray();
        if (targets.Length == 0) throw list.Bad("must name at least one target");
        return targets.Select(target => target.Name).Distinct().Count() == targets.Length ? targets : throw list.Bad("must not name a target twice");
    }

    private RouteTarget[] Fallbacks(JsonView list)
    {
        var fallbacks = Targets(list);
        return Array.TrueForAll(fallbacks, target => target.Weight is null) ? fallbacks : throw list.Bad("must have no weights: they are tried in order");
    }

    private RouteTarget Target(JsonView entry)
    {
        if (entry.Kind != JsonValueKind.Object) return Named(entry);
        entry.AllowOnly(["target", "weight", .. Timeouts]);
        var target = Named(entry.Required("target")) with { Weight = entry.Optional("weight")?.Whole(1, 1000) };
        // A provider that is not configured has no times of its own, and no calls.
        return Timeouts.Any(field => entry.Optional(field) is not null) && providers.TryGetValue(target.Provider, out var provider)
            ? target with { Timeouts = ReadTimeouts(entry, provider.Timeouts) }
            : target;
    }

    private RouteTarget Named(JsonView text)
    {
        var value = text.NonEmptyText();
        var slash = value.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || slash == value.Length - 1) throw text.Bad("must look like 'provider/model'");
        var target = new RouteTarget(value[..slash], value[(slash + 1)..]);
        return providers.ContainsKey(target.Provider) || RoutingTable.Vendors.ContainsKey(target.Provider)
            ? target
            : throw text.Bad($"names the provider '{target.Provider}', which is not under 'providers'; there are {string.Join(", ", providers.Keys)}");
    }
}
