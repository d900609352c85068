using Penstock.Budgets;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Budgets;

/// <summary>The table <c>alerts</c>, written in the transaction that makes them due.</summary>
internal static class Alerts
{
    internal const string InsertAlert = """
        INSERT INTO alerts (tenant, scope_kind, scope_name, period, window_at, threshold, window_until, limit_nanos, hard, time_zone, spent_nanos, raised_at, due_at)
        VALUES ($tenant, $kind, $name, $period, $window, $threshold, $until, $limit, $hard, $zone, $spent, $at, $at)
        ON CONFLICT (tenant, scope_kind, scope_name, period, window_at, threshold) DO NOTHING
        """;

    /// <summary>Nothing happens where it was raised before in the same period.</summary>
    public static void Raise(Session session, BudgetStatus status, int threshold, DateTimeOffset at)
    {
        var budget = status.Budget;
        using var insert = session.Use(InsertAlert);
        Key(insert, budget, status.Window)
            .Set("$threshold", threshold)
            .Set("$until", status.Window.End?.ToUnixTimeMilliseconds())
            .Set("$limit", budget.Limit.NanoDollars)
            .Set("$hard", budget.Hard)
            .Set("$zone", budget.TimeZone)
            .Set("$spent", status.Spent.NanoDollars)
            .Set("$at", at.ToUnixTimeMilliseconds())
            .Run();
    }

    public static Statement Key(Statement statement, Budget budget, BudgetWindow window) =>
        BudgetRows.Key(statement, budget.Tenant, budget.Scope).Set("$period", (long)budget.Period).Set("$window", window.Start.ToUnixTimeMilliseconds());
}
