using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>
/// Many decisions at once against caps that admit about half of them, over three scopes each. A plain model then replays the ledger: no cap is passed at
/// any entry, every decision was right, and nothing is refused in the end that fits.
/// </summary>
public abstract class HardCapContract : LedgerContract
{
    private const int InFlight = 256;
    private const int Keys = 16;
    private const int Projects = 4;
    private const int LargestAmount = 1_000;

    /// <summary>How many reservations are tried.</summary>
    protected virtual int Decisions => 100_000;

    /// <summary>Whether each call has a reservation of its own in the ledger; where many share one, each has its end.</summary>
    protected virtual bool ReservesEach => true;

    /// <summary>Gives back what a store holds for calls that have not come.</summary>
    protected virtual Task RestAsync() => Task.CompletedTask;

    [Fact]
    public async Task No_decision_is_wrong_and_no_cap_is_passed_at_any_entry()
    {
        var caps = Caps();
        foreach (var (scope, cap) in caps) await Budgets.PutAsync(Limit(scope, BudgetPeriod.Month, cap), Ct);
        var decisions = new Reservation[Decisions];

        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, InFlight).Select(worker => Task.Run(
            async () =>
            {
                for (var i = Interlocked.Increment(ref next); i < Decisions; i = Interlocked.Increment(ref next)) decisions[i] = await DecideAsync(i);
            },
            Ct)));

        await RestAsync();
        var entries = await EntriesAsync(Acme);
        var model = new Model(caps);
        foreach (var entry in entries) model.Apply(entry);
        Assert.Empty(model.Passed);
        Assert.Empty(Enumerable.Range(0, Decisions).Where(i => !model.Explains(decisions[i], Ask(i).Least)).Select(i => decisions[i]));
        var granted = decisions.Count(decision => decision.Granted is not null);
        Assert.Equal(granted, entries.Count(entry => entry.Kind is LedgerEntryKind.Settle or LedgerEntryKind.Release && entry.Row.Attempt.Value[0] == 'd'));
        if (ReservesEach) Assert.Equal(granted, entries.Count(entry => entry.Kind == LedgerEntryKind.Reserve));
        Assert.InRange(granted, Decisions / 3, Decisions * 2 / 3);
        await NothingIsRefusedThatFitsAsync(caps.Keys);
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    private async Task<Reservation> DecideAsync(int number)
    {
        var ask = Ask(number);
        var decision = await Budgets.ReserveAsync(ask, Ct);
        if (decision.Granted is not { } granted) return decision;
        var cost = new Money(granted.NanoDollars * (number / Keys % 4) / 3);
        Assert.True(await Budgets.SettleAsync(ask.Unsettled with { Cost = cost, Outcome = AttemptOutcome.Completed }, Ct));
        return decision;
    }

    /// <summary>What is left of each key under its project and the tenant is granted to the last nano-dollar, and one more is refused.</summary>
    private async Task NothingIsRefusedThatFitsAsync(IEnumerable<BudgetScope> scopes)
    {
        foreach (var key in scopes.Where(scope => scope.Kind == BudgetScopeKind.Key))
        {
            var row = Ask(int.Parse(key.Name, System.Globalization.CultureInfo.InvariantCulture)).Unsettled with { Attempt = new AttemptId($"last-{key.Name}") };
            var statuses = await Budgets.StatusAsync(Acme, BudgetScope.Over(row), [], Now, Ct);
            Assert.Equal(3, statuses.Count);
            Assert.All(statuses, status => Assert.Equal(Money.Zero, status.Held));
            var left = statuses.Min(status => status.Remaining);
            Assert.Null((await Budgets.ReserveAsync(Request(row, left.NanoDollars + 1), Ct)).Granted);
            if (left <= Money.Zero) continue;
            Assert.Equal(left, (await Budgets.ReserveAsync(Request(row, left.NanoDollars), Ct)).Granted);
            Assert.True(await Budgets.SettleAsync(row, Ct));
        }
    }

    /// <summary>The same for the same number.</summary>
    private static HoldRequest Ask(int number)
    {
        var source = new SeededSource((ulong)number);
        var wanted = 1 + source.Below(LargestAmount);
        var key = number % Keys;
        return Request(Row($"d{number}") with { Key = new KeyId($"{key}"), Project = new ProjectId($"p{key % Projects}") }, wanted, source.OneIn(4) ? Math.Max(1, wanted / 2) : wanted);
    }

    /// <summary>Of what would be spent if all passed (about half of what is asked for), keys may spend from a quarter to more than all, projects and the tenant most.</summary>
    private Dictionary<BudgetScope, long> Caps()
    {
        var perKey = (long)Decisions / Keys * LargestAmount / 4;
        var caps = new Dictionary<BudgetScope, long> { [new(BudgetScopeKind.Tenant, "acme")] = perKey * Keys * 55 / 100 };
        for (var i = 0; i < Projects; i++) caps[new(BudgetScopeKind.Project, $"p{i}")] = perKey * Keys / Projects * (45 + 15 * i) / 100;
        for (var i = 0; i < Keys; i++) caps[new(BudgetScopeKind.Key, $"{i}")] = perKey * (25 + 7 * i) / 100;
        return caps;
    }

    /// <summary>Every budget as a sum, and every state it was in.</summary>
    private sealed class Model(Dictionary<BudgetScope, long> caps)
    {
        private readonly Dictionary<BudgetScope, (long Spent, long Held)> _now = caps.Keys.ToDictionary(scope => scope, _ => (0L, 0L));
        private readonly HashSet<(BudgetScope, long Spent, long Held)> _states = [.. caps.Keys.Select(scope => (scope, 0L, 0L))];

        public List<string> Passed { get; } = [];

        public void Apply(LedgerEntry entry)
        {
            foreach (var scope in BudgetScope.Over(entry.Row).Where(caps.ContainsKey))
            {
                var (spent, held) = _now[scope];
                _now[scope] = (spent, held) = (spent + entry.Spent.NanoDollars, held + entry.Held.NanoDollars);
                _states.Add((scope, spent, held));
                if (spent + held > caps[scope] || held < 0) Passed.Add($"Entry {entry.Number} leaves {scope} with {spent} spent and {held} held of {caps[scope]}.");
            }
        }

        /// <summary>A grant covers what was needed; a refusal names a budget that was in just that state, and in it left too little.</summary>
        public bool Explains(Reservation decision, Money least)
        {
            if (decision.Granted is { } granted) return granted >= least;
            return decision.Refusing is { } status && status.Remaining < least
                && _states.Contains((status.Budget.Scope, status.Spent.NanoDollars, status.Held.NanoDollars));
        }
    }
}
