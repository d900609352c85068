using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Budgets;

/// <summary>The table <c>alerts</c>, written by the operation that changes the balance.</summary>
internal static class Alerts
{
    internal const string InsertAlert = """
        INSERT INTO alerts (tenant, scope_kind, scope_name, period, window_at, threshold, window_until, limit_nanos, hard, time_zone, spent_nanos, raised_at, due_at)
        VALUES ($tenant, $kind, $name, $period, $window, $threshold, $until, $limit, $hard, $zone, $spent, $at, $at)
        ON CONFLICT (tenant, scope_kind, scope_name, period, window_at, threshold) DO NOTHING
        """;

    internal const string SelectOwnLimit = "SELECT monthly_budget_nanos FROM keys WHERE tenant = $tenant AND key_id = $key";

    /// <summary>After a refusal, for every budget over the call.</summary>
    public static void RaiseRefused(Session session, BudgetStatus status, Money least, DateTimeOffset at)
    {
        foreach (var threshold in AlertRules.Refused(status, least)) Raise(session, status, threshold, at);
    }

    /// <summary>Nothing happens where it was raised before in the same period.</summary>
    public static void Raise(Session session, BudgetStatus status, int threshold, DateTimeOffset at)
    {
        var budget = status.Budget;
        using var insert = session.Use(InsertAlert);
        BudgetRows.Key(insert, budget.Tenant, budget.Scope)
            .Set("$period", (long)budget.Period)
            .Set("$window", status.Window.Start.ToUnixTimeMilliseconds())
            .Set("$threshold", threshold)
            .Set("$until", status.Window.End?.ToUnixTimeMilliseconds())
            .Set("$limit", budget.Limit.NanoDollars)
            .Set("$hard", budget.Hard)
            .Set("$zone", budget.TimeZone)
            .Set("$spent", status.Spent.NanoDollars)
            .Set("$at", at.ToUnixTimeMilliseconds())
            .Run();
    }

    /// <summary>The key's own monthly budget, which is not among the stored ones; null where it has none.</summary>
    public static Money? LimitOf(Session session, TenantId tenant, KeyId key)
    {
        using var row = session.Use(SelectOwnLimit);
        row.Set("$tenant", tenant.Value).Set("$key", key.Value);
        return row.Step() && row.LongOrNull(0) is { } limit ? new Money(limit) : null;
    }
}
