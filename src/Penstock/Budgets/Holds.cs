using System.Globalization;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Usage;

namespace Penstock.Budgets;

/// <summary>What a call is going to need.</summary>
/// <param name="Ceiling">The most it can cost.</param>
/// <param name="Least">The least with which it is worth calling; <paramref name="Ceiling"/> where the client fixed its size.</param>
internal readonly record struct Need(Money Ceiling, Money Least);

/// <param name="Granted">What the call may cost.</param>
/// <param name="Remaining">What the tightest hard budget leaves after it; null where there is none.</param>
internal readonly record struct Hold(Money Granted, Money? Remaining);

/// <summary>Money is held in the store before a provider is called, over every scope at once, and settled once at what was metered.</summary>
internal sealed class Holds(IBudgetStore store, BudgetSection section, TimeProvider time)
{
    /// <summary>Throws 402 that names the budget. A call that can cost nothing holds nothing.</summary>
    public async ValueTask<Hold> ReserveAsync(Caller caller, LedgerRow unsettled, Need need, CancellationToken ct)
    {
        if (need.Ceiling == Money.Zero) return new Hold(Money.Zero, null);

        var reservation = await store.ReserveAsync(
            new HoldRequest
            {
                Unsettled = unsettled,
                Implied = ImpliedBy(caller),
                Wanted = need.Ceiling,
                Least = need.Least,
                ExpiresAt = time.GetUtcNow() + section.Current.HoldFor,
            },
            ct);
        if (reservation.Granted is not { } granted) throw Refuse(reservation.Refusing!, need);

        var hard = reservation.Budgets.Where(status => status.Budget.Hard).ToArray();
        return new Hold(granted, hard.Length == 0 ? null : hard.Min(status => status.Remaining));
    }

    public Task SettleAsync(LedgerRow row, CancellationToken ct) => store.SettleAsync(row, ct);

    /// <summary>What every call of the key is under.</summary>
    public static IReadOnlyList<BudgetScope> ScopesOf(Caller caller) =>
    [
        new(BudgetScopeKind.Tenant, caller.Tenant.Value),
        new(BudgetScopeKind.Project, caller.Project.Value),
        new(BudgetScopeKind.Key, caller.Key.Id.Value),
    ];

    /// <summary>The key's own <c>monthlyBudget</c>.</summary>
    public static IReadOnlyList<Budget> ImpliedBy(Caller caller) => caller.Key.MonthlyBudget is { } limit
        ? [new Budget { Tenant = caller.Tenant, Scope = new(BudgetScopeKind.Key, caller.Key.Id.Value), Period = BudgetPeriod.Month, Limit = limit }]
        : [];

    private static RefusedException Refuse(BudgetStatus status, Need need)
    {
        var budget = status.Budget;
        var held = status.Held > Money.Zero ? string.Create(CultureInfo.InvariantCulture, $", {Usd(status.Held)} held by running calls") : "";
        var resets = status.Window.End is { } end ? $" It resets on {TimeZoneInfo.ConvertTimeBySystemTimeZoneId(end, budget.TimeZone):yyyy-MM-dd}." : " It does not reset.";
        return new RefusedException(new Refusal(
            RefusalKind.Unaffordable,
            "budget_exceeded",
            $"The {Name(budget.Period)} budget of {budget.Scope} does not cover this call: {Usd(status.Spent)} of {Usd(budget.Limit)} USD spent{held}, and the call may cost {Usd(need.Least)} USD.{resets}"));
    }

    private static string Name(BudgetPeriod period) => period switch
    {
        BudgetPeriod.Day => "daily",
        BudgetPeriod.Week => "weekly",
        BudgetPeriod.Month => "monthly",
        _ => "total",
    };

    private static string Usd(Money money) => money.Usd.ToString("0.00####", CultureInfo.InvariantCulture);
}
