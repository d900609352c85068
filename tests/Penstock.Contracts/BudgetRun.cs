using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>A store and its model side by side, for one tenant.</summary>
/// <param name="mostChanges">How often a budget may be changed under one running call.</param>
/// <param name="tooBusy">Whether the store says so that it gave up a reservation among too many others, and that nothing is held.</param>
internal sealed class BudgetRun(IBudgetStore store, IUsageStore usage, TenantId tenant, Func<Exception, bool> tooBusy, int mostChanges, CancellationToken ct)
{
    private const int Page = 500;
    private static readonly DateTimeOffset Doomsday = new(2200, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly BudgetModel _model = new();
    private DateTimeOffset _now = BudgetCommands.Start;

    public IBudgetStore Store => store;

    public Func<Exception, bool> TooBusy => tooBusy;

    public int MostChanges => mostChanges;

    public BudgetModel Model => _model;

    public TenantId Tenant => tenant;

    public CancellationToken Ct => ct;

    /// <summary>Leaves no hold to the cases after it, whatever came of this one.</summary>
    public async Task CleanedUpAsync(Func<Task> run)
    {
        try
        {
            await run();
        }
        finally
        {
            while (await store.ExpireAsync(Doomsday, ct) > 0)
            {
            }
        }
    }

    /// <summary>Does it to both; they answer the same and stand the same after it.</summary>
    public async Task DoAsync(BudgetCommand command)
    {
        switch (command)
        {
            case BudgetCommand.Reserve reserve: await ReserveAsync(BudgetCommands.Request(tenant, reserve, _now)); break;
            case BudgetCommand.Settle settle: await SettleAsync(settle); break;
            case BudgetCommand.Expire: Assert.Equal(_model.Expire(_now), await store.ExpireAsync(_now, ct)); break;
            case BudgetCommand.Move move: _now = _now.AddMinutes(move.Minutes); break;
            case BudgetCommand.Put put:
                _model.Put(BudgetCommands.Budget(tenant, put));
                await store.PutAsync(BudgetCommands.Budget(tenant, put), ct);
                break;
            case BudgetCommand.Remove remove:
                var (scope, period) = BudgetCommands.Shape(tenant, remove.Budget);
                Assert.Equal(_model.Remove(scope, period), await store.RemoveAsync(tenant, scope, period, ct));
                break;
        }

        await StandsAsTheModelAsync(_now);
    }

    /// <summary>Ends all that runs; then the ledger, the sums and the balances are the same money.</summary>
    public async Task BooksAreRightAsync(DateTimeOffset? at = null)
    {
        _now = at ?? _now;
        await LedgerFoldsToTheModelAsync();
        Assert.Equal(_model.Expire(Doomsday), await store.ExpireAsync(Doomsday, ct));
        await StandsAsTheModelAsync(_now);
        await LedgerFoldsToTheModelAsync();
        var spent = _model.Attempts.Aggregate(Money.Zero, (sum, attempt) => sum + attempt.Spent);
        Assert.Equal(spent, (await usage.SumAsync(tenant, new UsageQuery(), ct)).Total.Cost);
        Assert.Empty(await store.VerifyAsync(ct));
    }

    public async Task<IReadOnlyList<LedgerEntry>> EntriesAsync()
    {
        var entries = new List<LedgerEntry>();
        while (true)
        {
            var page = await store.EntriesAsync(tenant, entries.Count == 0 ? 0 : entries[^1].Number, Page, ct);
            entries.AddRange(page);
            if (page.Count < Page) return entries;
        }
    }

    private async Task ReserveAsync(HoldRequest request)
    {
        if (_model.Attempts.Any(attempt => attempt.Row.Attempt == request.Unsettled.Attempt))
        {
            // A second one is a bug and throws, unless it is refused anyway; what it must not do is move money.
            Reservation? second = null;
            var thrown = await Record.ExceptionAsync(async () => second = await store.ReserveAsync(request, ct));
            Assert.True(thrown is not null || second?.Granted is null, $"{request.Unsettled.Attempt} was reserved twice");
            return;
        }

        var (granted, budgets, refusing) = _model.Reserve(request);
        var reservation = await store.ReserveAsync(request, ct);
        Assert.Equal(granted, reservation.Granted);
        Assert.Equal(refusing, reservation.Refusing?.Remaining);
        Assert.Equal(Texts(budgets), Texts(reservation.Budgets));
    }

    private async Task SettleAsync(BudgetCommand.Settle settle)
    {
        var reserved = _model.Attempts.FirstOrDefault(attempt => attempt.Row.Attempt.Value == $"a{settle.Attempt}");
        // Where nothing was held, a row of its own: such as the free calls, and those of a store that was down.
        var row = reserved?.Row ?? BudgetCommands.Row(tenant, $"a{settle.Attempt}", settle.Key, 0, 0, _now) with { Run = BudgetCommands.Path(settle.Run) };
        var most = reserved?.Held?.NanoDollars ?? BudgetCommands.MostNanos;
        row = row with { At = _now, Cost = new Money(most * settle.Cost / 100), PriceVersion = "when settled" };
        Assert.Equal(_model.Settle(row), await store.SettleAsync(row, ct));
    }

    private async Task StandsAsTheModelAsync(DateTimeOffset at)
    {
        var envelopes = BudgetCommands.Envelopes(tenant);
        Assert.Equal(Texts(envelopes.Select(budget => _model.Status(budget, at))), Texts(await store.StatusAsync(tenant, [], envelopes, at, ct)));
        Assert.Equal(Texts(_model.Budgets.Select(budget => _model.Status(budget, at))), Texts(await store.ListAsync(tenant, at, ct)));
    }

    /// <summary>Attempt by attempt: what its entries add up to is what it holds and has spent.</summary>
    private async Task LedgerFoldsToTheModelAsync()
    {
        var entries = await EntriesAsync();
        Assert.Equal(entries.Select(entry => entry.Number).Order(), entries.Select(entry => entry.Number));
        var folded = entries.GroupBy(entry => entry.Row.Attempt).Select(group => $"{group.Key} {Sum(group, entry => entry.Held)} held {Sum(group, entry => entry.Spent)} spent");
        Assert.Equal(_model.Attempts.Select(attempt => $"{attempt.Row.Attempt} {attempt.Held ?? Money.Zero} held {attempt.Spent} spent").Order(), folded.Order());
        Assert.All(entries, entry => Assert.Equal(Kind(entry), entry.Kind));
        Assert.All(entries.GroupBy(entry => (entry.Row.Attempt, entry.Kind)), group => Assert.Single(group));
    }

    /// <summary>What an entry must be called for what it did.</summary>
    private static LedgerEntryKind Kind(LedgerEntry entry) => entry switch
    {
        { Held.NanoDollars: > 0 } => LedgerEntryKind.Reserve,
        { Held.NanoDollars: < 0, Row.Outcome: AttemptOutcome.Unknown } => LedgerEntryKind.Expire,
        { Held.NanoDollars: < 0, Spent.NanoDollars: 0 } => LedgerEntryKind.Release,
        { Held.NanoDollars: < 0 } => LedgerEntryKind.Settle,
        { Spent.NanoDollars: 0 } when entry.Kind == LedgerEntryKind.Release => LedgerEntryKind.Release,
        _ => entry.Kind == LedgerEntryKind.Adjust ? LedgerEntryKind.Adjust : LedgerEntryKind.Settle,
    };

    private static Money Sum(IEnumerable<LedgerEntry> entries, Func<LedgerEntry, Money> of) => entries.Aggregate(Money.Zero, (sum, entry) => sum + of(entry));

    private static IEnumerable<string> Texts(IEnumerable<BudgetStatus> statuses) =>
        statuses.Select(status => $"{status.Budget.Scope} {status.Budget.Period} {status.Budget.TimeZone} from {status.Window.Start:u}: {status.Spent} spent and {status.Held} held of {status.Budget.Limit}{(status.Budget.Hard ? "" : ", soft")}").Order();
}
