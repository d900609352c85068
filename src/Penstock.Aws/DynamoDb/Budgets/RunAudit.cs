using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Budgets;

/// <summary>
/// Balances of runs against the attempts and the holds, because rollups know no runs. A run that began so early that retention may have dropped some of it
/// is let be.
/// </summary>
internal sealed class RunAudit(IReadOnlyList<LedgerRow> rows, IReadOnlyList<Hold> holds)
{
    private readonly Dictionary<(TenantId Tenant, string Run), (long Spent, long Held)> _sums = [];

    public void Compare(IEnumerable<Item> balances, long before, List<string> differences)
    {
        foreach (var row in rows.Where(row => row.At.ToUnixTimeMilliseconds() >= before)) Add(row.Tenant, row.Run, row.Cost, Money.Zero);
        foreach (var hold in holds) Add(hold.Tenant, hold.Run, Money.Zero, hold.Granted);
        foreach (var item in balances)
        {
            var (budget, standing) = (Openings.Read(item).Budget, Standing.Read(item));
            _sums.Remove((budget.Tenant, budget.Scope.Name), out var sum);
            // The call that opened a balance need not be the run's earliest.
            if (before != long.MinValue && item.Long("openedAt") - Tiles.DayMs < before) continue;
            if (sum != (standing.Spent.NanoDollars, standing.Held.NanoDollars)) differences.Add(Difference(budget.Tenant, budget.Scope.Name, sum, $"{standing.Spent} spent and {standing.Held} held"));
        }

        foreach (var ((tenant, run), sum) in _sums.Where(run => run.Value != (0, 0))) differences.Add(Difference(tenant, run, sum, "none"));
    }

    private void Add(TenantId tenant, string? path, Money spent, Money held)
    {
        foreach (var run in BudgetScope.Runs(path))
        {
            var sum = _sums.GetValueOrDefault((tenant, run.Name));
            _sums[(tenant, run.Name)] = (sum.Spent + spent.NanoDollars, sum.Held + held.NanoDollars);
        }
    }

    private static string Difference(TenantId tenant, string run, (long Spent, long Held) sum, string balance) =>
        $"Tenant '{tenant}', {new BudgetScope(BudgetScopeKind.Run, run)}: its attempts are {new Money(sum.Spent)} spent and {new Money(sum.Held)} held, and its balance is {balance}.";
}
