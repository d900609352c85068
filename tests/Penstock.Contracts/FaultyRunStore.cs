using System.Collections.Concurrent;
using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Contracts;

/// <summary>What goes wrong with a call of a store.</summary>
public enum StoreFault
{
    None,

    /// <summary>It throws and has done nothing.</summary>
    Throttled,

    /// <summary>It has done all of it, and throws.</summary>
    AppliedThenTimedOut,

    /// <summary>It answers late. Whoever's token ends meanwhile does not know whether it happened.</summary>
    Slow,
}

/// <summary>A fault of a <see cref="FaultyRunStore"/>. It is the same for every fault: a caller cannot tell them apart either.</summary>
public sealed class StoreFaultException(string call) : Exception($"The store did not answer {call}.");

/// <summary>How often of a hundred calls each fault comes.</summary>
/// <param name="Delay">The longest that a slow call takes.</param>
public sealed record StoreFaults(int Throttled = 10, int AppliedThenTimedOut = 5, int Slow = 0, TimeSpan Delay = default);

/// <summary>
/// A store with faults that follow from a seed: the same for the n-th call of a kind for a run, in whatever order the calls of other runs come.
/// <code>
/// What its caller must do where it throws, since it cannot know which fault it was:
/// Append     ask the very same again, byte for byte: true where it was there. A new write in its place may be a second of the same step. False is final:
///            the run is another's, or given back; stop, and start nothing. The lease goes on meanwhile: who cannot renew it in time stops as well.
/// Acquire    look: the run is yours where owner and epoch are what this call would have made (owner names are of one process). What is not looked at is
///            nobody's to work at until its lease ends, and counts a crash that was none.
/// Renew      ask again, and count the lease from before the call that was answered. A beat that grew twice does no harm.
/// Post       ask the same id again: Again is as good as Added.
/// AddChunks  ask the very same again, before the next append.
/// Create     look: false may be one's own run.
/// Redrive    look: false may be one's own.
/// Sweep, ReleaseAll and what only reads   ask again.
/// </code>
/// </summary>
/// <param name="time">Of slow calls.</param>
public sealed class FaultyRunStore(IRunStore inner, ulong seed, StoreFaults faults, TimeProvider time) : IRunStore
{
    private const ulong Prime = 0x100000001B3;

    private readonly ConcurrentDictionary<(string Call, TenantId Tenant, RunId Run), int> _calls = new();
    private readonly ConcurrentDictionary<(string Call, StoreFault Fault), int> _seen = new();

    /// <summary>No faults from now on, so that a test may look at what became of it all.</summary>
    public bool Calm { get; set; }

    /// <summary>How many calls of a kind had a fault: a test in which none had proves nothing.</summary>
    public int Seen(StoreFault fault, string? call = null) => _seen.Where(pair => pair.Key.Fault == fault && (call is null || pair.Key.Call == call)).Sum(pair => pair.Value);

    public Task<bool> CreateAsync(RunRecord run, IReadOnlyList<JournalEntry> first, CancellationToken ct) =>
        CallAsync("Create", run.Tenant, run.Id, () => inner.CreateAsync(run, first, ct), ct);

    public Task<RunRecord?> GetAsync(TenantId tenant, RunId run, CancellationToken ct) => CallAsync("Get", tenant, run, () => inner.GetAsync(tenant, run, ct), ct);

    public Task<IReadOnlyList<RunRecord>> ListAsync(TenantId tenant, RunQuery query, CancellationToken ct) =>
        CallAsync("List", tenant, default, () => inner.ListAsync(tenant, query, ct), ct);

    public Task<IReadOnlyList<RunRecord>> ChildrenAsync(TenantId tenant, RunId parent, CancellationToken ct) =>
        CallAsync("Children", tenant, parent, () => inner.ChildrenAsync(tenant, parent, ct), ct);

    public Task<IReadOnlyList<RunRecord>> OpenAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        CallAsync("Open", default, default, () => inner.OpenAsync(now, limit, ct), ct);

    public Task<int> AheadAsync(RunRecord run, CancellationToken ct) => CallAsync("Ahead", run.Tenant, run.Id, () => inner.AheadAsync(run, ct), ct);

    public Task<RunRecord?> AcquireAsync(RunRecord seen, string owner, bool crashed, CancellationToken ct) =>
        CallAsync("Acquire", seen.Tenant, seen.Id, () => inner.AcquireAsync(seen, owner, crashed, ct), ct);

    public Task<RunRecord?> RenewAsync(TenantId tenant, RunId run, long epoch, CancellationToken ct) =>
        CallAsync("Renew", tenant, run, () => inner.RenewAsync(tenant, run, epoch, ct), ct);

    public Task<bool> AppendAsync(RunAppend append, CancellationToken ct) => CallAsync("Append", append.Tenant, append.Run, () => inner.AppendAsync(append, ct), ct);

    public Task<IReadOnlyList<JournalEntry>> JournalAsync(TenantId tenant, RunId run, long from, int limit, CancellationToken ct) =>
        CallAsync("Journal", tenant, run, () => inner.JournalAsync(tenant, run, from, limit, ct), ct);

    public Task<Posted> PostAsync(TenantId tenant, RunId run, InboxItem item, CancellationToken ct) => CallAsync("Post", tenant, run, () => inner.PostAsync(tenant, run, item, ct), ct);

    public Task<IReadOnlyList<InboxItem>> InboxAsync(TenantId tenant, RunId run, CancellationToken ct) => CallAsync("Inbox", tenant, run, () => inner.InboxAsync(tenant, run, ct), ct);

    public Task<bool> AddChunksAsync(TenantId tenant, RunId run, long epoch, IReadOnlyList<RunChunk> chunks, CancellationToken ct) =>
        CallAsync("AddChunks", tenant, run, () => inner.AddChunksAsync(tenant, run, epoch, chunks, ct), ct);

    public Task<IReadOnlyList<RunChunk>> ChunksAsync(TenantId tenant, RunId run, long afterSeq, int afterSub, long toSeq, int limit, CancellationToken ct) =>
        CallAsync("Chunks", tenant, run, () => inner.ChunksAsync(tenant, run, afterSeq, afterSub, toSeq, limit, ct), ct);

    public Task<bool> RedriveAsync(TenantId tenant, RunId run, DateTimeOffset now, CancellationToken ct) =>
        CallAsync("Redrive", tenant, run, () => inner.RedriveAsync(tenant, run, now, ct), ct);

    public Task<int> ReleaseAllAsync(CancellationToken ct) => CallAsync("ReleaseAll", default, default, () => inner.ReleaseAllAsync(ct), ct);

    public Task<int> SweepAsync(DateTimeOffset chunksBefore, DateTimeOffset endedBefore, RunRemoval? removing, CancellationToken ct) =>
        CallAsync("Sweep", default, default, () => inner.SweepAsync(chunksBefore, endedBefore, removing, ct), ct);

    private async Task<T> CallAsync<T>(string call, TenantId tenant, RunId run, Func<Task<T>> inside, CancellationToken ct)
    {
        var chance = Chance(call, tenant, run);
        var fault = Calm ? StoreFault.None : Pick(chance);
        _seen.AddOrUpdate((call, fault), 1, static (_, count) => count + 1);
        switch (fault)
        {
            case StoreFault.Throttled:
                throw new StoreFaultException(call);
            case StoreFault.AppliedThenTimedOut:
                await inside();
                throw new StoreFaultException(call);
            case StoreFault.Slow:
                return await SlowlyAsync(inside, faults.Delay * (1 + chance.Below(100)) / 100, early: chance.OneIn(2), ct);
            default:
                return await inside();
        }
    }

    private StoreFault Pick(SeededSource chance) => chance.Below(100) switch
    {
        var n when n < faults.Throttled => StoreFault.Throttled,
        var n when n < faults.Throttled + faults.AppliedThenTimedOut => StoreFault.AppliedThenTimedOut,
        var n when n < faults.Throttled + faults.AppliedThenTimedOut + faults.Slow => StoreFault.Slow,
        _ => StoreFault.None,
    };

    private async Task<T> SlowlyAsync<T>(Func<Task<T>> inside, TimeSpan delay, bool early, CancellationToken ct)
    {
        if (!early) await Task.Delay(delay, time, ct);
        var answer = await inside();
        if (early) await Task.Delay(delay, time, ct);
        return answer;
    }

    private SeededSource Chance(string call, TenantId tenant, RunId run)
    {
        var count = _calls.AddOrUpdate((call, tenant, run), 1, static (_, calls) => calls + 1);
        var hash = seed;
        foreach (var c in $"{call} {tenant.Value} {run.Value} {count}") hash = (hash ^ c) * Prime;
        return new SeededSource(hash);
    }
}
