using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>Alerts that wait, in DynamoDB. Who raises the number of tries has the alert.</summary>
internal sealed class DynamoAlertStore(DynamoDatabase database) : IAlertStore
{
    private const string IsDue = "#due = :due AND #dueAt <= :now";
    private const string Take = "SET #dueAt = :until, #tries = :next, #taker = :taker";
    private const string IsStillDue = "#tries = :tries AND attribute_exists(#due) AND #dueAt <= :now";
    private const string Delay = "SET #delivered = :delivered, #dueAt = :retry";
    private const string End = "SET #delivered = :delivered REMOVE #due, #dueAt";
    private const string IsTakers = "#tries = :tries AND attribute_exists(#due)";

    // Those that other takers get first.
    private const int Spare = 16;

    public async Task<IReadOnlyList<BudgetAlert>> ClaimAsync(DateTimeOffset now, DateTimeOffset until, int limit, CancellationToken ct)
    {
        var shards = Enumerable.Range(0, LedgerKeys.Shards).Select(shard => database.QueryAsync(
            database.Tables.Ledger, IsDue, new Item().Set(":due", AlertItems.Due(shard)).Set(":now", now.ToUnixTimeMilliseconds()), ct, DynamoTables.ByDue, limit + Spare));
        var claimed = new List<BudgetAlert>();
        foreach (var item in (await Task.WhenAll(shards)).SelectMany(items => items).OrderBy(item => item.Long("dueAt")))
        {
            if (claimed.Count >= limit) break;
            var alert = AlertItems.Read(item);
            if (await TakeAsync(alert, now, until, ct)) claimed.Add(alert with { Tries = alert.Tries + 1 });
        }

        return claimed;
    }

    public Task ReportAsync(BudgetAlert alert, IReadOnlyList<string> delivered, DateTimeOffset? retryAt, CancellationToken ct)
    {
        var values = new Item().Set(":delivered", delivered).Set(":tries", alert.Tries).Set(":retry", retryAt?.ToUnixTimeMilliseconds());
        return database.UpdateAsync(database.Tables.Ledger, AlertItems.Key(alert.Id), retryAt is null ? End : Delay, IsTakers, values, ct);
    }

    private async Task<bool> TakeAsync(BudgetAlert alert, DateTimeOffset now, DateTimeOffset until, CancellationToken ct)
    {
        var taker = database.NewToken();
        var values = new Item().Set(":until", until.ToUnixTimeMilliseconds()).Set(":tries", alert.Tries).Set(":next", alert.Tries + 1).Set(":now", now.ToUnixTimeMilliseconds()).Set(":taker", taker);
        var refused = await database.UpdateAsync(database.Tables.Ledger, AlertItems.Key(alert.Id), Take, IsStillDue, values, ct);
        // After a time-out it may be ourselves who took it.
        return refused is null || refused.TextOrNull("taker") == taker;
    }
}
