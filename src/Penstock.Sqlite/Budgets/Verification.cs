using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Sqlite.Usage;

namespace Penstock.Sqlite.Budgets;

/// <summary>
/// Holds all that is derived against what it is derived from: holds and rollups against the ledger's entries, coarser rollups against finer ones, balances
/// against rollups and holds, those of runs against the entries. Where retention dropped entries, the rollups stand for them.
/// </summary>
internal static class Verification
{
    // Every tenant's: it is the operator who verifies.
    internal const string SelectTenants =
        "SELECT tenant FROM ledger UNION SELECT tenant FROM holds UNION SELECT tenant FROM rollups UNION SELECT tenant FROM conversations UNION SELECT tenant FROM budget_balances";

    internal const string SelectHoldDifferences = """
        SELECT attempt, sum(held) FROM (
          SELECT attempt, held_nanos AS held FROM ledger WHERE tenant = $tenant AND at >= $since
          UNION ALL
          SELECT holds.attempt, -granted_nanos FROM holds LEFT JOIN ledger ON ledger.tenant = $tenant AND ledger.number = holds.number
          WHERE holds.tenant = $tenant AND coalesce(at, $since) >= $since)
        GROUP BY attempt HAVING sum(held) <> 0
        """;

    internal const string SelectBalances = "SELECT scope_kind, scope_name, window_at, window_end, spent_nanos, held_nanos FROM budget_balances WHERE tenant = $tenant AND scope_kind <> 5";

    public static IReadOnlyList<string> Run(Session session)
    {
        var differences = new List<string>();
        foreach (var tenant in Tenants(session))
        {
            var since = Retained.Before(session, tenant);
            RollupVerification.Run(session, tenant, since, differences);
            ConversationVerification.Run(session, tenant, since, differences);
            CheckHolds(session, tenant, since, differences);
            CheckBalances(session, tenant, differences);
            RunVerification.Run(session, tenant, since, differences);
        }

        return differences;
    }

    private static List<TenantId> Tenants(Session session)
    {
        using var rows = session.Use(SelectTenants);
        var tenants = new List<TenantId>();
        while (rows.Step()) tenants.Add(new TenantId(rows.Text(0)));
        return tenants;
    }

    private static void CheckHolds(Session session, TenantId tenant, long since, List<string> differences)
    {
        using var rows = session.Use(SelectHoldDifferences);
        rows.Set("$tenant", tenant.Value).Set("$since", since);
        while (rows.Step()) differences.Add($"Tenant '{tenant}', attempt '{rows.Text(0)}': entries minus the running hold are {new Money(rows.Long(1))} held.");
    }

    private static void CheckBalances(Session session, TenantId tenant, List<string> differences)
    {
        using var rows = session.Use(SelectBalances);
        rows.Set("$tenant", tenant.Value);
        while (rows.Step())
        {
            var scope = new BudgetScope((BudgetScopeKind)rows.Int(0), rows.Text(1));
            var (from, to) = (rows.Long(2), rows.Long(3));
            var spent = Balances.Spent(session, tenant, scope, from, to) - new Money(rows.Long(4));
            var held = Balances.Held(session, tenant, scope, from, to) - new Money(rows.Long(5));
            if (spent == Money.Zero && held == Money.Zero) continue;
            differences.Add($"Tenant '{tenant}', {scope} from {DateTimeOffset.FromUnixTimeMilliseconds(from):u}: rollups and holds minus the balance are {spent} spent and {held} held.");
        }
    }
}
