using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Penstock.Kernel;

namespace Penstock.Budgets;

/// <summary>When a budget store raises an alert. A store raises each of these once, whatever was raised before it in the same period.</summary>
public static class AlertRules
{
    /// <summary>Raised when a settled, expired or corrected attempt changed what the budget has spent. A budget that has spent nothing has reached nothing.</summary>
    public static IEnumerable<int> Reached(BudgetStatus status) =>
        status.Budget.Alerting.Where(threshold => status.Spent > Money.Zero && Percent(status.Spent) >= (Int128)status.Budget.Limit.NanoDollars * threshold);

    /// <summary>
    /// Raised when a reservation that needs <paramref name="least"/> was refused: also 100, where the budget would refuse it without the calls that run and
    /// its last threshold before 100 is reached. A hard cap rarely gets to its last cent.
    /// </summary>
    public static IEnumerable<int> Refused(BudgetStatus status, Money least)
    {
        var reached = Reached(status).ToArray();
        return status.Budget.Hard && status.Budget.Limit - status.Spent < least && reached.Contains(Budget.Thresholds[^2]) ? Budget.Thresholds : [];
    }

    /// <summary><c>evt_</c> and 96 bits that follow from the budget, the period and the threshold, so that raising twice gives the same id.</summary>
    public static string IdOf(Budget budget, BudgetWindow window, int threshold)
    {
        var parts = new[] { budget.Tenant.Value, Number((int)budget.Scope.Kind), budget.Scope.Name, Number((int)budget.Period), Number(window.Start.ToUnixTimeMilliseconds()), Number(threshold) };
        // Lengths first: two budgets whose names run together otherwise would share an id.
        var text = string.Concat(parts.Select(part => $"{Number(part.Length)}:{part}"));
        return "evt_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 12));
    }

    private static Int128 Percent(Money money) => (Int128)money.NanoDollars * 100;

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
