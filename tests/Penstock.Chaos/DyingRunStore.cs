using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Chaos;

/// <summary>
/// Ends the process by SIGKILL when every run has come to one and the same of its owner's writes: each waits there until the last has come, or has ended. An
/// even boundary is before the write, an odd one behind it. What was acknowledged is noted in a file, which outlives the process.
/// </summary>
internal sealed class DyingRunStore(IRunStore inner, int boundary, int runs, string notes) : IRunStore, IDisposable
{
    public const string BoundaryVariable = "CHAOS_BOUNDARY";
    public const string RunsVariable = "CHAOS_RUNS";
    public const string NotesVariable = "CHAOS_NOTES";

    private static readonly TimeSpan AnswerTime = TimeSpan.FromMilliseconds(150);

    private readonly ConcurrentDictionary<RunId, int> _writes = new();
    private readonly ConcurrentDictionary<RunId, string> _still = new();
    private readonly FileStream _notes = new(notes, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, 0);
    private readonly Lock _lock = new();

    /// <summary>Null where the environment does not tell this process to die.</summary>
    public static Func<IRunStore, DyingRunStore>? Told() => Environment.GetEnvironmentVariable(BoundaryVariable) is { } boundary
        ? inner => new DyingRunStore(
            inner,
            int.Parse(boundary, CultureInfo.InvariantCulture),
            int.Parse(Environment.GetEnvironmentVariable(RunsVariable)!, CultureInfo.InvariantCulture),
            Environment.GetEnvironmentVariable(NotesVariable)!)
        : null;

    public void Dispose() => _notes.Dispose();

    public Task<RunRecord?> AcquireAsync(RunRecord seen, string owner, bool crashed, CancellationToken ct)
    {
        _still.TryRemove(seen.Id, out _);
        return inner.AcquireAsync(seen, owner, crashed, ct);
    }

    public Task<bool> AppendAsync(RunAppend append, CancellationToken ct) => AtBoundaryAsync(append.Run, async () =>
    {
        var appended = await inner.AppendAsync(append, ct);
        if (!appended) return false;
        foreach (var entry in append.Entries) Note(append.Run, entry);
        if (append.Change is { Status: not RunStatus.Running } change) await StandAsync(append.Run, change.Status.ToString());
        return true;
    });

    public Task<bool> AddChunksAsync(TenantId tenant, RunId run, long epoch, IReadOnlyList<RunChunk> chunks, CancellationToken ct) =>
        AtBoundaryAsync(run, () => inner.AddChunksAsync(tenant, run, epoch, chunks, ct));

    public Task<bool> CreateAsync(RunRecord run, IReadOnlyList<JournalEntry> first, CancellationToken ct) => inner.CreateAsync(run, first, ct);

    public Task<RunRecord?> GetAsync(TenantId tenant, RunId run, CancellationToken ct) => inner.GetAsync(tenant, run, ct);

    public Task<IReadOnlyList<RunRecord>> ListAsync(TenantId tenant, RunQuery query, CancellationToken ct) => inner.ListAsync(tenant, query, ct);

    public Task<IReadOnlyList<RunRecord>> ChildrenAsync(TenantId tenant, RunId parent, CancellationToken ct) => inner.ChildrenAsync(tenant, parent, ct);

    public Task<IReadOnlyList<RunRecord>> OpenAsync(DateTimeOffset now, int limit, CancellationToken ct) => inner.OpenAsync(now, limit, ct);

    public Task<int> AheadAsync(RunRecord run, CancellationToken ct) => inner.AheadAsync(run, ct);

    public Task<RunRecord?> RenewAsync(TenantId tenant, RunId run, long epoch, CancellationToken ct) => inner.RenewAsync(tenant, run, epoch, ct);

    public Task<IReadOnlyList<JournalEntry>> JournalAsync(TenantId tenant, RunId run, long from, int limit, CancellationToken ct) => inner.JournalAsync(tenant, run, from, limit, ct);

    public Task<Posted> PostAsync(TenantId tenant, RunId run, InboxItem item, CancellationToken ct) => inner.PostAsync(tenant, run, item, ct);

    public Task<IReadOnlyList<InboxItem>> InboxAsync(TenantId tenant, RunId run, CancellationToken ct) => inner.InboxAsync(tenant, run, ct);

    public Task<IReadOnlyList<RunChunk>> ChunksAsync(TenantId tenant, RunId run, long afterSeq, int afterSub, long toSeq, int limit, CancellationToken ct) =>
        inner.ChunksAsync(tenant, run, afterSeq, afterSub, toSeq, limit, ct);

    public Task<bool> RedriveAsync(TenantId tenant, RunId run, DateTimeOffset now, CancellationToken ct) => inner.RedriveAsync(tenant, run, now, ct);

    public Task<int> ReleaseAllAsync(CancellationToken ct) => inner.ReleaseAllAsync(ct);

    public Task<int> SweepAsync(DateTimeOffset chunksBefore, DateTimeOffset endedBefore, RunRemoval? removing, CancellationToken ct) => inner.SweepAsync(chunksBefore, endedBefore, removing, ct);

    private async Task<T> AtBoundaryAsync<T>(RunId run, Func<Task<T>> write)
    {
        var number = _writes.AddOrUpdate(run, 0, static (_, before) => before + 1);
        if (number * 2 == boundary) await DieAsync(run);
        var written = await write();
        if ((number * 2) + 1 == boundary) await DieAsync(run);
        return written;
    }

    private async Task DieAsync(RunId run)
    {
        await StandAsync(run, "boundary");
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, CancellationToken.None);
    }

    /// <summary>The run does nothing more in this process.</summary>
    private async Task StandAsync(RunId run, string how)
    {
        _still[run] = how;
        if (_still.Count < runs) return;
        // Nobody has come to the boundary: it lies behind the end of all of them, and the process may live.
        if (!_still.Values.Contains("boundary")) return;
        // Whoever started the last run gets to hear of it; nothing of any run moves meanwhile.
        await Task.Delay(AnswerTime, TimeProvider.System, CancellationToken.None);
        Process.GetCurrentProcess().Kill();
    }

    /// <summary>One write of the system's, so that it is whole or not there.</summary>
    private void Note(RunId run, JournalEntry entry)
    {
        lock (_lock) _notes.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{run} {entry.Seq} {entry.Epoch} {entry.Kind} {Bodies.Hash(entry.Body)}\n")));
    }
}

internal static class Bodies
{
    public static string Hash(string body) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(body)).AsSpan(0, 8));
}
