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

    // A key's own monthly budget is not among the stored ones.
    internal const string SelectStanding = """
        SELECT e.scope_kind, e.scope_name, e.period, e.window_at, bal.spent_nanos, bal.held_nanos,
          coalesce(b.limit_nanos, k.monthly_budget_nanos), coalesce(b.hard, 1), coalesce(b.time_zone, 'UTC')
        FROM budget_entries AS e
        JOIN budget_balances AS bal ON bal.tenant = $tenant
          AND bal.scope_kind = e.scope_kind AND bal.scope_name = e.scope_name AND bal.period = e.period AND bal.window_at = e.window_at
        LEFT JOIN budgets AS b ON b.tenant = $tenant AND b.scope_kind = e.scope_kind AND b.scope_name = e.scope_name AND b.period = e.period
        LEFT JOIN keys AS k ON k.tenant = $tenant AND e.scope_kind = 2 AND e.period = 2 AND k.key_id = e.scope_name
        WHERE e.tenant = $tenant AND e.attempt = $attempt AND e.kind = 1 AND coalesce(b.limit_nanos, k.monthly_budget_nanos) IS NOT NULL
        """;

    /// <summary>After the attempt's cost was booked on its budgets.</summary>
    public static void RaiseReached(Session session, TenantId tenant, AttemptId attempt, DateTimeOffset at)
    {
        foreach (var status in Standing(session, tenant, attempt)) RaiseReached(session, status, at);
    }

    /// <summary>After each change of what the budget has spent; <paramref name="status"/> is where it stands after it.</summary>
    public static void RaiseReached(Session session, BudgetStatus status, DateTimeOffset at)
    {
        foreach (var threshold in AlertRules.Reached(status)) Raise(session, status, threshold, at);
    }

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
        Balances.Key(insert, budget, status.Window)
            .Set("$threshold", threshold)
            .Set("$until", status.Window.End?.ToUnixTimeMilliseconds())
            .Set("$limit", budget.Limit.NanoDollars)
            .Set("$hard", budget.Hard)
            .Set("$zone", budget.TimeZone)
            .Set("$spent", status.Spent.NanoDollars)
            .Set("$at", at.ToUnixTimeMilliseconds())
            .Run();
    }

    private static List<BudgetStatus> Standing(Session session, TenantId tenant, AttemptId attempt)
    {
        using var rows = session.Use(SelectStanding);
        rows.Set("$tenant", tenant.Value).Set("$attempt", attempt.Value);
        var found = new List<BudgetStatus>();
        while (rows.Step())
        {
            var budget = new Budget
            {
                Tenant = tenant,
                Scope = new BudgetScope((BudgetScopeKind)rows.Int(0), rows.Text(1)),
                Period = (BudgetPeriod)rows.Int(2),
                Limit = new Money(rows.Long(6)),
                Hard = rows.Flag(7),
                TimeZone = rows.Text(8),
            };
            var window = budget.WindowAt(DateTimeOffset.FromUnixTimeMilliseconds(rows.Long(3)));
            // A budget whose time zone changed since counts in other periods now.
            if (window.Start.ToUnixTimeMilliseconds() == rows.Long(3)) found.Add(new BudgetStatus(budget, window, new Money(rows.Long(4)), new Money(rows.Long(5))));
        }

        return found;
    }
}
