using Penstock.Kernel;

namespace Penstock.Budgets;

/// <summary>
/// Alerts that wait to be delivered. <see cref="IBudgetStore"/> raises them in the write that makes them due (see <see cref="AlertRules"/>), at most one
/// for each budget, period and threshold; none is lost on <c>kill -9</c>. Delivery is at least once to each channel, under an id that stays the same.
/// </summary>
public interface IAlertStore
{
    /// <summary>
    /// Takes at most <paramref name="limit"/> alerts that are due, every tenant's, those longest due first. Of any number of takers at once, on any node,
    /// one gets each. Nobody else gets it before <paramref name="until"/>; one whose taker died is due again then.
    /// </summary>
    Task<IReadOnlyList<BudgetAlert>> ClaimAsync(DateTimeOffset now, DateTimeOffset until, int limit, CancellationToken ct);

    /// <summary>
    /// Notes which channels have it by now, in all. <paramref name="retryAt"/> makes it due again then; null ends it. Changes nothing where somebody else
    /// has taken the alert since (its <see cref="BudgetAlert.Tries"/> grew).
    /// </summary>
    Task ReportAsync(BudgetAlert alert, IReadOnlyList<string> delivered, DateTimeOffset? retryAt, CancellationToken ct);
}

/// <summary>A budget reached a threshold.</summary>
/// <param name="Id">The same for every delivery: <see cref="AlertRules.IdOf"/>.</param>
/// <param name="Budget">As it was when the alert was raised.</param>
/// <param name="Threshold">Percent, of <see cref="Budget.Thresholds"/>.</param>
/// <param name="Spent">In the period, when it was raised.</param>
/// <param name="At">When it was raised.</param>
/// <param name="Delivered">Names of the channels that have it.</param>
/// <param name="Tries">How often it was taken, this time included.</param>
public sealed record BudgetAlert(string Id, Budget Budget, BudgetWindow Window, int Threshold, Money Spent, DateTimeOffset At, IReadOnlyList<string> Delivered, int Tries);
