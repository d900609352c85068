using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// Runs in DynamoDB, put together. The head's condition on epoch, owner and next number is in every write of an owner, so that the store decides who it is,
/// whatever anybody believes.
/// </summary>
internal sealed class DynamoRunStore : IRunStore
{
    private readonly RunHeads _heads;
    private readonly RunJournals _journals;
    private readonly RunAppends _appends;
    private readonly RunInboxes _inboxes;
    private readonly RunChunks _chunks;
    private readonly RunLists _lists;
    private readonly RunSweep _sweep;

    public DynamoRunStore(DynamoDatabase database)
    {
        (_heads, _journals, _chunks, _lists) = (new RunHeads(database), new RunJournals(database), new RunChunks(database), new RunLists(database));
        (_appends, _inboxes) = (new RunAppends(database, _heads, _journals), new RunInboxes(database, _heads));
        _sweep = new RunSweep(database, _lists, _journals);
    }

    public Task<bool> CreateAsync(RunRecord run, IReadOnlyList<JournalEntry> first, CancellationToken ct)
    {
        JournalEntry.Check(first, 0, epoch: null);
        return _journals.CreateAsync(run, first, ct);
    }

    public async Task<RunRecord?> GetAsync(TenantId tenant, RunId run, CancellationToken ct) => RunItem.ReadOrNull(await _heads.GetAsync(tenant, run, ct));

    public Task<IReadOnlyList<RunRecord>> ListAsync(TenantId tenant, RunQuery query, CancellationToken ct) => _lists.NewestAsync(tenant, query, ct);

    public Task<IReadOnlyList<RunRecord>> ChildrenAsync(TenantId tenant, RunId parent, CancellationToken ct) => _lists.ChildrenAsync(tenant, parent, ct);

    public Task<IReadOnlyList<RunRecord>> OpenAsync(DateTimeOffset now, int limit, CancellationToken ct) => _lists.OpenAsync(now, limit, ct);

    public Task<int> AheadAsync(RunRecord run, CancellationToken ct) => _lists.AheadAsync(run, ct);

    public Task<RunRecord?> AcquireAsync(RunRecord seen, string owner, bool crashed, CancellationToken ct) => _heads.AcquireAsync(seen, owner, crashed, ct);

    public Task<RunRecord?> RenewAsync(TenantId tenant, RunId run, long epoch, CancellationToken ct) => _heads.RenewAsync(tenant, run, epoch, ct);

    public Task<bool> AppendAsync(RunAppend append, CancellationToken ct) => _appends.AppendAsync(append, ct);

    public Task<IReadOnlyList<JournalEntry>> JournalAsync(TenantId tenant, RunId run, long from, int limit, CancellationToken ct) => _journals.ReadAsync(tenant, run, from, limit, ct);

    public Task<Posted> PostAsync(TenantId tenant, RunId run, InboxItem item, CancellationToken ct) => _inboxes.PostAsync(tenant, run, item, ct);

    public Task<IReadOnlyList<InboxItem>> InboxAsync(TenantId tenant, RunId run, CancellationToken ct) => _inboxes.ReadAsync(tenant, run, ct);

    public Task<bool> AddChunksAsync(TenantId tenant, RunId run, long epoch, IReadOnlyList<RunChunk> chunks, CancellationToken ct) => _chunks.AddAsync(tenant, run, epoch, chunks, ct);

    public Task<IReadOnlyList<RunChunk>> ChunksAsync(TenantId tenant, RunId run, long afterSeq, int afterSub, long toSeq, int limit, CancellationToken ct) =>
        _chunks.ReadAsync(tenant, run, (afterSeq, afterSub), toSeq, limit, ct);

    public Task<bool> RedriveAsync(TenantId tenant, RunId run, DateTimeOffset now, CancellationToken ct) => _heads.RedriveAsync(tenant, run, now, ct);

    /// <summary>Others share the store: whoever died is found by their beat.</summary>
    public Task<int> ReleaseAllAsync(CancellationToken ct) => Task.FromResult(0);

    public Task<int> SweepAsync(DateTimeOffset chunksBefore, DateTimeOffset endedBefore, RunRemoval? removing, CancellationToken ct) =>
        _sweep.SweepAsync(chunksBefore, endedBefore, removing, ct);
}
