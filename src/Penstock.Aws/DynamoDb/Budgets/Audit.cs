using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Aws.DynamoDb.Usage;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>
/// Holds the books against themselves. It reads every table whole, and item after item: a booking that falls in between looks like a difference, so that
/// an audit is of books that rest.
/// </summary>
internal sealed class Audit(DynamoDatabase database, Retention retention)
{
    public async Task<IReadOnlyList<string>> VerifyAsync(CancellationToken ct)
    {
        var before = await retention.BeforeAsync(ct) ?? long.MinValue;
        var (tables, differences) = (database.Tables, new List<string>());
        var ledger = await database.ScanAsync(tables.Ledger, ct);
        var rows = (await database.ScanAsync(tables.Usage, ct)).ConvertAll(item => (Kind: AttemptRows.KindOf(item), Row: RowItem.Read(item)));
        var rollups = Rollups.Read(ledger);
        var holds = ledger.Where(item => item.Has("granted")).Select(HoldItems.Read).ToList();

        rollups.CompareWithRows(rows, before, differences);
        rollups.CompareWithFiner(differences);
        var entries = ledger.Where(item => item.Has("number")).ToList();
        CompareHolds(entries, holds, before, differences);
        CompareEntries(entries.ConvertAll(EntryItem.Read), rows, before, differences);
        CompareConversations([.. ledger.Where(item => item.TextOrNull("sk") == "conversation")], [.. ledger.Where(item => item.Has("pk") && item.Text("pk").Contains("#cd#", StringComparison.Ordinal))], rows, before, differences);
        var definitions = (await database.ScanAsync(tables.Keys, ct)).Where(item => item.Has("epoch")).Select(item => Definitions.Read(new TenantId(item.Text("tenant")), item));
        var epochs = definitions.ToDictionary(definition => (definition.Budget.Tenant, definition.Budget.Scope, definition.Budget.Period), definition => definition.Epoch);
        var balances = await database.ScanAsync(tables.Budgets, ct);
        var (runs, others) = (balances.Where(IsOfRun).ToList(), balances.Where(balance => !IsOfRun(balance)));
        foreach (var balance in others) CompareBalance(balance, rollups, rows, holds, epochs, differences);
        new RunAudit([.. rows.Select(row => row.Row)], holds).Compare(runs, before, differences);
        return differences;
    }

    private static bool IsOfRun(Item balance) => (BudgetScopeKind)balance.Long("kind") == BudgetScopeKind.Run;

    private static void CompareBalance(
        Item item, Rollups rollups, List<(LedgerEntryKind, LedgerRow Row)> rows, List<Hold> holds, Dictionary<(TenantId, BudgetScope, BudgetPeriod), long> epochs, List<string> differences)
    {
        var standing = Standing.Read(item);
        if (!standing.IsOpen) return;
        var account = Openings.Read(item);
        var (budget, window) = (account.Budget, account.Window);
        var name = $"Tenant '{budget.Tenant}', {budget.Scope}, {budget.Period} from {window.Start:u}";
        var held = holds.Where(hold => hold.Tenant == budget.Tenant && hold.Accounts.Contains(item.Text("userId"))).Sum(hold => hold.Granted.NanoDollars);
        if (held != standing.Held.NanoDollars) differences.Add($"{name}: {standing.Held} held, and the holds are {new Money(held)}.");

        // An account whose epoch is over is on no new call; it ends with the holds that lie on it.
        if (account.Epoch != epochs.GetValueOrDefault((budget.Tenant, budget.Scope, budget.Period))) return;
        var spent = rollups.CostOf(budget, window, rows.ConvertAll(row => row.Row));
        if (spent != standing.Spent) differences.Add($"{name}: {standing.Spent} spent, and its attempts cost {spent}.");
    }

    /// <summary>What an attempt's entries leave held is its hold; a slice's are its own and those of its calls.</summary>
    private static void CompareHolds(List<Item> entries, List<Hold> holds, long before, List<string> differences)
    {
        var held = holds.ToDictionary(hold => (hold.Tenant, hold.Attempt), hold => hold.Granted.NanoDollars);
        var owned = entries.Select(item => (Slice: EntryItem.SliceOf(item), Entry: EntryItem.Read(item))).GroupBy(entry => (entry.Entry.Row.Tenant, entry.Slice ?? entry.Entry.Row.Attempt)).ToList();
        foreach (var attempt in owned)
        {
            // The calls of a slice began in one quarter of an hour, of which retention may have dropped some.
            if (attempt.Any(entry => entry.Slice is not null && Tiles.Floor(entry.Entry.Row.At.ToUnixTimeMilliseconds(), Grain.Quarter) < before)) continue;
            var (open, hold) = (attempt.Sum(entry => entry.Entry.Held.NanoDollars), held.GetValueOrDefault(attempt.Key));
            if (open != hold) differences.Add($"Tenant '{attempt.Key.Tenant}', attempt '{attempt.Key.Item2}': entries leave {new Money(open)} held, and the hold is {new Money(hold)}.");
        }

        var known = owned.Select(attempt => attempt.Key).ToHashSet();
        foreach (var hold in holds.Where(hold => !known.Contains((hold.Tenant, hold.Attempt)))) differences.Add($"Tenant '{hold.Tenant}', attempt '{hold.Attempt}': a hold of {hold.Granted} without an entry.");
    }

    private static void CompareEntries(List<LedgerEntry> entries, List<(LedgerEntryKind, LedgerRow Row)> rows, long before, List<string> differences)
    {
        var spent = entries.GroupBy(entry => (entry.Row.Tenant, entry.Row.Attempt)).ToDictionary(attempt => attempt.Key, attempt => attempt.Sum(entry => entry.Spent.NanoDollars));
        var booked = rows.GroupBy(row => (row.Row.Tenant, row.Row.Attempt)).ToDictionary(attempt => attempt.Key, attempt => (Cost: attempt.Sum(row => row.Row.Cost.NanoDollars), At: attempt.Min(row => row.Row.At)));
        foreach (var attempt in spent.Keys.Union(booked.Keys))
        {
            var (cost, at) = booked.GetValueOrDefault(attempt, (0, DateTimeOffset.MaxValue));
            if (cost != spent.GetValueOrDefault(attempt) && at.ToUnixTimeMilliseconds() >= before)
                differences.Add($"Tenant '{attempt.Tenant}', attempt '{attempt.Attempt}': entries spend {new Money(spent.GetValueOrDefault(attempt))}, and it is booked at {new Money(cost)}.");
        }
    }

    private static void CompareConversations(List<Item> conversations, List<Item> days, List<(LedgerEntryKind, LedgerRow Row)> rows, long before, List<string> differences)
    {
        var costs = rows.Where(row => row.Row.Conversation is { Length: > 0 }).GroupBy(row => (row.Row.Tenant.Value, row.Row.Conversation))
            .ToDictionary(conversation => conversation.Key, conversation => conversation.Sum(row => row.Row.Cost.NanoDollars));
        foreach (var item in conversations.Where(item => DateOnly.FromDayNumber((int)item.Long("day")).ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc) >= DateOf(before)))
        {
            var cost = costs.GetValueOrDefault((item.Text("tenant"), item.Text("name")));
            if (cost != item.Long("cost")) differences.Add($"Tenant '{item.Text("tenant")}', conversation '{item.Text("name")}': summed at {new Money(item.Long("cost"))}, and its attempts cost {new Money(cost)}.");
        }

        var counted = new LogHistogram();
        foreach (var item in days) Conversations.AddTo(counted, item);
        var expected = new LogHistogram();
        foreach (var item in conversations) expected.Add(item.Long("cost"));
        if (!counted.Buckets.SequenceEqual(expected.Buckets)) differences.Add($"The histograms of conversations count {counted.Count}, and are not those of {expected.Count} conversations.");
    }

    private static DateTime DateOf(long milliseconds) => milliseconds == long.MinValue ? DateTime.MinValue : DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime;
}
