using System.Collections.Concurrent;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>
/// Alerts as items of <c>ai-platform-ledger</c>: <c>alert#id / alert</c>, in by-due while one waits. An item stays when its alert was delivered, so that
/// it is raised once whatever becomes of its budget within the period.
/// </summary>
internal sealed class AlertItems(DynamoDatabase database)
{
    private const string IsNew = "attribute_not_exists(#pk)";
    private const string SortKey = "alert";
    private const int MostRemembered = 10_000;

    private readonly ConcurrentDictionary<string, bool> _raised = new();

    public static string Due(int shard) => $"alert#{shard}";

    public static Item Key(string id) => Item.Key($"alert#{id}", SortKey);

    /// <summary>Raises what was not raised yet as far as this node knows; each index with its alert's id, for <see cref="Refused"/>.</summary>
    public List<(int Index, string Id)> Raise(Transaction transaction, BudgetStatus status, IEnumerable<int> thresholds, DateTimeOffset at)
    {
        var raised = new List<(int, string)>();
        foreach (var threshold in thresholds)
        {
            var id = AlertRules.IdOf(status.Budget, status.Window, threshold);
            // A call may hold on two balances of one budget: on that of its key's own, and on that of the stored one that came in its place.
            if (_raised.ContainsKey(id) || !transaction.Once(id)) continue;
            raised.Add((transaction.Put(database.Tables.Ledger, Write(new BudgetAlert(id, status.Budget, status.Window, threshold, status.Spent, at, [], 0)), IsNew), id));
        }

        return raised;
    }

    /// <summary>It was raised before, by a budget of the same name and period: it is not again.</summary>
    public void Refused(string id)
    {
        if (_raised.Count >= MostRemembered) _raised.Clear();
        _raised[id] = true;
    }

    public static BudgetAlert Read(Item item) => new(
        item.Text("id"),
        new Budget
        {
            Tenant = new TenantId(item.Text("tenant")),
            Scope = new BudgetScope((BudgetScopeKind)item.Long("kind"), item.Text("name")),
            Period = (BudgetPeriod)item.Long("period"),
            Limit = new Money(item.Long("limit")),
            Hard = item.Flag("hard"),
            TimeZone = item.Text("zone"),
        },
        new BudgetWindow(DateTimeOffset.FromUnixTimeMilliseconds(item.Long("start")), item.LongOrNull("end") is { } end ? DateTimeOffset.FromUnixTimeMilliseconds(end) : null),
        (int)item.Long("threshold"),
        new Money(item.Long("spent")),
        DateTimeOffset.FromUnixTimeMilliseconds(item.Long("raisedAt")),
        item.Texts("delivered"),
        (int)item.Long("tries"));

    private static Item Write(BudgetAlert alert) => Key(alert.Id)
        .Set("id", alert.Id)
        .Set("due", Due(KeyPart.Shard(alert.Id, LedgerKeys.Shards)))
        .Set("dueAt", alert.At.ToUnixTimeMilliseconds())
        .Set("raisedAt", alert.At.ToUnixTimeMilliseconds())
        .Set("tenant", alert.Budget.Tenant.Value)
        .Set("kind", (long)alert.Budget.Scope.Kind)
        .Set("name", alert.Budget.Scope.Name)
        .Set("period", (long)alert.Budget.Period)
        .Set("limit", alert.Budget.Limit.NanoDollars)
        .Set("hard", alert.Budget.Hard)
        .Set("zone", alert.Budget.TimeZone)
        .Set("start", alert.Window.Start.ToUnixTimeMilliseconds())
        .Set("end", alert.Window.End?.ToUnixTimeMilliseconds())
        .Set("threshold", alert.Threshold)
        .Set("spent", alert.Spent.NanoDollars)
        .Set("delivered", alert.Delivered)
        .Set("tries", alert.Tries);
}
