using Penstock.Agents;
using Penstock.Contracts;
using Penstock.Kernel;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>The store as one simulated process has it: others come between any two of its calls, and it may die or fall asleep before or behind each.</summary>
internal sealed class PlacedRunStore(IRunStore inner, Place place, SimulatedWorld world) : IRunStore
{
    public Task<bool> CreateAsync(RunRecord run, IReadOnlyList<JournalEntry> first, CancellationToken ct) => CallAsync(() => inner.CreateAsync(run, first, ct));

    public Task<RunRecord?> GetAsync(TenantId tenant, RunId run, CancellationToken ct) => CallAsync(() => inner.GetAsync(tenant, run, ct));

    public Task<IReadOnlyList<RunRecord>> ListAsync(TenantId tenant, RunQuery query, CancellationToken ct) => CallAsync(() => inner.ListAsync(tenant, query, ct));

    public Task<IReadOnlyList<RunRecord>> ChildrenAsync(TenantId tenant, RunId parent, CancellationToken ct) => CallAsync(() => inner.ChildrenAsync(tenant, parent, ct));

    /// <summary>Looking for work is no place to die at: nothing is in hand.</summary>
    public Task<IReadOnlyList<RunRecord>> OpenAsync(DateTimeOffset now, int limit, CancellationToken ct) => inner.OpenAsync(now, limit, ct);

    public Task<int> AheadAsync(RunRecord run, CancellationToken ct) => CallAsync(() => inner.AheadAsync(run, ct));

    public Task<RunRecord?> AcquireAsync(RunRecord seen, string owner, bool crashed, CancellationToken ct) => CallAsync(() => inner.AcquireAsync(seen, owner, crashed, ct));

    public Task<RunRecord?> RenewAsync(TenantId tenant, RunId run, long epoch, CancellationToken ct) => CallAsync(() => inner.RenewAsync(tenant, run, epoch, ct));

    public Task<bool> AppendAsync(RunAppend append, CancellationToken ct)
    {
        world.Store.CheckLease(append);
        return CallAsync(() => inner.AppendAsync(append, ct));
    }

    public Task<IReadOnlyList<JournalEntry>> JournalAsync(TenantId tenant, RunId run, long from, int limit, CancellationToken ct) => CallAsync(() => inner.JournalAsync(tenant, run, from, limit, ct));

    public Task<Posted> PostAsync(TenantId tenant, RunId run, InboxItem item, CancellationToken ct) => CallAsync(() => inner.PostAsync(tenant, run, item, ct));

    public Task<IReadOnlyList<InboxItem>> InboxAsync(TenantId tenant, RunId run, CancellationToken ct) => CallAsync(() => inner.InboxAsync(tenant, run, ct));

    public Task<bool> AddChunksAsync(TenantId tenant, RunId run, long epoch, IReadOnlyList<RunChunk> chunks, CancellationToken ct) => CallAsync(() => inner.AddChunksAsync(tenant, run, epoch, chunks, ct));

    public Task<IReadOnlyList<RunChunk>> ChunksAsync(TenantId tenant, RunId run, long afterSeq, int afterSub, long toSeq, int limit, CancellationToken ct) =>
        CallAsync(() => inner.ChunksAsync(tenant, run, afterSeq, afterSub, toSeq, limit, ct));

    public Task<bool> RedriveAsync(TenantId tenant, RunId run, DateTimeOffset now, CancellationToken ct) => CallAsync(() => inner.RedriveAsync(tenant, run, now, ct));

    /// <summary>Other processes share the store.</summary>
    public Task<int> ReleaseAllAsync(CancellationToken ct) => Task.FromResult(0);

    public Task<int> SweepAsync(DateTimeOffset chunksBefore, DateTimeOffset endedBefore, RunRemoval? removing, CancellationToken ct) => inner.SweepAsync(chunksBefore, endedBefore, removing, ct);

    private async Task<T> CallAsync<T>(Func<Task<T>> inside)
    {
        world.Misfortune.Strike(place);
        await Task.Yield();
        var answer = await inside();
        world.Misfortune.Strike(place);
        await Task.Yield();
        return answer;
    }
}

/// <summary>What befalls simulated processes.</summary>
/// <param name="perMille">How many of a thousand chances are taken.</param>
/// <param name="most">How many in all; every one leaves another process, or the same one later.</param>
internal sealed class Misfortune(SeededSource chance, TimeProvider world, int perMille, int most)
{
    private int _struck;

    /// <summary>Deaths and sleeps so far.</summary>
    public int Struck => _struck;

    /// <summary>Only calls of models and tools are interrupted, and no call of the store.</summary>
    public bool InCallsOnly { get; init; }

    public void Strike(Place place, bool inCall = false)
    {
        if (_struck >= most || place.Dead || place.Asleep || (InCallsOnly && !inCall) || chance.Below(1_000) >= (inCall ? perMille * 4 : perMille)) return;
        _struck++;
        if (!InCallsOnly && chance.OneIn(2)) place.Die();
        else place.Sleep(world, TimeSpan.FromSeconds(chance.Pick(2, 15, 28, 45, 90)));
    }
}
