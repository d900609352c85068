using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Budgets;

/// <summary>The table <c>budgets</c>.</summary>
internal static class BudgetRows
{
    internal const string PutBudget = """
        INSERT INTO budgets (tenant, scope_kind, scope_name, period, limit_nanos, hard, time_zone)
        VALUES ($tenant, $kind, $name, $period, $limit, $hard, $zone)
        ON CONFLICT (tenant, scope_kind, scope_name, period) DO UPDATE SET limit_nanos = excluded.limit_nanos, hard = excluded.hard, time_zone = excluded.time_zone
        """;

    internal const string DeleteBudget = "DELETE FROM budgets WHERE tenant = $tenant AND scope_kind = $kind AND scope_name = $name AND period = $period";

    internal const string SelectAll = "SELECT scope_kind, scope_name, period, limit_nanos, hard, time_zone FROM budgets WHERE tenant = $tenant ORDER BY scope_kind, scope_name, period";

    internal const string SelectOfKey = "SELECT monthly_budget_nanos FROM keys WHERE tenant = $tenant AND key_id = $name AND $kind = 2 AND monthly_budget_nanos IS NOT NULL";

    public static void Put(Session session, Budget budget)
    {
        using var put = session.Use(PutBudget);
        Key(put, budget.Tenant, budget.Scope).Set("$period", (long)budget.Period).Set("$limit", budget.Limit.NanoDollars).Set("$hard", budget.Hard).Set("$zone", budget.TimeZone).Run();
    }

    public static bool Remove(Session session, TenantId tenant, BudgetScope scope, BudgetPeriod period)
    {
        using var delete = session.Use(DeleteBudget);
        return Key(delete, tenant, scope).Set("$period", (long)period).Run() > 0;
    }

    public static List<Budget> All(Session session, TenantId tenant)
    {
        using var rows = session.Use(SelectAll);
        rows.Set("$tenant", tenant.Value);
        return Read(rows, tenant);
    }

    /// <summary>The budget that a key carries itself, if the scope is a key that does.</summary>
    public static Budget? OfKey(Session session, TenantId tenant, BudgetScope scope)
    {
        using var row = session.Use(SelectOfKey);
        return Key(row, tenant, scope).Step() ? new Budget { Tenant = tenant, Scope = scope, Period = BudgetPeriod.Month, Limit = new Money(row.Long(0)) } : null;
    }

    public static Statement Key(Statement statement, TenantId tenant, BudgetScope scope) =>
        statement.Set("$tenant", tenant.Value).Set("$kind", (long)scope.Kind).Set("$name", scope.Name);

    private static List<Budget> Read(Statement rows, TenantId tenant)
    {
        var found = new List<Budget>();
        while (rows.Step())
        {
            found.Add(new Budget
            {
                Tenant = tenant,
                Scope = new BudgetScope((BudgetScopeKind)rows.Int(0), rows.Text(1)),
                Period = (BudgetPeriod)rows.Int(2),
                Limit = new Money(rows.Long(3)),
                Hard = rows.Flag(4),
                TimeZone = rows.Text(5),
            });
        }

        return found;
    }
}
