using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Agents;

/// <summary>Runs in SQLite. Each write is one operation of the one writer, so that what it reads cannot change before it writes.</summary>
internal sealed class SqliteRunStore(SqliteDatabase database) : IRunStore
{
    private const int SweptAtOnce = 1_000;

    public Task<bool> CreateAsync(RunRecord run, IReadOnlyList<JournalEntry> first, CancellationToken ct)
    {
        JournalEntry.Check(first, 0, epoch: null);
        return database.WriteAsync(
            session =>
            {
                if (!RunRows.Insert(session, run, first.Count)) return false;
                JournalRows.Insert(session, run.Tenant, run.Id, first);
                return true;
            },
            ct);
    }

    public Task<RunRecord?> GetAsync(TenantId tenant, RunId run, CancellationToken ct) => database.ReadAsync(session => RunRows.Find(session, tenant, run), ct);

    public Task<IReadOnlyList<RunRecord>> ListAsync(TenantId tenant, RunQuery query, CancellationToken ct) =>
        database.ReadAsync<IReadOnlyList<RunRecord>>(session => RunRows.List(session, tenant, query), ct);

    public Task<IReadOnlyList<RunRecord>> ChildrenAsync(TenantId tenant, RunId parent, CancellationToken ct) =>
        database.ReadAsync<IReadOnlyList<RunRecord>>(session => RunRows.Children(session, tenant, parent), ct);

    public Task<IReadOnlyList<RunRecord>> OpenAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        database.ReadAsync<IReadOnlyList<RunRecord>>(session => RunRows.Open(session, now, limit), ct);

    public Task<int> AheadAsync(RunRecord run, CancellationToken ct) => database.ReadAsync(session => RunRows.Ahead(session, run), ct);

    public Task<RunRecord?> AcquireAsync(RunRecord seen, string owner, bool crashed, CancellationToken ct) => database.WriteAsync(
        session => RunHeads.Acquire(session, seen, owner, crashed) ? RunRows.Find(session, seen.Tenant, seen.Id) : null,
        ct);

    public Task<RunRecord?> RenewAsync(TenantId tenant, RunId run, long epoch, CancellationToken ct) => database.WriteAsync(
        session => RunHeads.Renew(session, tenant, run, epoch) ? RunRows.Find(session, tenant, run) : null,
        ct);

    public Task<bool> AppendAsync(RunAppend append, CancellationToken ct)
    {
        append.Check();
        return database.WriteAsync(session => IsNext(session, append) ? Append(session, append) : IsThere(session, append), ct);
    }

    public Task<IReadOnlyList<JournalEntry>> JournalAsync(TenantId tenant, RunId run, long from, int limit, CancellationToken ct) =>
        database.ReadAsync<IReadOnlyList<JournalEntry>>(session => JournalRows.Read(session, tenant, run, from, limit), ct);

    public Task<Posted> PostAsync(TenantId tenant, RunId run, InboxItem item, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            if (RunRows.Find(session, tenant, run) is not { } head) return Posted.NotFound;
            if (InboxRows.IsFolded(session, tenant, run, item.Id) is not null) return Posted.Again;
            if (head.Ended) return Posted.Ended;
            InboxRows.Insert(session, tenant, run, item);
            if (item.Cancels || head.Status == RunStatus.Waiting) RunHeads.Wake(session, tenant, run, item);
            return Posted.Added;
        },
        ct);

    public Task<IReadOnlyList<InboxItem>> InboxAsync(TenantId tenant, RunId run, CancellationToken ct) =>
        database.ReadAsync<IReadOnlyList<InboxItem>>(session => InboxRows.Read(session, tenant, run), ct);

    public Task<bool> AddChunksAsync(TenantId tenant, RunId run, long epoch, IReadOnlyList<RunChunk> chunks, CancellationToken ct)
    {
        RunChunk.Check(chunks);
        return database.WriteAsync(
            session =>
            {
                if (RunHeads.NextOfOwner(session, tenant, run, epoch) is null) return false;
                ChunkRows.Insert(session, tenant, run, chunks);
                return true;
            },
            ct);
    }

    public Task<IReadOnlyList<RunChunk>> ChunksAsync(TenantId tenant, RunId run, long afterSeq, int afterSub, long toSeq, int limit, CancellationToken ct) =>
        database.ReadAsync<IReadOnlyList<RunChunk>>(session => ChunkRows.Read(session, tenant, run, (afterSeq, afterSub), toSeq, limit), ct);

    public Task<bool> RedriveAsync(TenantId tenant, RunId run, DateTimeOffset now, CancellationToken ct) =>
        database.WriteAsync(session => RunHeads.Redrive(session, tenant, run, now), ct);

    public Task<int> ReleaseAllAsync(CancellationToken ct) => database.WriteAsync(RunHeads.ReleaseAll, ct);

    /// <summary>A bounded piece at a time, so that other writes are not kept waiting.</summary>
    public async Task<int> SweepAsync(DateTimeOffset chunksBefore, DateTimeOffset endedBefore, RunRemoval? removing, CancellationToken ct)
    {
        while (await database.WriteAsync(session => ChunkRows.DeleteBefore(session, chunksBefore, SweptAtOnce), ct) == SweptAtOnce)
        {
        }

        var swept = 0;
        while (await database.ReadAsync(session => RunRows.FirstEnded(session, endedBefore), ct) is var (tenant, run))
        {
            if (removing is not null) await removing(tenant, run, ct);
            if (await database.WriteAsync(session => Sweep(session, tenant, run, endedBefore), ct)) swept++;
        }

        return swept;
    }

    private static bool IsNext(Session session, RunAppend append) =>
        RunHeads.NextOfOwner(session, append.Tenant, append.Run, append.Epoch) == append.Seq
        && append.Folded.All(id => InboxRows.IsFolded(session, append.Tenant, append.Run, id) is false);

    private static bool Append(Session session, RunAppend append)
    {
        JournalRows.Insert(session, append.Tenant, append.Run, append.Entries);
        InboxRows.Fold(session, append.Tenant, append.Run, append.Folded);
        RunHeads.Change(session, append);
        return true;
    }

    /// <summary>The owner that did not hear of its write asks again.</summary>
    private static bool IsThere(Session session, RunAppend append)
    {
        if (append.Entries.Count > 0) return JournalRows.Holds(session, append.Tenant, append.Run, append.Entries);
        return RunRows.Find(session, append.Tenant, append.Run) is { } run && RunHeads.Holds(run, append)
            && append.Folded.All(id => InboxRows.IsFolded(session, append.Tenant, append.Run, id) is true);
    }

    /// <summary>False where somebody sent it on meanwhile.</summary>
    private static bool Sweep(Session session, TenantId tenant, RunId run, DateTimeOffset before)
    {
        if (RunRows.Find(session, tenant, run) is not { EndedAt: { } ended } || ended >= before) return false;
        RunHeads.Delete(session, tenant, run);
        JournalRows.Delete(session, tenant, run);
        InboxRows.Delete(session, tenant, run);
        ChunkRows.Delete(session, tenant, run);
        return true;
    }
}
