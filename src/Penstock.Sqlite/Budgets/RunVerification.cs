using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Budgets;

/// <summary>Balances of runs against the entries, because rollups know no runs. A run that began so early that retention may have dropped some of it is let be.</summary>
internal static class RunVerification
{
    internal const string SelectEntries = """
        SELECT run, sum(cost_nanos), sum(held_nanos) FROM ledger WHERE tenant = $tenant AND at >= $since AND run <> '' GROUP BY run
        """;

    internal const string SelectBalances = """
        SELECT scope_name, spent_nanos, held_nanos, opened_at FROM budget_balances WHERE tenant = $tenant AND scope_kind = 5
        """;

    public static void Run(Session session, TenantId tenant, long since, List<string> differences)
    {
        var entries = Entries(session, tenant, since);
        using var rows = session.Use(SelectBalances);
        rows.Set("$tenant", tenant.Value);
        while (rows.Step())
        {
            var (run, spent, held) = (rows.Text(0), rows.Long(1), rows.Long(2));
            entries.Remove(run, out var sum);
            // The call that opened a balance need not be the run's earliest.
            if (since != long.MinValue && rows.Long(3) - Tiles.DayMs < since) continue;
            if (sum != (spent, held)) differences.Add(Difference(tenant, run, sum, $"{new Money(spent)} spent and {new Money(held)} held"));
        }

        foreach (var (run, sum) in entries) differences.Add(Difference(tenant, run, sum, "none"));
    }

    private static Dictionary<string, (long Spent, long Held)> Entries(Session session, TenantId tenant, long since)
    {
        using var rows = session.Use(SelectEntries);
        rows.Set("$tenant", tenant.Value).Set("$since", since);
        var sums = new Dictionary<string, (long Spent, long Held)>();
        while (rows.Step())
        {
            foreach (var run in rows.Text(0).Split('/'))
            {
                var (spent, held) = sums.GetValueOrDefault(run);
                sums[run] = (spent + rows.Long(1), held + rows.Long(2));
            }
        }

        return sums;
    }

    private static string Difference(TenantId tenant, string run, (long Spent, long Held) sum, string balance) =>
        $"Tenant '{tenant}', {new BudgetScope(BudgetScopeKind.Run, run)}: its entries are {new Money(sum.Spent)} spent and {new Money(sum.Held)} held, and its balance is {balance}.";
}
