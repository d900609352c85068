namespace Penstock.Agents;

/// <summary>Reads runs as events, from the store: any process can, whoever owns the run.</summary>
internal sealed class RunEvents(IRunStore store, RunBodies bodies, RunSignals signals, TimeProvider time)
{
    /// <summary>How often one looks for what other processes wrote.</summary>
    public static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    /// <summary>What comes after <paramref name="after"/>.</summary>
    public RunReader Open(RunRecord run, RunCursor after) => new(run, after, store, bodies, signals, time);

    /// <summary>The run once it has ended; as it stands where that takes longer than <paramref name="atMost"/>, or <paramref name="ct"/> is cancelled.</summary>
    public async Task<RunRecord> AwaitEndAsync(RunRecord run, TimeSpan atMost, CancellationToken ct)
    {
        var since = time.GetTimestamp();
        var latest = run;
        while (!latest.Ended)
        {
            var next = signals.Next(run.Id);
            latest = await store.GetAsync(run.Tenant, run.Id, CancellationToken.None) ?? latest;
            var left = atMost - time.GetElapsedTime(since);
            if (latest.Ended || left <= TimeSpan.Zero || ct.IsCancellationRequested) break;
            await next.WaitAsync(left < Poll ? left : Poll, time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        // Nobody changes it any more, and nobody else need wait for that.
        if (latest.Ended) signals.Changed(run.Id);
        return latest;
    }
}

/// <summary>
/// One watcher's place in a run's events. It holds no more than a page, and reads the next when it is asked for it: a watcher that is slow costs nothing but time.
/// </summary>
internal sealed class RunReader(RunRecord run, RunCursor after, IRunStore store, RunBodies bodies, RunSignals signals, TimeProvider time)
{
    private const int MostEntries = 64;
    private const int MostChunks = 256;

    /// <summary>Characters of a page beyond which the next is smaller.</summary>
    private const int LargePage = 256 * 1024;

    private RunCursor _at = after;
    private Task _changed = Task.CompletedTask;
    private int _entries = 8;

    // Whether the entry at our place is one whose answer grows is not known before it is read.
    private bool _growing = true;

    /// <summary>All was read, and no more will come.</summary>
    public bool Ended { get; private set; }

    /// <summary>What comes next, in order; empty where there is nothing yet.</summary>
    public async Task<IReadOnlyList<RunEvent>> ReadAsync(CancellationToken ct)
    {
        _changed = signals.Next(run.Id);
        if (await store.GetAsync(run.Tenant, run.Id, ct) is not { } head)
        {
            // It was removed, with all that was its.
            Ended = true;
            return [];
        }

        var entries = head.NextSeq - 1 > _at.Seq ? await store.JournalAsync(run.Tenant, run.Id, _at.Seq + 1, _entries, ct) : [];
        // What the run came to is told whole; of other entries the beginning is.
        if (entries is [.., { Kind: JournalKinds.Ended } ended]) entries = [.. entries.SkipLast(1), await bodies.WholeAsync(run, ended, ct)];
        var page = Merge(entries, await ChunksAsync(entries, ct));
        if (page.Count > 0)
        {
            _at = page[^1].Id;
            var size = page.Sum(one => (long)one.Data.Length);
            _entries = size > LargePage ? Math.Max(1, _entries / 2) : Math.Min(MostEntries, _entries * 2);
        }

        Ended = page.Count == 0 && head.Ended && _at.Seq >= head.NextSeq - 1;
        // Nobody changes it any more, and nobody else need wait for that.
        if (Ended) signals.Changed(run.Id);
        return page;
    }

    /// <summary>Waits until there may be more.</summary>
    public async Task WaitAsync(CancellationToken ct)
    {
        await _changed.WaitAsync(RunEvents.Poll, time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ct.ThrowIfCancellationRequested();
    }

    /// <summary>
    /// Pieces of answers to the entries that were read, which are read after them: an entry is written when all pieces of those before it are, so that none is
    /// missed between two entries.
    /// </summary>
    private async Task<IReadOnlyList<RunChunk>> ChunksAsync(IReadOnlyList<JournalEntry> entries, CancellationToken ct)
    {
        if (!_growing && !entries.Any(entry => entry.Kind == JournalKinds.ModelIntent)) return [];
        return await store.ChunksAsync(run.Tenant, run.Id, _at.Seq, _at.Sub, entries.Count > 0 ? entries[^1].Seq : _at.Seq, MostChunks, ct);
    }

    private List<RunEvent> Merge(IReadOnlyList<JournalEntry> entries, IReadOnlyList<RunChunk> chunks)
    {
        // Where there are more pieces than were read, entries behind the last of them wait for the rest.
        var horizon = chunks.Count == MostChunks ? new RunCursor(chunks[^1].Seq, chunks[^1].Sub) : new RunCursor(long.MaxValue, 0);
        var taken = entries.TakeWhile(entry => new RunCursor(entry.Seq, 0) <= horizon).ToList();
        if (taken.Count > 0) _growing = taken[^1].Kind == JournalKinds.ModelIntent;
        var page = new List<RunEvent>(taken.Count + chunks.Count);
        var next = 0;
        foreach (var entry in taken)
        {
            for (; next < chunks.Count && chunks[next].Seq < entry.Seq; next++) page.Add(RunEvent.Of(chunks[next]));
            page.Add(RunEvent.Of(run, entry));
        }

        for (; next < chunks.Count; next++) page.Add(RunEvent.Of(chunks[next]));
        return page;
    }
}
