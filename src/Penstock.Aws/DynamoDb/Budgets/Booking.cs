using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Aws.DynamoDb.Usage;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>What is to be booked.</summary>
/// <param name="Hold">Which it ends; null where there is none.</param>
/// <param name="Accounts">On which it lies beside the hold's.</param>
internal sealed record Posting(LedgerEntryKind Kind, LedgerRow Row, Hold? Hold, IReadOnlyList<string> Accounts)
{
    /// <summary>Where its entry stands, where that is not its kind's place.</summary>
    public string? Step { get; init; }

    public Money Released => Hold?.Granted ?? Money.Zero;

    /// <summary>An attempt without a hold that costs something must find every budget over it, which only this says.</summary>
    public bool SearchesAccounts => Hold is null && Row.Cost != Money.Zero;
}

internal enum Booked
{
    Yes,

    /// <summary>The step was taken before; here is the entry that was there.</summary>
    Before,

    /// <summary>The hold is gone, or is another than assumed; or there is one where none was assumed.</summary>
    OtherHold,
}

/// <summary>Writes the end of an attempt: entry, row, balances, rollups and conversation, in one transaction.</summary>
internal sealed class Booking(DynamoDatabase database, Definitions definitions, Balances balances, HoldItems holds, Openings openings, LedgerWriter ledger)
{
    /// <summary>Tries until it is decided. A conflict with another writer is not: it is tried again with what was learnt.</summary>
    public async Task<(Booked Result, Item? Before)> BookAsync(Posting posting, CancellationToken ct)
    {
        await ledger.Days.NoteAsync(posting.Row.Tenant, LedgerKeys.DayOf(posting.Row.At), ct);
        using var lanes = await ledger.Lanes.EnterAsync(LanesOf(posting), ct);
        var token = database.NewToken();
        var backoff = new Backoff(database.Time);
        var collisions = 0;
        do
        {
            var attempt = await BuildAsync(posting, token, collisions, ct);
            var outcome = await database.WriteAsync(attempt.Transaction, database.NewToken(), ct);
            if (outcome.Written) return Done(posting, attempt);
            if (outcome.Refused.TryGetValue(attempt.Entry, out var before)) return before?.TextOrNull("token") == token ? Done(posting, attempt) : (Booked.Before, before);
            if (outcome.RefusedAt(attempt.Hold)) return (Booked.OtherHold, null);
            if (outcome.RefusedAt(attempt.Row)) collisions++;
            await LearnAsync(posting, attempt, outcome, ct);
        }
        while (await backoff.WaitAsync(ct));

        throw new DynamoBusyException($"Attempt '{posting.Row.Attempt}' could not be booked: too many others write to the same budgets. Settle it again.");
    }

    private (Booked, Item?) Done(Posting posting, Attempt attempt)
    {
        ledger.Conversations.Written(attempt.Move);
        holds.Forget(posting.Row.Tenant, posting.Row.Attempt);
        return (Booked.Yes, null);
    }

    private async Task LearnAsync(Posting posting, Attempt attempt, Outcome outcome, CancellationToken ct)
    {
        if (attempt.Move is { } move && outcome.Refused.TryGetValue(move.Index, out var conversation)) ledger.Conversations.Refused(move, conversation);
        if (attempt.Version is { } version && outcome.RefusedAt(version)) definitions.Forget(posting.Row.Tenant);
        ledger.Thresholds.Learn(attempt.Guards.SelectMany(guard => guard.Raised), outcome);
        foreach (var balance in attempt.Balances.Where(outcome.RefusedAt))
        {
            if (outcome.Refused[balance] is not { } item) continue;
            ledger.Thresholds.Observe(item);
            ledger.Numbers.Observe(item.Long("number"));
            if (item.Has("gate")) await openings.HelpAsync(item, ct);
        }
    }

    private async Task<Attempt> BuildAsync(Posting posting, string token, int collisions, CancellationToken ct)
    {
        var (transaction, row) = (new Transaction(), posting.Row);
        var accounts = posting.SearchesAccounts ? await SearchAsync(posting, ct) : new Found(null, [.. posting.Hold?.Accounts ?? []], []);
        if (row.Cost > Money.Zero) await ledger.Thresholds.SeeAsync(accounts.Present, ct);
        var number = ledger.Numbers.Next();
        var posted = accounts.Present.Select(account => balances.Post(transaction, account, posting.Released, row.Cost, number, row.At.AddMilliseconds(row.LatencyMs))).ToList();
        var entry = new LedgerEntry(number, posting.Kind, row, Money.Zero - posting.Released, row.Cost);
        var attempt = new Attempt(
            transaction,
            Entry: transaction.Put(database.Tables.Ledger, EntryItem.Write(entry, token, posting.Kind == LedgerEntryKind.Expire ? posting.Hold!.Accounts : null, posting.Step), EntryItem.IsFirst),
            Row: transaction.Put(database.Tables.Usage, AttemptRows.Write(posting.Kind, row, collisions), AttemptRows.IsFree),
            Hold: EndHold(transaction, posting),
            Version: accounts.Set is { } set ? definitions.Check(transaction, row.Tenant, set, row.Attempt.Value) : null,
            Balances:
            [
                .. posted.Select(post => post.Index),
                .. accounts.Absent.Select(account => balances.CheckAbsent(transaction, account)),
            ],
            Guards: posted.ConvertAll(post => post.Guard),
            Move: ledger.Conversations.Add(transaction, [row]).SingleOrDefault());
        RollupItem.Add(transaction, database.Tables.Ledger, [(posting.Kind, row)], LedgerKeys.ShardOf(row.Attempt));
        return attempt;
    }

    /// <summary>The write that a hold's end hangs on; for an attempt without one, that which keeps anybody from reserving for it.</summary>
    private int EndHold(Transaction transaction, Posting posting)
    {
        if (posting.Hold is { } hold) return holds.Delete(transaction, hold);
        if (posting.Kind == LedgerEntryKind.Adjust) return -1;
        return transaction.Put(database.Tables.Ledger, EntryItem.WriteUnreserved(posting.Row), EntryItem.IsFirst);
    }

    private async Task<Found> SearchAsync(Posting posting, CancellationToken ct)
    {
        var row = posting.Row;
        var set = await definitions.OfAsync(row.Tenant, ct);
        var runs = set.RunsOver(row).ToList();
        // A run's account begins at nothing, and what is booked before it would be lost to it.
        await openings.EnsureAsync(runs, ct);
        var over = set.Over(BudgetScope.Over(row), [], row.At).Concat(set.ImpliedOver(row)).Concat(runs).Select(account => account.Id).Concat(posting.Accounts).Distinct().ToList();
        var standing = await balances.ReadAsync(over, ct);
        return new Found(set, [.. over.Where(standing.ContainsKey)], [.. over.Where(account => !standing.ContainsKey(account))]);
    }

    private static IEnumerable<string> LanesOf(Posting posting)
    {
        foreach (var account in posting.Hold?.Accounts ?? posting.Accounts) yield return account;
        if (Conversations.LaneOf(posting.Row) is { } conversation) yield return conversation;
        yield return RollupItem.Partition(posting.Row.Tenant, Grain.Month, posting.Row.At, LedgerKeys.ShardOf(posting.Row.Attempt));
    }

    private sealed record Found(BudgetSet? Set, IReadOnlyList<string> Present, IReadOnlyList<string> Absent);

    /// <summary>A transaction, and the indices of what in it can be refused; -1 for what is not in it.</summary>
    private sealed record Attempt(Transaction Transaction, int Entry, int Row, int Hold, int? Version, IReadOnlyList<int> Balances, IReadOnlyList<Guard> Guards, Conversations.Move? Move);
}
