using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway.Cache;

/// <summary>Calls that are being answered now, so that an equal one need not be made beside them.</summary>
internal sealed class Flights
{
    private readonly ConcurrentDictionary<(TenantId, CacheKey), Flight> _flying = new();

    public int Count => _flying.Count;

    /// <summary>Clients that wait for another's answer.</summary>
    public int Followers => _flying.Values.Sum(flight => Math.Max(0, flight.Client.Recording.Readers - 1));

    /// <param name="journey">The caller's own, which makes the call where it leads.</param>
    public Flight Join(TenantId tenant, CacheKey key, Journey journey, out bool leads)
    {
        var flight = _flying.TryGetValue((tenant, key), out var found) ? found : _flying.GetOrAdd((tenant, key), static (name, journey) => new Flight(name, journey), journey);
        leads = flight.IsLedBy(journey);
        return flight;
    }

    /// <summary>Nobody joins it any more.</summary>
    public void Remove(Flight flight) => _flying.TryRemove(new KeyValuePair<(TenantId, CacheKey), Flight>(flight.Name, flight));
}

/// <summary>One call, whose answer any number of equal requests get. Whoever made it leads it.</summary>
[SuppressMessage("Design", "CA1001", Justification = "A source without a timer holds nothing, and one who follows may still abandon a flight that has just ended.")]
internal sealed class Flight
{
    private readonly CancellationTokenSource _abandoned = new();
    private readonly TaskCompletionSource<CachedAnswer?> _kept = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Journey _leader;

    public Flight((TenantId, CacheKey) name, Journey leader)
    {
        (Name, _leader) = (name, leader);
        Client = new Recording(Recording.MostHeld, _abandoned.Cancel).Attach()!;
    }

    public (TenantId Tenant, CacheKey Key) Name { get; }

    /// <summary>The leader's own client, there before anybody can follow.</summary>
    public Recording.Reader Client { get; }

    /// <summary>Cancelled when nobody waits for the answer any more.</summary>
    public CancellationToken Abandoned => _abandoned.Token;

    /// <summary>What the cache had when the flight began. The leader asks once for all.</summary>
    public Task<CachedAnswer?> Kept => _kept.Task;

    /// <summary>How the leader's call stands in the ledger; null until it does, which is before anybody gets its end.</summary>
    public LedgerRow? BookedAs => _leader.BookedAs;

    /// <summary>Answered by the target that was to answer, and not filtered: what another target said is no answer to keep for this one.</summary>
    public bool IsAsAsked => !_leader.Attempt.Filtered && _leader.Attempt.Target.Name == _leader.Plan.First.Name;

    public bool IsLedBy(Journey journey) => _leader == journey;

    public void Found(CachedAnswer? answer) => _kept.TrySetResult(answer);

    /// <summary>Ends it for whoever follows; where it was answered, that stands.</summary>
    public void End()
    {
        Client.Recording.Fail();
        Client.Dispose();
        _kept.TrySetResult(null);
    }
}
