using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>
/// The store itself, and what it promised: each entry that was told to be written, who owns what, and every write that it should have refused. Only the runs of
/// one simulation are there.
/// </summary>
internal sealed class WatchedRunStore(IRunStore inner, SimulatedWorld world) : IRunStore
{
    /// <summary>The lease without what must be left of it.</summary>
    private static readonly TimeSpan MostSilence = TimeSpan.FromSeconds(30 - 6);

    private readonly Dictionary<RunId, List<JournalEntry>> _written = [];
    private readonly Dictionary<RunId, long> _epochs = [];
    private readonly Dictionary<RunId, DateTimeOffset> _alive = [];
    private readonly HashSet<RunId> _owned = [];
    private readonly HashSet<(RunId, long, long)> _asked = [];
    private IReadOnlyList<RunRecord>? _open;

    public IReadOnlyCollection<RunId> Runs => _written.Keys;

    public IReadOnlyList<JournalEntry> Written(RunId run) => _written[run];

    public long EpochOf(RunId run) => _epochs.GetValueOrDefault(run);

    public bool AnyOwned => _owned.Count > 0;

    /// <summary>Since its owner was heard of.</summary>
    public TimeSpan Silence(RunId run) => world.Time.GetUtcNow() - _alive[run];

    public async Task<bool> CreateAsync(RunRecord run, IReadOnlyList<JournalEntry> first, CancellationToken ct)
    {
        var created = await Written(inner).CreateAsync(run, first, ct);
        if (created) _written[run.Id] = [.. first];
        return created;
    }

    public Task<RunRecord?> GetAsync(TenantId of, RunId run, CancellationToken ct) => inner.GetAsync(of, run, ct);

    public Task<IReadOnlyList<RunRecord>> ListAsync(TenantId of, RunQuery query, CancellationToken ct) => inner.ListAsync(of, query, ct);

    public Task<IReadOnlyList<RunRecord>> ChildrenAsync(TenantId of, RunId parent, CancellationToken ct) => inner.ChildrenAsync(of, parent, ct);

    /// <summary>Asked anew once something was written; until then only the time tells who is due.</summary>
    public async Task<IReadOnlyList<RunRecord>> OpenAsync(DateTimeOffset now, int limit, CancellationToken ct)
    {
        _open ??= [.. (await inner.OpenAsync(now.AddYears(1), limit, ct)).Where(run => run.Tenant == world.Tenant)];
        return [.. _open.Where(run => run.WakeAt <= now)];
    }

    public Task<int> AheadAsync(RunRecord run, CancellationToken ct) => inner.AheadAsync(run, ct);

    public async Task<RunRecord?> AcquireAsync(RunRecord seen, string owner, bool crashed, CancellationToken ct)
    {
        var mine = await Written(inner).AcquireAsync(seen, owner, crashed, ct);
        if (mine is null) return null;
        if (mine.Epoch <= EpochOf(seen.Id)) world.Wrong($"Epoch {mine.Epoch} of {seen.Id} was given a second time.");
        (_epochs[seen.Id], _alive[seen.Id]) = (mine.Epoch, world.Time.GetUtcNow());
        _owned.Add(seen.Id);
        return mine;
    }

    public async Task<RunRecord?> RenewAsync(TenantId of, RunId run, long epoch, CancellationToken ct)
    {
        var renewed = await Written(inner).RenewAsync(of, run, epoch, ct);
        if (renewed is null) return null;
        if (epoch != EpochOf(run)) world.Wrong($"Epoch {epoch} of {run} was renewed, and {EpochOf(run)} has it.");
        _alive[run] = world.Time.GetUtcNow();
        return renewed;
    }

    public async Task<bool> AppendAsync(RunAppend append, CancellationToken ct)
    {
        var written = _written[append.Run];
        var known = append.Entries.Count > 0 && append.Seq < written.Count;
        if (!await Written(inner).AppendAsync(append, ct)) return false;
        if (append.Change is { Status: not RunStatus.Running }) _owned.Remove(append.Run);
        if (known)
        {
            if (!append.Entries.SequenceEqual(written.Skip((int)append.Seq).Take(append.Entries.Count))) world.Wrong($"Entry {append.Seq} of {append.Run} was said to be written, and another was there.");
            return true;
        }

        if (append.Epoch != EpochOf(append.Run)) world.Wrong($"Epoch {append.Epoch} wrote entry {append.Seq} of {append.Run}, which epoch {EpochOf(append.Run)} has.");
        if (append.Seq != written.Count) world.Wrong($"Entry {append.Seq} of {append.Run} was written in the place of {written.Count}.");
        written.AddRange(append.Entries);
        return true;
    }

    /// <summary>Nothing that costs is begun by an owner who may have lost the run.</summary>
    public void CheckLease(RunAppend append)
    {
        if (!_asked.Add((append.Run, append.Epoch, append.Seq))) return;
        if (world.Strict && append.Epoch == EpochOf(append.Run) && append.Entries.Any(entry => entry.Kind == JournalKinds.ModelIntent) && Silence(append.Run) > MostSilence)
            world.Wrong($"{append.Run} began a call when its owner had shown no life for {Silence(append.Run)}.");
    }

    public Task<IReadOnlyList<JournalEntry>> JournalAsync(TenantId of, RunId run, long from, int limit, CancellationToken ct) => inner.JournalAsync(of, run, from, limit, ct);

    public Task<Posted> PostAsync(TenantId of, RunId run, InboxItem item, CancellationToken ct) => Written(inner).PostAsync(of, run, item, ct);

    public Task<IReadOnlyList<InboxItem>> InboxAsync(TenantId of, RunId run, CancellationToken ct) => inner.InboxAsync(of, run, ct);

    public Task<bool> AddChunksAsync(TenantId of, RunId run, long epoch, IReadOnlyList<RunChunk> chunks, CancellationToken ct) => inner.AddChunksAsync(of, run, epoch, chunks, ct);

    public Task<IReadOnlyList<RunChunk>> ChunksAsync(TenantId of, RunId run, long afterSeq, int afterSub, long toSeq, int limit, CancellationToken ct) => inner.ChunksAsync(of, run, afterSeq, afterSub, toSeq, limit, ct);

    public Task<bool> RedriveAsync(TenantId of, RunId run, DateTimeOffset now, CancellationToken ct) => Written(inner).RedriveAsync(of, run, now, ct);

    public Task<int> ReleaseAllAsync(CancellationToken ct) => Task.FromResult(0);

    public Task<int> SweepAsync(DateTimeOffset chunksBefore, DateTimeOffset endedBefore, RunRemoval? removing, CancellationToken ct) => Task.FromResult(0);

    private IRunStore Written(IRunStore store)
    {
        _open = null;
        return store;
    }
}
