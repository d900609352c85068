using System.Text;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>
/// Runs, their journals, inboxes and growing answers. A write is durable when its task completes, and happens wholly or not at all. A run has one owner at a
/// time: whatever the owner writes names its epoch, and a write of any other epoch changes nothing. An adapter that does not know whether a write happened
/// looks before it answers. Reads and writes never cross a tenant, but for <see cref="OpenAsync"/>, <see cref="AheadAsync"/> and <see cref="SweepAsync"/>.
/// </summary>
public interface IRunStore
{
    /// <summary>
    /// Adds the run with its first entries, however many; nobody sees it before all are there. Its <see cref="RunRecord.NextSeq"/> is their number.
    /// False where the id is taken, and nothing is changed then.
    /// </summary>
    /// <exception cref="ArgumentException">The entries are not one after the other from 0, or one is too large.</exception>
    Task<bool> CreateAsync(RunRecord run, IReadOnlyList<JournalEntry> first, CancellationToken ct);

    /// <summary>Null where the tenant has no such run.</summary>
    Task<RunRecord?> GetAsync(TenantId tenant, RunId run, CancellationToken ct);

    /// <summary>Newest first, by <see cref="RunRecord.CreatedAt"/>; those of one moment the last id first.</summary>
    Task<IReadOnlyList<RunRecord>> ListAsync(TenantId tenant, RunQuery query, CancellationToken ct);

    /// <summary>Oldest first; those of one moment by id.</summary>
    Task<IReadOnlyList<RunRecord>> ChildrenAsync(TenantId tenant, RunId parent, CancellationToken ct);

    /// <summary>
    /// Every tenant's runs that have not ended and whose <see cref="RunRecord.WakeAt"/> is not after <paramref name="now"/>, longest due first; those due at the
    /// same moment by id. Runs that somebody has are among them, so that their watchers see whether the owner lives.
    /// </summary>
    Task<IReadOnlyList<RunRecord>> OpenAsync(DateTimeOffset now, int limit, CancellationToken ct);

    /// <summary>How many queued runs, of every tenant, come before this one in the order of <see cref="OpenAsync"/>; 0 where it is due at no time.</summary>
    Task<int> AheadAsync(RunRecord run, CancellationToken ct);

    /// <summary>
    /// Makes <paramref name="owner"/> the owner: the epoch grows by one, the beat is 0, the status <see cref="RunStatus.Running"/>, it waits for nothing, and it is
    /// due since <see cref="RunRecord.CreatedAt"/>, which it stays until it is given back: a run whose owner dies is seen by all. Null, and nothing changed, where
    /// <paramref name="seen"/> is no longer how epoch, owner and beat stand, or the run has ended.
    /// </summary>
    /// <param name="crashed">Its last owner died with it: <see cref="RunRecord.Crashes"/> grows by one.</param>
    Task<RunRecord?> AcquireAsync(RunRecord seen, string owner, bool crashed, CancellationToken ct);

    /// <summary>The owner lives: the beat grows by one. The run as it is then; null where the epoch is another, or the run has no owner.</summary>
    Task<RunRecord?> RenewAsync(TenantId tenant, RunId run, long epoch, CancellationToken ct);

    /// <summary>
    /// Appends what the owner did, takes <see cref="RunAppend.Folded"/> out of the inbox and changes the head, in one write. False, and nothing changed, where
    /// the epoch or the next sequence number is another, nobody has the run (it has ended, or was given back), or an item of <see cref="RunAppend.Folded"/> is not in
    /// the inbox; true where this very write was there already, and nothing changed either.
    /// </summary>
    /// <exception cref="ArgumentException">It fails <see cref="RunAppend.Check"/>.</exception>
    Task<bool> AppendAsync(RunAppend append, CancellationToken ct);

    /// <summary>In their order, at most <paramref name="limit"/> from <paramref name="from"/> on.</summary>
    Task<IReadOnlyList<JournalEntry>> JournalAsync(TenantId tenant, RunId run, long from, int limit, CancellationToken ct);

    /// <summary>
    /// Adds to the inbox; a run that waits is due at <see cref="InboxItem.At"/> then, or before where it was. An item of kind <c>cancel</c> sets
    /// <see cref="RunRecord.CancelRequested"/>.
    /// </summary>
    Task<Posted> PostAsync(TenantId tenant, RunId run, InboxItem item, CancellationToken ct);

    /// <summary>What nobody has folded yet, in the order in which it came.</summary>
    Task<IReadOnlyList<InboxItem>> InboxAsync(TenantId tenant, RunId run, CancellationToken ct);

    /// <summary>False, and nothing written, where the epoch is another or nobody has the run. A chunk that is there stays as it is. Written before the next entry of the journal is.</summary>
    /// <exception cref="ArgumentException">They fail <see cref="RunChunk.Check"/>: more could not be written at once, and who reads would pass what is missing.</exception>
    Task<bool> AddChunksAsync(TenantId tenant, RunId run, long epoch, IReadOnlyList<RunChunk> chunks, CancellationToken ct);

    /// <summary>In their order, at most <paramref name="limit"/> after the given one, of the entries up to <paramref name="toSeq"/>.</summary>
    Task<IReadOnlyList<RunChunk>> ChunksAsync(TenantId tenant, RunId run, long afterSeq, int afterSub, long toSeq, int limit, CancellationToken ct);

    /// <summary>A dead run is queued again, due at <paramref name="now"/>, with no crashes counted and no error. False where it is not <see cref="RunStatus.Dead"/>.</summary>
    Task<bool> RedriveAsync(TenantId tenant, RunId run, DateTimeOffset now, CancellationToken ct);

    /// <summary>
    /// Nobody has a run that this worker cannot have: called when the process that owns the whole store begins. Their runs stay <see cref="RunStatus.Running"/>
    /// without an owner and are due at once; whoever acquires one does so as crashed.
    /// </summary>
    /// <returns>How many; always 0 where several processes share the store.</returns>
    Task<int> ReleaseAllAsync(CancellationToken ct);

    /// <summary>Removes chunks older than <paramref name="chunksBefore"/>, and runs that ended before <paramref name="endedBefore"/> with all that is theirs; every tenant's. Returns how many runs.</summary>
    /// <param name="removing">Called for each run before it goes: what throws keeps that run, and ends the sweep. A run may be given again.</param>
    Task<int> SweepAsync(DateTimeOffset chunksBefore, DateTimeOffset endedBefore, RunRemoval? removing, CancellationToken ct);
}

/// <summary>Removes what is a run's and stands elsewhere.</summary>
public delegate Task RunRemoval(TenantId tenant, RunId run, CancellationToken ct);

/// <summary>Which runs to list.</summary>
public sealed record RunQuery
{
    public RunStatus? Status { get; init; }

    public string? Agent { get; init; }

    public ProjectId? Project { get; init; }

    public KeyId? Key { get; init; }

    /// <summary>Only those after this one in the list's order; null from the newest.</summary>
    public (DateTimeOffset CreatedAt, RunId Run)? After { get; init; }

    /// <summary>1 to 1,000.</summary>
    public required int Limit { get; init; }
}

/// <summary>What an owner did, in one write.</summary>
public sealed record RunAppend
{
    public required TenantId Tenant { get; init; }

    public required RunId Run { get; init; }

    public required long Epoch { get; init; }

    /// <summary>One after the other from the run's next sequence number; none where only the head changes. At most <see cref="MostEntries"/>, and <see cref="LargestBodies"/> in all.</summary>
    public required IReadOnlyList<JournalEntry> Entries { get; init; }

    /// <summary>Sequence number the first entry has, or would have.</summary>
    public required long Seq { get; init; }

    /// <summary>Ids of inbox items that the entries tell of. They stay known, so that none comes twice. At most <see cref="MostFolded"/>.</summary>
    public IReadOnlyList<string> Folded { get; init; } = [];

    /// <summary>Null where the head stays but for its next sequence number.</summary>
    public RunChange? Change { get; init; }

    public const int MostEntries = 25;
    public const int MostFolded = 20;

    /// <summary>UTF-8 bytes of all bodies together: what one write of every store holds. An owner with more appends twice.</summary>
    public const int LargestBodies = 3_000_000;

    /// <summary>What every adapter asks first.</summary>
    /// <exception cref="ArgumentException">No owner may write this, whatever the store holds.</exception>
    public void Check()
    {
        if (Entries.Count > MostEntries) throw new ArgumentException($"{Entries.Count} entries were given, and {MostEntries} are the most.");
        if (Folded.Count > MostFolded) throw new ArgumentException($"{Folded.Count} items of the inbox were given, and {MostFolded} are the most.");
        if (Folded.Distinct(StringComparer.Ordinal).Count() < Folded.Count) throw new ArgumentException("An item of the inbox was given twice.");
        if (Change is { Status: >= RunStatus.Completed, EndedAt: null }) throw new ArgumentException("A run that ends has a time at which it ended.");
        JournalEntry.Check(Entries, Seq, Epoch);
        var bytes = Entries.Sum(entry => (long)Encoding.UTF8.GetByteCount(entry.Body));
        if (bytes > LargestBodies) throw new ArgumentException($"The entries are {bytes} bytes, and {LargestBodies} are the most.");
    }
}

/// <summary>How the head changes with an append.</summary>
public sealed record RunChange
{
    /// <summary>Any but <see cref="RunStatus.Running"/> gives the run back: it has no owner then.</summary>
    public required RunStatus Status { get; init; }

    /// <summary>
    /// For <see cref="RunStatus.Waiting"/> (null: when something comes to its inbox) and <see cref="RunStatus.Queued"/> (null: <see cref="Now"/>). One that runs stays due as it is, and one
    /// that has ended never is.
    /// </summary>
    public DateTimeOffset? WakeAt { get; init; }

    /// <summary>Set where the run ends, and not heeded where it does not.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Heeded where the run ends.</summary>
    public string? Error { get; init; }

    /// <summary>Heeded where the run waits.</summary>
    public string? WaitsFor { get; init; }

    public required int Steps { get; init; }

    /// <summary>
    /// For <see cref="RunStatus.Waiting"/>: where the inbox has items beside those folded, the run is due at once.
    /// </summary>
    public DateTimeOffset Now { get; init; }

    /// <summary>Progress was made: no crash counts any more.</summary>
    public bool ClearCrashes { get; init; }
}

/// <summary>What became of an item for an inbox.</summary>
public enum Posted
{
    Added,

    /// <summary>One of this id came before.</summary>
    Again,

    /// <summary>The run has ended and heeds nothing more.</summary>
    Ended,

    NotFound,
}
