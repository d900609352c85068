using System.Runtime.InteropServices;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Sqlite.Usage;
using Penstock.Usage;

namespace Penstock.Sqlite.Budgets;

/// <summary>
/// Budgets, balances and rollups in the writer's memory. A group of operations moves them here and writes each that moved once, before its commit: many calls
/// move the same few. An operation moves them as the last thing it does, after all that can fail; where the group is undone all of this is forgotten.
/// </summary>
internal sealed class Books : IGathered
{
    /// <summary>Scopes remembered; past it all are read again as they are needed.</summary>
    private const int MostScopes = 50_000;

    private readonly Dictionary<TenantId, Dictionary<BudgetScope, List<KnownBudget>>> _budgets = [];
    private readonly Dictionary<(TenantId, BudgetScope), List<Balance>> _balances = [];
    private readonly Dictionary<(TenantId, AttemptId), LedgerRow> _running = [];
    private readonly List<Balance> _changed = [];
    private readonly List<(BudgetStatus Status, int Threshold, DateTimeOffset At)> _alerts = [];
    private readonly Dictionary<RollupKey, Rollup> _quarters = [];
    private readonly Dictionary<(TenantId, string), ConversationSum> _conversations = [];
    private bool _torn;

    /// <summary>Stored budgets over these scopes, and those of <paramref name="implied"/> that no stored one stands before, each with its balance at <paramref name="at"/>.</summary>
    public List<Standing> Over(Session session, TenantId tenant, IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at)
    {
        var stored = BudgetsOf(session, tenant);
        var found = new List<Standing>();
        foreach (var scope in scopes)
        {
            if (!stored.TryGetValue(scope, out var known)) continue;
            foreach (var budget in known) found.Add(Stand(session, budget, at));
        }

        foreach (var budget in implied)
        {
            if (!found.Exists(standing => standing.Budget.Scope == budget.Scope && standing.Budget.Period == budget.Period)) found.Add(Stand(session, new KnownBudget(budget), at));
        }

        return found;
    }

    /// <summary>Every stored budget of the tenant.</summary>
    public List<Standing> All(Session session, TenantId tenant, DateTimeOffset at) =>
        [.. BudgetsOf(session, tenant).Values.SelectMany(budgets => budgets).Select(budget => Stand(session, budget, at))];

    /// <summary>Budgets of the tenant were changed.</summary>
    public void Forget(TenantId tenant) => _budgets.Remove(tenant);

    /// <summary>The attempt as it was reserved, whose hold ends now: most often still in memory, else the entry <paramref name="number"/>.</summary>
    public LedgerRow Reserved(Session session, TenantId tenant, AttemptId attempt, long number) =>
        _running.Remove((tenant, attempt), out var row) ? row : LedgerRows.Get(session, tenant, number);

    /// <summary>What an entry of the attempt moves, read so that <see cref="Enter"/> cannot fail. A run has its balance before any of its entries.</summary>
    public IReadOnlyList<BudgetScope> Moved(Session session, LedgerRow row)
    {
        var scopes = BudgetScope.Over(row);
        foreach (var scope in scopes)
        {
            var balances = BalancesOf(session, row.Tenant, scope);
            if (scope.Kind == BudgetScopeKind.Run && balances.Count == 0) balances.Add(OpenRun(Budget.OfRun(row.Tenant, new RunId(scope.Name), Money.Zero), row.At));
        }

        return scopes;
    }

    /// <summary>Moves every balance over the scopes at the attempt's time, and the rollups where the entry books something.</summary>
    public void Enter(LedgerEntryKind kind, LedgerRow row, Money held, IReadOnlyList<BudgetScope> scopes)
    {
        _torn = true;
        Move(kind, row, scopes, held);
        if (kind == LedgerEntryKind.Reserve) _running[(row.Tenant, row.Attempt)] = row;
        else Book(kind, row);
        _torn = false;
    }

    /// <summary>A reservation that needed <paramref name="least"/> was refused: says so of the budgets that are as good as spent.</summary>
    public void Refuse(List<Standing> standings, Money least, DateTimeOffset at)
    {
        foreach (var standing in standings)
        {
            foreach (var threshold in AlertRules.Refused(standing.Status, least)) Raise(standing, threshold, at);
        }
    }

    public void Flush(Session session)
    {
        if (_torn) throw new InvalidOperationException("An operation failed while it gathered what it moved, so that nothing of its group can be kept.");
        foreach (var balance in _changed)
        {
            Balances.Put(session, balance);
            if (balance.BookedAt is { } at) RaiseReached(session, balance, DateTimeOffset.FromUnixTimeMilliseconds(at));
            (balance.Changed, balance.BookedAt) = (false, null);
        }

        _changed.Clear();
        foreach (var (status, threshold, at) in _alerts) Alerts.Raise(session, status, threshold, at);
        _alerts.Clear();
        RollupRows.Add(session, _quarters);
        _quarters.Clear();
        Conversations.Add(session, _conversations);
        _conversations.Clear();
        if (_balances.Count > MostScopes) _balances.Clear();
    }

    public void Discard()
    {
        _budgets.Clear();
        _balances.Clear();
        _running.Clear();
        _changed.Clear();
        _alerts.Clear();
        _quarters.Clear();
        _conversations.Clear();
        _torn = false;
    }

    /// <summary>Adds a booked entry to the rollups.</summary>
    public void Book(LedgerEntryKind kind, LedgerRow row)
    {
        foreach (var key in RollupKey.Of(row)) Add(key, kind, row);
        if (row.Conversation is not { Length: > 0 } conversation) return;
        var name = (row.Tenant, conversation);
        var added = ConversationSum.Of(kind, row);
        _conversations[name] = _conversations.TryGetValue(name, out var sum) ? sum + added : added;
    }

    private void Move(LedgerEntryKind kind, LedgerRow row, IReadOnlyList<BudgetScope> scopes, Money held)
    {
        var at = row.At.ToUnixTimeMilliseconds();
        foreach (var scope in scopes)
        {
            foreach (var balance in _balances[(row.Tenant, scope)])
            {
                if (!balance.Covers(at)) continue;
                balance.Held += held;
                balance.Spent += row.Cost;
                if (kind != LedgerEntryKind.Reserve) balance.BookedAt = at + row.LatencyMs;
                Change(balance);
            }
        }
    }

    private Dictionary<BudgetScope, List<KnownBudget>> BudgetsOf(Session session, TenantId tenant)
    {
        if (_budgets.TryGetValue(tenant, out var budgets)) return budgets;
        budgets = BudgetRows.All(session, tenant).GroupBy(budget => budget.Scope).ToDictionary(scope => scope.Key, scope => scope.Select(budget => new KnownBudget(budget)).ToList());
        _budgets.Add(tenant, budgets);
        return budgets;
    }

    private List<Balance> BalancesOf(Session session, TenantId tenant, BudgetScope scope)
    {
        if (_balances.TryGetValue((tenant, scope), out var balances)) return balances;
        balances = Balances.OfScope(session, tenant, scope);
        _balances.Add((tenant, scope), balances);
        return balances;
    }

    private Standing Stand(Session session, KnownBudget known, DateTimeOffset at)
    {
        var (budget, window) = (known.Budget, known.WindowAt(at));
        var balances = BalancesOf(session, budget.Tenant, budget.Scope);
        var balance = balances.Find(balance => balance.Is(window));
        if (balance is null) balances.Add(balance = budget.Scope.Kind == BudgetScopeKind.Run ? OpenRun(budget, at) : Open(session, budget, window));
        return new Standing(budget, window, balance);
    }

    private Balance OpenRun(Budget budget, DateTimeOffset at)
    {
        var window = budget.WindowAt(at);
        var balance = new Balance(budget.Tenant, budget.Scope, Balance.FromOf(window), Balance.ToOf(window)) { OpenedAt = at.ToUnixTimeMilliseconds() };
        Change(balance);
        return balance;
    }

    /// <summary>The first question after a period's balance, or the first of a budget that was made later than its calls.</summary>
    private Balance Open(Session session, Budget budget, BudgetWindow window)
    {
        var (tenant, scope, from, to) = (budget.Tenant, budget.Scope, Balance.FromOf(window), Balance.ToOf(window));
        var spent = Balances.Spent(session, tenant, scope, from, to);
        foreach (var (key, rollup) in _quarters)
        {
            if (key.Tenant == tenant && key.At >= from && key.At < to && key.IsOf(scope)) spent += rollup.Sum.Cost;
        }

        var balance = new Balance(tenant, scope, from, to) { Spent = spent, Held = Balances.Held(session, tenant, scope, from, to) };
        Change(balance);
        return balance;
    }

    /// <summary>For every budget whose period the balance is: those that are stored, and a key's own.</summary>
    private void RaiseReached(Session session, Balance balance, DateTimeOffset at)
    {
        var stored = BudgetsOf(session, balance.Tenant).GetValueOrDefault(balance.Scope, []);
        var own = BudgetRows.OfKey(session, balance.Tenant, balance.Scope) is { } budget && !stored.Exists(known => known.Budget.Period == budget.Period) ? new KnownBudget(budget) : null;
        foreach (var known in own is null ? stored : [.. stored, own])
        {
            var window = known.WindowAt(DateTimeOffset.FromUnixTimeMilliseconds(balance.From));
            if (!balance.Is(window)) continue;
            var standing = new Standing(known.Budget, window, balance);
            foreach (var threshold in AlertRules.Reached(standing.Status)) Raise(standing, threshold, at);
        }
    }

    private void Raise(Standing standing, int threshold, DateTimeOffset at)
    {
        if (standing.Balance.Raised.Add(threshold)) _alerts.Add((standing.Status, threshold, at));
    }

    private void Change(Balance balance)
    {
        if (balance.Changed) return;
        balance.Changed = true;
        _changed.Add(balance);
    }

    private void Add(RollupKey key, LedgerEntryKind kind, LedgerRow row)
    {
        ref var rollup = ref CollectionsMarshal.GetValueRefOrAddDefault(_quarters, key, out _);
        (rollup ??= new Rollup()).Add(kind, row);
    }
}

/// <summary>A budget, the period it was last asked about, and its balance there.</summary>
internal sealed class KnownBudget(Budget budget)
{
    private BudgetWindow? _last;

    public Budget Budget { get; } = budget;

    /// <summary>Zones are costly to compute with, and calls come in order: the last period is most often the next one asked for.</summary>
    public BudgetWindow WindowAt(DateTimeOffset at)
    {
        if (_last is { } last && at >= last.Start && (last.End is not { } end || at < end)) return last;
        var window = Budget.WindowAt(at);
        _last = window;
        return window;
    }
}

/// <summary>Where a budget stands, for as long as its operation runs.</summary>
internal readonly record struct Standing(Budget Budget, BudgetWindow Window, Balance Balance)
{
    public Money Remaining => Budget.Limit - Balance.Spent - Balance.Held;

    public BudgetStatus Status => new(Budget, Window, Balance.Spent, Balance.Held);
}
