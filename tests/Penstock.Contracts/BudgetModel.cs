using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Contracts;

/// <summary>
/// What the comment of <see cref="IBudgetStore"/> says, in memory and nothing else: attempts in a list, and every balance a sum over it. It keeps no
/// balance that could go wrong.
/// </summary>
internal sealed class BudgetModel
{
    private readonly Dictionary<AttemptId, ModelAttempt> _attempts = [];
    private readonly Dictionary<(BudgetScope Scope, BudgetPeriod Period), Budget> _budgets = [];

    public IEnumerable<Budget> Budgets => _budgets.Values;

    public IReadOnlyCollection<ModelAttempt> Attempts => _attempts.Values;

    public void Put(Budget budget) => _budgets[(budget.Scope, budget.Period)] = budget;

    public bool Remove(BudgetScope scope, BudgetPeriod period) => _budgets.Remove((scope, period));

    public (Money? Granted, IReadOnlyList<BudgetStatus> Budgets, Money? Refusing) Reserve(HoldRequest request)
    {
        var budgets = Over(BudgetScope.Over(request.Unsettled), request.Implied);
        var tightest = budgets.Where(budget => budget.Hard).Select(budget => Status(budget, request.Unsettled.At).Remaining).DefaultIfEmpty(request.Wanted).Min();
        var granted = tightest < request.Wanted ? tightest : request.Wanted;
        if (granted < request.Least) return (null, Statuses(budgets, request.Unsettled.At), tightest);
        Hold(request, granted);
        return (granted, Statuses(budgets, request.Unsettled.At), null);
    }

    public void Hold(HoldRequest request, Money granted) =>
        _attempts.Add(request.Unsettled.Attempt, new ModelAttempt(request.Unsettled, request.ExpiresAt) { Held = granted });

    /// <summary>An attempt stays in the period of its reservation, whenever it is settled.</summary>
    public bool Settle(LedgerRow row)
    {
        if (!_attempts.TryGetValue(row.Attempt, out var attempt)) _attempts.Add(row.Attempt, attempt = new ModelAttempt(row, DateTimeOffset.MaxValue));
        if (attempt.Settled) return false;
        (attempt.Settled, attempt.Held, attempt.Spent) = (true, null, row.Cost);
        return true;
    }

    /// <summary>Unknown is never refunded.</summary>
    public int Expire(DateTimeOffset now)
    {
        var expired = Attempts.Where(attempt => attempt.Held is not null && attempt.ExpiresAt <= now).ToArray();
        foreach (var attempt in expired) (attempt.Held, attempt.Spent) = (null, attempt.Held!.Value);
        return expired.Length;
    }

    public BudgetStatus Status(Budget budget, DateTimeOffset at)
    {
        var window = budget.WindowAt(at);
        var counted = Attempts.Where(attempt => BudgetScope.Over(attempt.Row).Contains(budget.Scope) && attempt.Row.At >= window.Start && (window.End is not { } end || attempt.Row.At < end)).ToArray();
        return new BudgetStatus(budget, window, Sum(counted, attempt => attempt.Spent), Sum(counted, attempt => attempt.Held ?? Money.Zero));
    }

    private List<Budget> Over(IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied) =>
        [.. Budgets.Where(budget => scopes.Contains(budget.Scope)), .. implied.Where(budget => !_budgets.ContainsKey((budget.Scope, budget.Period)))];

    private BudgetStatus[] Statuses(IEnumerable<Budget> budgets, DateTimeOffset at) => [.. budgets.Select(budget => Status(budget, at))];

    private static Money Sum(IEnumerable<ModelAttempt> attempts, Func<ModelAttempt, Money> of) => attempts.Aggregate(Money.Zero, (sum, attempt) => sum + of(attempt));
}

/// <param name="row">As it was when it was reserved, or where nothing was held, when it was settled.</param>
internal sealed class ModelAttempt(LedgerRow row, DateTimeOffset expiresAt)
{
    public LedgerRow Row { get; } = row;

    public DateTimeOffset ExpiresAt { get; } = expiresAt;

    /// <summary>Null where it is not running.</summary>
    public Money? Held { get; set; }

    public Money Spent { get; set; }

    /// <summary>By its own call, not by the sweeper.</summary>
    public bool Settled { get; set; }
}
