using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Budgets;

/// <summary>The table <c>budget_balances</c>: where each budget stands in each period.</summary>
internal static class Balances
{
    internal const string SelectBalance = """
        SELECT spent_nanos, held_nanos FROM budget_balances
        WHERE tenant = $tenant AND scope_kind = $kind AND scope_name = $name AND period = $period AND window_at = $window
        """;

    internal const string InsertBalance = """
        INSERT INTO budget_balances (tenant, scope_kind, scope_name, period, window_at, spent_nanos, held_nanos)
        VALUES ($tenant, $kind, $name, $period, $window, $spent, $held)
        """;

    // Calls that run while their budget is made hold on it too; else they would never be booked on it.
    internal const string InsertRunning = """
        INSERT INTO budget_entries (tenant, attempt, kind, scope_kind, scope_name, period, window_at, held_nanos, spent_nanos)
        SELECT $tenant, attempt, 1, $kind, $name, $period, $window, granted_nanos, 0 FROM holds
        WHERE tenant = $tenant AND started_at >= $window AND ($end IS NULL OR started_at < $end)
          AND CASE $kind WHEN 0 THEN 1 WHEN 1 THEN project = $name WHEN 2 THEN key_id = $name WHEN 3 THEN end_user = $name ELSE model = $name END
          AND NOT EXISTS (
            SELECT 1 FROM budget_entries AS e
            WHERE e.tenant = $tenant AND e.attempt = holds.attempt AND e.kind = 1 AND e.scope_kind = $kind AND e.scope_name = $name AND e.period = $period)
        """;

    internal const string SumRunning = """
        SELECT coalesce(sum(held_nanos), 0) FROM budget_entries INDEXED BY budget_entries_by_balance
        WHERE tenant = $tenant AND scope_kind = $kind AND scope_name = $name AND period = $period AND window_at = $window
        """;

    // What was spent in the period before anybody set a budget for it. Attempts that hold on this budget in another period are
    // booked there, and so are their corrections.
    internal const string SumSpent = """
        SELECT coalesce(sum(cost_nanos), 0) FROM ledger INDEXED BY ledger_by_time
        WHERE tenant = $tenant AND at >= $window AND ($end IS NULL OR at < $end)
          AND CASE $kind WHEN 0 THEN 1 WHEN 1 THEN project = $name WHEN 2 THEN key_id = $name WHEN 3 THEN end_user = $name ELSE model = $name END
          AND NOT EXISTS (
            SELECT 1 FROM budget_entries
            WHERE budget_entries.tenant = $tenant AND budget_entries.attempt IN (ledger.attempt, replace(ledger.attempt, ':adjust', '')) AND budget_entries.kind = 1
              AND budget_entries.scope_kind = $kind AND budget_entries.scope_name = $name AND budget_entries.period = $period)
        """;

    public static IReadOnlyList<BudgetStatus> Over(Session session, TenantId tenant, IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at) =>
        Of(session, BudgetRows.Over(session, tenant, scopes, implied), at);

    public static IReadOnlyList<BudgetStatus> Of(Session session, List<Budget> budgets, DateTimeOffset at) => budgets.ConvertAll(budget => Of(session, budget, at));

    private static BudgetStatus Of(Session session, Budget budget, DateTimeOffset at)
    {
        var window = budget.WindowAt(at);
        using (var row = session.Use(SelectBalance))
        {
            Key(row, budget, window);
            if (row.Step()) return new BudgetStatus(budget, window, new Money(row.Long(0)), new Money(row.Long(1)));
        }

        return Open(session, budget, window);
    }

    /// <summary>The first touch of a period: what its calls have spent, and what those that run hold.</summary>
    private static BudgetStatus Open(Session session, Budget budget, BudgetWindow window)
    {
        var spent = Spent(session, budget, window);
        using (var running = session.Use(InsertRunning)) Key(running, budget, window).Set("$end", window.End?.ToUnixTimeMilliseconds()).Run();
        var held = Held(session, budget, window);
        using (var insert = session.Use(InsertBalance)) Key(insert, budget, window).Set("$spent", spent.NanoDollars).Set("$held", held.NanoDollars).Run();
        Entries.Open(session, budget, window, spent);
        return new BudgetStatus(budget, window, spent, held);
    }

    public static Statement Key(Statement statement, Budget budget, BudgetWindow window) =>
        BudgetRows.Key(statement, budget.Tenant, budget.Scope).Set("$period", (long)budget.Period).Set("$window", window.Start.ToUnixTimeMilliseconds());

    private static Money Spent(Session session, Budget budget, BudgetWindow window)
    {
        using var sum = session.Use(SumSpent);
        Key(sum, budget, window).Set("$end", window.End?.ToUnixTimeMilliseconds());
        sum.Step();
        return new Money(sum.Long(0));
    }

    private static Money Held(Session session, Budget budget, BudgetWindow window)
    {
        using var sum = session.Use(SumRunning);
        Key(sum, budget, window);
        sum.Step();
        return new Money(sum.Long(0));
    }
}
