using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Aws.DynamoDb.Usage;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets.Leases;

/// <summary>
/// Writes the ends of many calls of a slice, and what goes back of it, in one transaction: entries, rows, and one update each of the hold, of every account
/// and of every rollup. A call's line ends when that is durable. What shows to be wrong for one line is taken out, and the rest is written again.
/// </summary>
internal sealed class SliceBooking(DynamoDatabase database, Balances balances, HoldItems holds, Openings openings, LedgerWriter ledger)
{
    /// <summary>Of an entry, a row and the conversation of each; the rest is the accounts', the rollups' and the alerts'.</summary>
    public const int MostLines = 36;

    /// <summary>Lines that do not fit stay in <paramref name="lines"/>.</summary>
    public async Task BookAsync(Slice slice, List<Line> lines, CancellationToken ct)
    {
        foreach (var day in lines.Where(line => line.Row is not null).Select(line => LedgerKeys.DayOf(line.Row!.At)).Distinct()) await ledger.Days.NoteAsync(slice.Tenant, day, ct);
        using var lanes = await ledger.Lanes.EnterAsync(LanesOf(slice, lines), ct);
        var backoff = new Backoff(database.Time);
        do
        {
            if (lines.Count == 0) return;
            if (slice.Hold is null) await LookAsync(slice, lines, ct);
            if (slice.Hold is null)
            {
                EndGone(slice, lines);
                return;
            }

            var attempt = await BuildAsync(slice, Fitting(slice, lines), ct);
            if (await WriteAsync(slice, attempt, ct) is not { } outcome)
            {
                lines.RemoveAll(attempt.Lines.Contains);
                return;
            }

            await LearnAsync(slice, attempt, lines, outcome, ct);
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException($"Calls of slice '{slice.Id}' could not be booked: too many others write to the same budgets. Settle them again.");
    }

    /// <summary>Reads what is left of the hold, and which lines were written by a try that had no answer: the hold is without them.</summary>
    private async Task LookAsync(Slice slice, List<Line> lines, CancellationToken ct)
    {
        slice.Hold = await holds.ReadAsync(slice.Tenant, slice.Id, ct);
        var keys = lines.Select(line => (Line: line, Key: KeyOf(slice, line))).Where(line => line.Key is not null).ToList();
        var found = (await database.GetAsync(database.Tables.Ledger, [.. keys.Select(line => line.Key!)], ct)).ToDictionary(entry => (entry.Text("pk"), entry.Text("sk")));
        foreach (var (line, key) in keys)
        {
            if (found.TryGetValue((key!.Text("pk"), key.Text("sk")), out var entry)) EndFound(slice, lines, line, entry);
        }
    }

    private static Item? KeyOf(Slice slice, Line line)
    {
        if (line.Lease is { } lease) return EntryItem.Key(slice.Tenant, lease.Unsettled.Attempt, LedgerKeys.Reserve);
        return line.Released == Money.Zero ? null : EntryItem.Key(slice.Tenant, slice.Id, line.Step!);
    }

    private static void EndFound(Slice slice, List<Line> lines, Line line, Item? entry)
    {
        lines.Remove(line);
        if (line.Lease is not { } lease || IsOwn(lease, entry))
        {
            line.Is(LineEnd.Booked);
            return;
        }

        // What was kept for the call is nobody's now.
        line.Is(LineEnd.Before);
        lines.Add(slice.Return(line.Released));
    }

    /// <summary>The hold ended, and not by these lines.</summary>
    private static void EndGone(Slice slice, List<Line> lines)
    {
        slice.IsOver = true;
        slice.Close();
        lines.ForEach(line => line.Is(LineEnd.Gone));
        lines.Clear();
    }

    /// <summary>Null where it was written.</summary>
    private async Task<Outcome?> WriteAsync(Slice slice, Attempt attempt, CancellationToken ct)
    {
        Outcome outcome;
        try
        {
            outcome = await database.WriteAsync(attempt.Transaction, database.NewToken(), ct);
        }
        catch
        {
            // Written or not: the hold says.
            slice.Hold = null;
            throw;
        }

        if (!outcome.Written) return outcome;
        slice.IsOver = attempt.After is null;
        slice.Hold = attempt.After;
        foreach (var move in attempt.Moves) ledger.Conversations.Written(move);
        foreach (var line in attempt.Lines) line.Is(LineEnd.Booked);
        return null;
    }

    private async Task LearnAsync(Slice slice, Attempt attempt, List<Line> lines, Outcome outcome, CancellationToken ct)
    {
        foreach (var (line, index) in attempt.Entries.Where(entry => outcome.RefusedAt(entry.Index))) EndFound(slice, lines, line, outcome.Refused[index]);
        foreach (var (line, _) in attempt.Rows.Where(row => outcome.RefusedAt(row.Index))) line.Collisions++;
        if (outcome.RefusedAt(attempt.Hold)) slice.Hold = null;
        foreach (var move in attempt.Moves)
        {
            if (outcome.Refused.TryGetValue(move.Index, out var conversation)) ledger.Conversations.Refused(move, conversation);
        }

        ledger.Thresholds.Learn(attempt.Posts.SelectMany(post => post.Guard.Raised), outcome);
        foreach (var item in attempt.Posts.Select(post => outcome.Refused.GetValueOrDefault(post.Index)).OfType<Item>())
        {
            ledger.Thresholds.Observe(item);
            ledger.Numbers.Observe(item.Long("number"));
            if (item.Has("gate")) await openings.HelpAsync(item, ct);
        }
    }

    private async Task<Attempt> BuildAsync(Slice slice, List<Line> lines, CancellationToken ct)
    {
        var (transaction, hold) = (new Transaction(), slice.Hold!);
        var rows = lines.Where(line => line.Row is not null).Select(line => (Kind: KindOf(line), Row: line.Row!)).ToList();
        var released = Sum(lines.Select(line => line.Released));
        var spent = Sum(rows.Select(row => row.Row.Cost));
        if (spent > Money.Zero) await ledger.Thresholds.SeeAsync(hold.Accounts, ct);

        var number = ledger.Numbers.Next(lines.Count);
        var at = rows.Select(row => row.Row.At.AddMilliseconds(row.Row.LatencyMs)).DefaultIfEmpty(hold.At).Max();
        IEnumerable<string> moved = released == Money.Zero && spent == Money.Zero ? [] : hold.Accounts;
        var posts = moved.Select(account => balances.Post(transaction, account, released, spent, number, at, number + lines.Count - 1)).ToList();
        var left = hold.Granted - released;
        if (left < Money.Zero) throw new InvalidOperationException($"Slice '{slice.Id}' holds {hold.Granted}, and {released} was given out of it.");
        var isLast = left == Money.Zero && slice.IsClosed;
        var attempt = new Attempt(transaction, lines, isLast ? null : hold with { Granted = left, Revision = hold.Revision + 1 })
        {
            Posts = posts,
            Hold = isLast ? holds.Delete(transaction, hold) : holds.Keep(transaction, hold, left),
            Moves = rows.Count == 0 ? [] : ledger.Conversations.Add(transaction, [.. rows.Select(row => row.Row)]),
        };
        foreach (var (line, i) in lines.Select((line, i) => (line, i))) Add(attempt, slice, line, number + i);
        RollupItem.Add(transaction, database.Tables.Ledger, rows, LedgerKeys.ShardOf(slice.Id));
        return attempt;
    }

    private void Add(Attempt attempt, Slice slice, Line line, long number)
    {
        var (transaction, kind) = (attempt.Transaction, KindOf(line));
        if (line.Lease is not { } lease)
        {
            if (line.Released == Money.Zero) return;
            // Once, however often it is tried: a part that went back twice would be money that a call still runs on.
            var back = new LedgerEntry(number, kind, slice.Row, Money.Zero - line.Released, Money.Zero);
            attempt.Entries.Add((line, transaction.Put(database.Tables.Ledger, EntryItem.Write(back, "", step: line.Step, slice: slice.Id), EntryItem.IsFirst)));
            return;
        }

        // In the place of a reservation, so that none can come after it, nor another settle.
        var entry = new LedgerEntry(number, kind, line.Row!, Money.Zero - line.Released, line.Row!.Cost);
        attempt.Entries.Add((line, transaction.Put(database.Tables.Ledger, EntryItem.Write(entry, lease.Token, step: LedgerKeys.Reserve, slice: slice.Id), EntryItem.IsFirst)));
        var row = AttemptRows.Write(kind, line.Row!, line.Collisions);
        while (!transaction.Once($"{row.Text("userId")}#{row.Long("timestamp")}")) row = AttemptRows.Write(kind, line.Row!, ++line.Collisions);
        attempt.Rows.Add((line, transaction.Put(database.Tables.Usage, row, AttemptRows.IsFree)));
    }

    private static LedgerEntryKind KindOf(Line line) => line.Row is { } row && row.Cost != Money.Zero ? LedgerEntryKind.Settle : LedgerEntryKind.Release;

    private static bool IsOwn(Lease lease, Item? entry) => entry?.TextOrNull("token") == lease.Token;

    /// <summary>As many as a transaction holds.</summary>
    private static List<Line> Fitting(Slice slice, List<Line> lines)
    {
        // Beside them the hold, and each account with its alerts.
        var most = Transaction.Most - 1 - ((slice.Hold!.Accounts.Count * (1 + Budget.Thresholds.Count)));
        var (fitting, items, conversations, providers) = (new List<Line>(), 0, new HashSet<string>(), new HashSet<string>());
        foreach (var line in lines)
        {
            items += line.Row is null ? 1 : 2;
            // Its conversation and two days' histograms.
            if (line.Row is { Conversation.Length: > 0 } row && conversations.Add(row.Conversation)) items += 3;
            if (line.Row is { } booked && providers.Add(booked.Provider)) items += 6;
            if (items > most && fitting.Count > 0) break;
            fitting.Add(line);
        }

        return fitting;
    }

    private static Money Sum(IEnumerable<Money> amounts) => amounts.Aggregate(Money.Zero, (sum, amount) => sum + amount);

    private static IEnumerable<string> LanesOf(Slice slice, List<Line> lines) =>
    [
        .. slice.Hold?.Accounts ?? slice.Names.Accounts,
        .. lines.Where(line => line.Row is not null).Select(line => Conversations.LaneOf(line.Row!)).OfType<string>(),
        RollupItem.Partition(slice.Tenant, Grain.Month, slice.Names.At, LedgerKeys.ShardOf(slice.Id)),
    ];

    /// <summary>A transaction, and the indices of what in it can be refused.</summary>
    /// <param name="After">The hold when it is written; null where it ends it.</param>
    private sealed record Attempt(Transaction Transaction, List<Line> Lines, Hold? After)
    {
        public List<(Line Line, int Index)> Entries { get; } = [];

        public List<(Line Line, int Index)> Rows { get; } = [];

        public required List<(int Index, Guard Guard)> Posts { get; init; }

        public required int Hold { get; init; }

        public required List<Conversations.Move> Moves { get; init; }
    }
}
