using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Budgets;

internal enum EntryKind
{
    Opening = 0,
    Reserve = 1,
    Settle = 2,
    Expire = 3,
    Adjust = 4,
}

/// <summary>The table <c>budget_entries</c>, append-only. Every change of a balance is an entry, written in the same transaction.</summary>
internal static class Entries
{
    internal const string InsertOpening = """
        INSERT INTO budget_entries (tenant, attempt, kind, scope_kind, scope_name, period, window_at, held_nanos, spent_nanos)
        VALUES ($tenant, '', 0, $kind, $name, $period, $window, 0, $spent)
        """;

    internal const string InsertReserve = """
        INSERT INTO budget_entries (tenant, attempt, kind, scope_kind, scope_name, period, window_at, held_nanos, spent_nanos)
        VALUES ($tenant, $attempt, 1, $kind, $name, $period, $window, $held, 0)
        """;

    // The condition is what keeps a hard cap, whatever was read before.
    internal const string HoldOnBalance = """
        UPDATE budget_balances SET held_nanos = held_nanos + $held
        WHERE tenant = $tenant AND scope_kind = $kind AND scope_name = $name AND period = $period AND window_at = $window
          AND ($hard = 0 OR spent_nanos + held_nanos + $held <= $limit)
        """;

    internal const string InsertClose = """
        INSERT INTO budget_entries (tenant, attempt, kind, scope_kind, scope_name, period, window_at, held_nanos, spent_nanos)
        SELECT $tenant, attempt, $close, scope_kind, scope_name, period, window_at, -held_nanos, $spent
        FROM budget_entries WHERE tenant = $tenant AND attempt = $attempt AND kind = 1
        """;

    internal const string CloseOnBalances = """
        UPDATE budget_balances SET held_nanos = budget_balances.held_nanos + e.held_nanos, spent_nanos = budget_balances.spent_nanos + e.spent_nanos
        FROM budget_entries AS e
        WHERE budget_balances.tenant = $tenant AND e.tenant = $tenant AND e.attempt = $attempt AND e.kind = $close
          AND budget_balances.scope_kind = e.scope_kind AND budget_balances.scope_name = e.scope_name
          AND budget_balances.period = e.period AND budget_balances.window_at = e.window_at
        """;

    internal const string InsertAdjust = """
        INSERT INTO budget_entries (tenant, attempt, kind, scope_kind, scope_name, period, window_at, held_nanos, spent_nanos)
        SELECT $tenant, attempt, 4, scope_kind, scope_name, period, window_at, 0, $spent
        FROM budget_entries WHERE tenant = $tenant AND attempt = $attempt AND kind = 3
        """;

    internal const string SelectExpiredCost = "SELECT cost_nanos FROM ledger WHERE tenant = $tenant AND attempt = $attempt AND outcome = $outcome";

    internal const string SelectDifferences = """
        SELECT tenant, scope_kind, scope_name, period, window_at, sum(spent), sum(held) FROM (
          SELECT tenant, scope_kind, scope_name, period, window_at, spent_nanos AS spent, held_nanos AS held FROM budget_entries
          UNION ALL
          SELECT tenant, scope_kind, scope_name, period, window_at, -spent_nanos, -held_nanos FROM budget_balances)
        GROUP BY tenant, scope_kind, scope_name, period, window_at
        HAVING sum(spent) <> 0 OR sum(held) <> 0
        """;

    public static void Open(Session session, Budget budget, BudgetWindow window, Money spent)
    {
        using var insert = session.Use(InsertOpening);
        Balances.Key(insert, budget, window).Set("$spent", spent.NanoDollars).Run();
    }

    public static void Reserve(Session session, AttemptId attempt, BudgetStatus balance, Money granted)
    {
        using (var insert = session.Use(InsertReserve))
        {
            Balances.Key(insert, balance.Budget, balance.Window).Set("$attempt", attempt.Value).Set("$held", granted.NanoDollars).Run();
        }

        using var hold = session.Use(HoldOnBalance);
        var held = Balances.Key(hold, balance.Budget, balance.Window).Set("$held", granted.NanoDollars).Set("$hard", balance.Budget.Hard).Set("$limit", balance.Budget.Limit.NanoDollars).Run();
        if (held != 1) throw new InvalidOperationException($"The {balance.Budget.Scope} budget changed while it was reserved on.");
    }

    /// <summary>Gives back what the attempt holds everywhere, and books what it cost.</summary>
    public static void Close(Session session, TenantId tenant, AttemptId attempt, EntryKind kind, Money spent)
    {
        using (var insert = session.Use(InsertClose)) Key(insert, tenant, attempt).Set("$close", (long)kind).Set("$spent", spent.NanoDollars).Run();
        Fold(session, tenant, attempt, kind);
    }

    public static void Adjust(Session session, TenantId tenant, AttemptId attempt, Money difference)
    {
        using (var insert = session.Use(InsertAdjust)) Key(insert, tenant, attempt).Set("$spent", difference.NanoDollars).Run();
        Fold(session, tenant, attempt, EntryKind.Adjust);
    }

    /// <summary>What the attempt was booked at when its hold expired; null where it was not.</summary>
    public static Money? CostOfExpired(Session session, TenantId tenant, AttemptId attempt)
    {
        using var row = session.Use(SelectExpiredCost);
        Key(row, tenant, attempt).Set("$outcome", (long)Penstock.Usage.AttemptOutcome.Unknown);
        return row.Step() ? new Money(row.Long(0)) : null;
    }

    public static IReadOnlyList<string> Verify(Session session)
    {
        using var rows = session.Use(SelectDifferences);
        var differences = new List<string>();
        while (rows.Step())
        {
            var scope = new BudgetScope((BudgetScopeKind)rows.Int(1), rows.Text(2));
            differences.Add($"Tenant '{rows.Text(0)}', {scope}, {(BudgetPeriod)rows.Int(3)} from {DateTimeOffset.FromUnixTimeMilliseconds(rows.Long(4)):u}: entries minus balance are {new Money(rows.Long(5))} spent and {new Money(rows.Long(6))} held.");
        }

        return differences;
    }

    private static void Fold(Session session, TenantId tenant, AttemptId attempt, EntryKind kind)
    {
        using var fold = session.Use(CloseOnBalances);
        Key(fold, tenant, attempt).Set("$close", (long)kind).Run();
    }

    private static Statement Key(Statement statement, TenantId tenant, AttemptId attempt) => statement.Set("$tenant", tenant.Value).Set("$attempt", attempt.Value);
}
