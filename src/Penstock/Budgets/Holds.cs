using System.Globalization;
using Microsoft.Extensions.Logging;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Usage;

namespace Penstock.Budgets;

/// <summary>What a call is going to need.</summary>
/// <param name="Ceiling">The most it can cost.</param>
/// <param name="Least">The least with which it is worth calling; <paramref name="Ceiling"/> where the client fixed its size.</param>
/// <param name="Extra">The request field that may cost more than <paramref name="Ceiling"/>; null where there is none.</param>
internal readonly record struct Need(Money Ceiling, Money Least, string? Extra = null);

/// <param name="Granted">What the call may cost.</param>
/// <param name="Remaining">What the tightest hard budget leaves after it; null where there is none.</param>
/// <param name="Warning">The soft budgets that the call passes; null where there is none.</param>
internal readonly record struct Hold(Money Granted, Money? Remaining = null, string? Warning = null);

/// <summary>Money is held in the store before a provider is called, over every scope at once, and settled once at what was metered.</summary>
internal sealed partial class Holds(IBudgetStore store, BudgetSection section, TimeProvider time, ILogger<Holds> log)
{
    /// <summary>
    /// Throws 402 that names the budget, and 503 where the store fails, unless the operator lets calls pass then. A call that can cost nothing holds nothing.
    /// </summary>
    public async ValueTask<Hold> ReserveAsync(Caller caller, LedgerRow unsettled, Need need, CancellationToken ct)
    {
        if (need.Ceiling == Money.Zero) return new Hold(Money.Zero);

        Reservation reservation;
        try
        {
            var request = RequestFor(caller, unsettled, need);
            if (need.Extra is { } field && !section.Current.AllowExtras) await RefuseExtraAsync(field, request, ct);
            reservation = await store.ReserveAsync(request, ct);
        }
        catch (Exception e) when (e is not RefusedException && !ct.IsCancellationRequested)
        {
            LogUnreserved(unsettled.Attempt, section.Current.AllowUnheld, e);
            return section.Current.AllowUnheld ? new Hold(need.Ceiling) : throw Unavailable();
        }

        if (reservation.Granted is not { } granted) throw Refuse(reservation.Refusing!, need);
        var hard = reservation.Budgets.Where(status => status.Budget.Hard).ToArray();
        return new Hold(granted, hard.Length == 0 ? null : hard.Min(status => status.Remaining), WarningOf(reservation.Budgets));
    }

    /// <summary>Books the attempt. A store that fails is the caller's to answer for, unless the operator lets calls pass then.</summary>
    public async Task SettleAsync(LedgerRow row, CancellationToken ct)
    {
        try
        {
            await store.SettleAsync(row, ct);
        }
        catch (Exception e)
        {
            LogUnbooked(row.Attempt, e);
            if (!section.Current.AllowUnheld) throw;
        }
    }

    private HoldRequest RequestFor(Caller caller, LedgerRow unsettled, Need need) => new()
    {
        Unsettled = unsettled,
        Implied = ImpliedBy(caller),
        Wanted = need.Ceiling,
        Least = need.Least,
        ExpiresAt = time.GetUtcNow() + section.Current.HoldFor,
    };

    /// <summary>What every call of the key is under.</summary>
    public static IReadOnlyList<BudgetScope> ScopesOf(Caller caller) =>
    [
        new(BudgetScopeKind.Tenant, caller.Tenant.Value),
        new(BudgetScopeKind.Project, caller.Project.Value),
        new(BudgetScopeKind.Key, caller.Key.Id.Value),
    ];

    /// <summary>The key's own <c>monthlyBudget</c>, and the envelopes of the runs that call.</summary>
    public static IReadOnlyList<Budget> ImpliedBy(Caller caller)
    {
        // A run that is not held to its envelope would spend without end, and nobody would see.
        if (BudgetScope.Runs(caller.Run).Count() != caller.Envelopes.Count) throw new InvalidOperationException($"Runs '{caller.Run}' do not have an envelope each.");
        var runs = caller.Envelopes.Select(envelope => Budget.OfRun(caller.Tenant, envelope.Run, envelope.Limit));
        return caller.Key.MonthlyBudget is { } limit ? [Budget.OfKey(caller.Tenant, caller.Key.Id, limit), .. runs] : [.. runs];
    }

    /// <summary>Where a run's envelope stands: what the run and all that it started spent, and hold.</summary>
    public async Task<BudgetStatus> RunSpendAsync(TenantId tenant, RunId run, Money limit, CancellationToken ct) =>
        (await store.StatusAsync(tenant, [], [Budget.OfRun(tenant, run, limit)], time.GetUtcNow(), ct)).Single();

    private async Task RefuseExtraAsync(string field, HoldRequest request, CancellationToken ct)
    {
        var budgets = await store.StatusAsync(request.Unsettled.Tenant, BudgetScope.Over(request.Unsettled), request.Implied, request.Unsettled.At, ct);
        if (budgets.FirstOrDefault(status => status.Budget.Hard) is not { } hard) return;
        throw new RefusedException(Refusal.Invalid(
            field,
            $"'{field}' may be billed beside tokens, which the hard {Name(hard.Budget.Period)} budget of {hard.Budget.Scope} cannot cap. Remove it, make the budget soft, or let an operator set budgets.extras to 'allow'."));
    }

    private static string? WarningOf(IReadOnlyList<BudgetStatus> budgets)
    {
        var passed = budgets.Where(status => !status.Budget.Hard && status.Remaining < Money.Zero)
            .Select(status => string.Create(CultureInfo.InvariantCulture, $"{status.Budget.Scope} {Name(status.Budget.Period)} {(status.Spent + status.Held).PercentOf(status.Budget.Limit):0}%"));
        return string.Join(", ", passed) is { Length: > 0 } text ? text : null;
    }

    private static RefusedException Unavailable() => new(new Refusal(
        RefusalKind.Unavailable,
        "budget_store_unavailable",
        "What this call may cost could not be reserved, because the store does not answer; no provider was called. Send the request again.") { RetryAfter = TimeSpan.FromSeconds(1) });

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

    private static string Usd(Money money) => money.Usd.ToString("0.00#######", CultureInfo.InvariantCulture);

    [LoggerMessage(Level = LogLevel.Error, Message = "attempt {AttemptId} could not be reserved for; it goes on without a hold: {GoesOn}")]
    private partial void LogUnreserved(AttemptId attemptId, bool goesOn, Exception e);

    [LoggerMessage(Level = LogLevel.Critical, Message = "attempt {AttemptId} could not be booked")]
    private partial void LogUnbooked(AttemptId attemptId, Exception e);
}
