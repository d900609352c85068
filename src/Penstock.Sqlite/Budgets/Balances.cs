using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Sqlite.Usage;
using Penstock.Usage;

namespace Penstock.Sqlite.Budgets;

/// <summary>What a scope spent and holds in a stretch of time, in Unix milliseconds.</summary>
internal sealed class Balance(TenantId tenant, BudgetScope scope, long from, long to)
{
    public TenantId Tenant { get; } = tenant;

    public BudgetScope Scope { get; } = scope;

    public long From { get; } = from;

    public long To { get; } = to;

    public Money Spent { get; set; }

    public Money Held { get; set; }

    /// <summary>Differs from its row.</summary>
    public bool Changed { get; set; }

    /// <summary>When a call was last booked on it, in Unix milliseconds; null where none was since it was written.</summary>
    public long? BookedAt { get; set; }

    /// <summary>When it began at nothing, in Unix milliseconds, and not from rollups; null where it is read, or made from them.</summary>
    public long? OpenedAt { get; init; }

    /// <summary>Thresholds that were raised since this was read: they need not be tried again.</summary>
    public HashSet<int> Raised { get; } = [];

    public static long FromOf(BudgetWindow window) => window.Start.ToUnixTimeMilliseconds();

    public static long ToOf(BudgetWindow window) => window.End?.ToUnixTimeMilliseconds() ?? long.MaxValue;

    public bool Is(BudgetWindow window) => From == FromOf(window) && To == ToOf(window);

    public bool Covers(long at) => at >= From && at < To;
}

/// <summary>
/// The table <c>budget_balances</c>, and how a balance is made: from the rollups and the running holds, so that it is right whatever budgets came before.
/// A run's begins at nothing, before the first of its calls.
/// </summary>
internal static class Balances
{
    internal const string SelectOfScope = """
        SELECT window_at, window_end, spent_nanos, held_nanos FROM budget_balances
        WHERE tenant = $tenant AND scope_kind = $kind AND scope_name = $name
        """;

    internal const string PutBalance = """
        INSERT INTO budget_balances (tenant, scope_kind, scope_name, window_at, window_end, spent_nanos, held_nanos, opened_at)
        VALUES ($tenant, $kind, $name, $from, $to, $spent, $held, $opened)
        ON CONFLICT (tenant, scope_kind, scope_name, window_at, window_end) DO UPDATE SET spent_nanos = excluded.spent_nanos, held_nanos = excluded.held_nanos
        """;

    internal const string SumHeld = """
        SELECT coalesce(sum(granted_nanos), 0) FROM holds JOIN ledger ON ledger.tenant = $tenant AND ledger.number = holds.number
        WHERE holds.tenant = $tenant AND at >= $from AND at < $to
          AND CASE $kind WHEN 0 THEN 1 WHEN 1 THEN project = $name WHEN 2 THEN key_id = $name WHEN 3 THEN end_user = $name ELSE model = $name END
        """;

    public static List<Balance> OfScope(Session session, TenantId tenant, BudgetScope scope)
    {
        using var rows = session.Use(SelectOfScope);
        BudgetRows.Key(rows, tenant, scope);
        var balances = new List<Balance>();
        while (rows.Step()) balances.Add(new Balance(tenant, scope, rows.Long(0), rows.Long(1)) { Spent = new Money(rows.Long(2)), Held = new Money(rows.Long(3)) });
        return balances;
    }

    public static void Put(Session session, Balance balance)
    {
        using var put = session.Use(PutBalance);
        BudgetRows.Key(put, balance.Tenant, balance.Scope)
            .Set("$from", balance.From)
            .Set("$to", balance.To)
            .Set("$spent", balance.Spent.NanoDollars)
            .Set("$held", balance.Held.NanoDollars)
            .Set("$opened", balance.OpenedAt)
            .Run();
    }

    /// <summary>As the database has it; what is gathered and not yet written is not in it.</summary>
    public static Money Spent(Session session, TenantId tenant, BudgetScope scope, long from, long to)
    {
        var query = new UsageQuery { From = DateTimeOffset.FromUnixTimeMilliseconds(from), To = to == long.MaxValue ? DateTimeOffset.MaxValue : DateTimeOffset.FromUnixTimeMilliseconds(to) };
        return UsageSums.Total(session, tenant, Within(query, scope)).Cost;
    }

    public static Money Held(Session session, TenantId tenant, BudgetScope scope, long from, long to)
    {
        using var sum = session.Use(SumHeld);
        BudgetRows.Key(sum, tenant, scope).Set("$from", from).Set("$to", to).Step();
        return new Money(sum.Long(0));
    }

    private static UsageQuery Within(UsageQuery query, BudgetScope scope) => scope.Kind switch
    {
        BudgetScopeKind.Tenant => query,
        BudgetScopeKind.Project => query with { Project = new ProjectId(scope.Name) },
        BudgetScopeKind.Key => query with { Key = new KeyId(scope.Name) },
        BudgetScopeKind.User => query with { EndUser = scope.Name },
        BudgetScopeKind.Model => query with { Model = scope.Name },
        _ => throw new ArgumentOutOfRangeException(nameof(scope), scope, null),
    };
}
