using Penstock.Budgets;
using Penstock.Kernel;

namespace Penstock.Tests.Alerts;

/// <summary>Alerts as the store hands them out.</summary>
internal static class Alert
{
    public static readonly DateTimeOffset At = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    public static BudgetAlert Of(int threshold = 80, string name = "search", decimal spent = 40.12m, decimal limit = 50m, bool hard = true, BudgetPeriod period = BudgetPeriod.Month, string zone = "UTC")
    {
        var budget = new Budget { Tenant = TenantId.Default, Scope = new(BudgetScopeKind.Project, name), Period = period, Limit = Money.FromUsd(limit), Hard = hard, TimeZone = zone };
        var window = budget.WindowAt(At);
        return new BudgetAlert(AlertRules.IdOf(budget, window, threshold), budget, window, threshold, Money.FromUsd(spent), At, [], 1);
    }
}
