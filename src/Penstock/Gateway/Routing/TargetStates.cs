using System.Collections.Concurrent;

namespace Penstock.Gateway.Routing;

/// <summary>
/// The health of every target, by the provider as it is configured and the model: it survives a reload that leaves the target as it was, and begins anew with
/// another key or address. Of this process alone.
/// </summary>
internal sealed class TargetStates(RoutingSection section, TimeProvider time)
{
    /// <summary>A client may be allowed to name models that nobody configured: what is kept of them has an end.</summary>
    private const int Most = 4096;

    private readonly ConcurrentDictionary<(ProviderSettings Provider, string Model), TargetHealth> _states = new();

    /// <param name="known">Named by the configuration or the price table, and not only by a client.</param>
    public TargetHealth Of(ProviderSettings provider, string model, bool known)
    {
        if (_states.TryGetValue((provider, model), out var found)) return found;
        if (_states.Count >= Most) Forget();
        var health = new TargetHealth(new TargetName(provider.Name, model), known, () => section.Current.Routing, time);
        return _states.Count >= Most ? health : _states.GetOrAdd((provider, model), health);
    }

    /// <summary>Those of the configuration in force, called or not, in the order of their names.</summary>
    public IReadOnlyList<TargetHealth> All()
    {
        Forget(ofOldProvidersOnly: true);
        var table = section.Current;
        foreach (var target in table.Tiers.Values.Concat(table.Aliases.Values).SelectMany(route => table.Configured(route))) Of(table.Settings[target.Provider], target.Model, known: true);
        return [.. _states.Values.OrderBy(health => health.Name.ToString(), StringComparer.Ordinal)];
    }

    /// <summary>What nothing is known against is as good as new.</summary>
    private void Forget(bool ofOldProvidersOnly = false)
    {
        var settings = section.Current.Settings;
        foreach (var ((provider, model), health) in _states)
        {
            var old = settings.GetValueOrDefault(provider.Name) != provider;
            if (old || (!ofOldProvidersOnly && health.Look() is { InFlight: 0, State: TargetState.Closed })) _states.TryRemove((provider, model), out _);
        }
    }
}
