using Penstock.Budgets;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Alerts;

/// <summary>What no store needs to be asked for; the rest is in the stores' contract.</summary>
public sealed class AlertRulesTests
{
    private static readonly DateTimeOffset At = Alert.At;

    [Fact]
    public void The_largest_amounts_are_compared_rightly()
    {
        Assert.Equal([50], AlertRules.Reached(Status(long.MaxValue / 10 * 8 + 5, long.MaxValue)));
        Assert.Equal([50, 80], AlertRules.Reached(Status(long.MaxValue / 10 * 8 + 6, long.MaxValue)));
        Assert.Equal([50, 80, 100], AlertRules.Reached(Status(long.MaxValue, long.MaxValue)));
        Assert.Equal([50, 80, 100], AlertRules.Reached(Status(1, 0)));
    }

    [Fact]
    public void A_threshold_is_reached_at_it_and_not_before()
    {
        Assert.Empty(AlertRules.Reached(Status(499_999_999, 1_000_000_000)));
        Assert.Equal([50], AlertRules.Reached(Status(500_000_000, 1_000_000_000)));
        // 2/3 of 3 is less than 80 %; the fraction is not rounded.
        Assert.Equal([50], AlertRules.Reached(Status(2, 3)));
    }

    [Fact]
    public void A_soft_budget_refuses_nobody() => Assert.Empty(AlertRules.Refused(Status(900, 1000, hard: false), new Money(500)));

    [Fact]
    public void An_id_is_one_budgets_one_periods_and_one_thresholds()
    {
        var budget = Status(1, 1).Budget;
        var window = budget.WindowAt(At);
        var ids = new[]
        {
            AlertRules.IdOf(budget, window, 50),
            AlertRules.IdOf(budget, window, 80),
            AlertRules.IdOf(budget, budget.WindowAt(At.AddMonths(1)), 50),
            AlertRules.IdOf(budget with { Tenant = new TenantId("other") }, window, 50),
            AlertRules.IdOf(budget with { Scope = new(BudgetScopeKind.Project, "k1") }, window, 50),
            AlertRules.IdOf(budget with { Scope = new(BudgetScopeKind.Key, "k12:2") }, window, 50),
            AlertRules.IdOf(budget with { Period = BudgetPeriod.Day }, window, 50),
        };

        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Matches("^evt_[0-9a-f]{24}$", id));
        // Stored nowhere: it must come out the same in every version, or receivers take an alert twice.
        Assert.Equal(ids[0], AlertRules.IdOf(budget with { Limit = new Money(7), Hard = false }, window, 50));
        Assert.Equal("evt_bed3d0010d398a322564c1f1", ids[0]);
    }

    private static BudgetStatus Status(long spent, long limit, bool hard = true)
    {
        var budget = new Budget { Tenant = TenantId.Default, Scope = new(BudgetScopeKind.Key, "k1"), Period = BudgetPeriod.Month, Limit = new Money(limit), Hard = hard };
        return new BudgetStatus(budget, budget.WindowAt(At), new Money(spent), Money.Zero);
    }
}
