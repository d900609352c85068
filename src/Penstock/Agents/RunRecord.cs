using System.Text;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>Where a run stands. The numbers are stored.</summary>
public enum RunStatus
{
    /// <summary>Accepted; no worker has it.</summary>
    Queued = 0,

    /// <summary>A worker has it, or had it when it died.</summary>
    Running = 1,

    /// <summary>Nothing to do before <see cref="RunRecord.WakeAt"/>, or before something comes to its inbox. No worker has it.</summary>
    Waiting = 2,

    Completed = 3,
    Failed = 4,
    Cancelled = 5,

    /// <summary>Workers died of it too often; it is left alone until somebody sends it on.</summary>
    Dead = 6,
}

/// <summary>The head of a run: small, and all that is known of it without its journal. Times are kept to the millisecond.</summary>
public sealed record RunRecord
{
    public required TenantId Tenant { get; init; }

    /// <summary>Unique in every tenant.</summary>
    public required RunId Id { get; init; }

    public required ProjectId Project { get; init; }

    /// <summary>Whose it is, and on whose account it works.</summary>
    public required KeyId Key { get; init; }

    /// <summary>Name of the definition, such as <c>research</c>.</summary>
    public required string Agent { get; init; }

    /// <summary>The definition's own version, such as <c>1.4.0</c>.</summary>
    public required string Version { get; init; }

    /// <summary>SHA-256 of the definition as it was when the run began, in hexadecimal; its text is the journal's first entry.</summary>
    public required string Hash { get; init; }

    /// <summary>What its thread and its usage are grouped by, as the client names it.</summary>
    public string? Conversation { get; init; }

    /// <summary>The end user as the client names them.</summary>
    public string? EndUser { get; init; }

    /// <summary>The run that asked for this one; null where a client did.</summary>
    public RunId? Parent { get; init; }

    /// <summary>Ids from the outermost run to this one, <c>/</c> between them.</summary>
    public required string Path { get; init; }

    /// <summary>The most it and its children may spend.</summary>
    public required Money Limit { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public RunStatus Status { get; init; }

    /// <summary>Null until it has ended. A run that is <see cref="RunStatus.Dead"/> has ended, until it is sent on.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Code of the refusal it ended with; null otherwise.</summary>
    public string? Error { get; init; }

    /// <summary>What it waits for, such as <c>approval</c>; null where it does not wait.</summary>
    public string? WaitsFor { get; init; }

    /// <summary>When a worker should look at it next; null once it has ended.</summary>
    public DateTimeOffset? WakeAt { get; init; }

    /// <summary>Grows with every owner; 0 before the first. What is written for the run names the epoch of its writer, and is refused where it is not this one.</summary>
    public long Epoch { get; init; }

    /// <summary>The worker that has it; null where none does.</summary>
    public string? Owner { get; init; }

    /// <summary>Grows while the owner lives; 0 again with each owner.</summary>
    public long Beat { get; init; }

    /// <summary>Of the journal's next entry: there are as many.</summary>
    public long NextSeq { get; init; }

    /// <summary>Model calls that were answered.</summary>
    public int Steps { get; init; }

    /// <summary>Owners in a row that died with it.</summary>
    public int Crashes { get; init; }

    /// <summary>Somebody asked for its end.</summary>
    public bool CancelRequested { get; init; }

    public bool Ended => Status >= RunStatus.Completed;
}

/// <summary>One entry of a run's journal: what happened, and never changes again.</summary>
/// <param name="Seq">From 0, without gaps.</param>
/// <param name="Kind">A name of <see cref="JournalKinds"/>.</param>
/// <param name="Epoch">Of the owner that wrote it; 0 for what was there when the run was made.</param>
/// <param name="Body">One JSON object as text; at most <see cref="LargestBody"/> UTF-8 bytes.</param>
public sealed record JournalEntry(long Seq, string Kind, DateTimeOffset At, long Epoch, string Body)
{
    public const int LargestBody = 300_000;

    /// <summary>That they are numbered without gaps, are of the epoch where one is given, and fit.</summary>
    /// <exception cref="ArgumentException">They are not.</exception>
    public static void Check(IReadOnlyList<JournalEntry> entries, long from, long? epoch)
    {
        for (var i = 0; i < entries.Count; i++)
        {
            var entry = entries[i];
            if (entry.Seq != from + i) throw new ArgumentException($"Entry {i} has number {entry.Seq} in the place of {from + i}.");
            if (epoch is not null && entry.Epoch != epoch) throw new ArgumentException($"Entry {entry.Seq} is of epoch {entry.Epoch} in a write of epoch {epoch}.");
            // Three bytes are the most that a letter takes; few entries come near the bound.
            if (entry.Body.Length * 3 > LargestBody && Encoding.UTF8.GetByteCount(entry.Body) > LargestBody) throw new ArgumentException($"Entry {entry.Seq} is larger than {LargestBody} bytes.");
        }
    }
}

/// <summary>Something from outside that the run should know; it is journaled when the owner folds it.</summary>
/// <param name="Id">At most once in a run, whatever becomes of it: a second item of the same id is refused, so that no approval counts twice.</param>
/// <param name="Kind"><c>cancel</c>, <c>approval</c>, <c>outcome</c>, <c>signal</c> or <c>child</c>.</param>
/// <param name="Body">One JSON object as text.</param>
public sealed record InboxItem(string Id, string Kind, DateTimeOffset At, string Body)
{
    /// <summary>It asks for the end of the run.</summary>
    public bool Cancels => Kind == InboxKinds.Cancel;
}

/// <summary>A piece of an answer that was still growing: <paramref name="Seq"/> is that of the intent it answers, <paramref name="Sub"/> counts from 1.</summary>
/// <param name="Body">One JSON object as text.</param>
public sealed record RunChunk(long Seq, int Sub, DateTimeOffset At, string Body)
{
    /// <summary>In one write.</summary>
    public const int MostAtOnce = 80;

    /// <summary>UTF-8 bytes of the bodies of one write.</summary>
    public const int LargestBodies = 3_000_000;

    /// <summary>What every adapter asks first: no more than it can write wholly or not at all.</summary>
    /// <exception cref="ArgumentException">They are too many, or too large.</exception>
    public static void Check(IReadOnlyList<RunChunk> chunks)
    {
        if (chunks.Count > MostAtOnce) throw new ArgumentException($"{chunks.Count} chunks were given, and {MostAtOnce} are the most.");
        var bytes = chunks.Sum(chunk => (long)Encoding.UTF8.GetByteCount(chunk.Body));
        if (bytes > LargestBodies) throw new ArgumentException($"The chunks are {bytes} bytes, and {LargestBodies} are the most.");
    }
}
