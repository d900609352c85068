using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>An adapter's stores over one set of data.</summary>
public sealed record AlertStores(IAlertStore Alerts, IBudgetStore Budgets, IKeyStore Keys);

/// <summary>What every alert store must do, and when every budget store raises. An adapter's tests derive from this.</summary>
public abstract partial class AlertStoreContract : IAsyncLifetime
{
    private static readonly TenantId Acme = new("acme");
    private static readonly BudgetScope Key = new(BudgetScopeKind.Key, "k1");
    private static readonly BudgetScope Everything = new(BudgetScopeKind.Tenant, "acme");
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Later = Now.AddDays(40);

    private int _calls;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private AlertStores Stores { get; set; } = null!;

    public async ValueTask InitializeAsync() => Stores = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Empty stores; called once.</summary>
    protected abstract ValueTask<AlertStores> OpenAsync();

    /// <summary>What a process that starts again would have: the same data, and nothing that was in memory.</summary>
    protected abstract ValueTask<AlertStores> ReopenAsync();

    protected abstract ValueTask CloseAsync();

    [Fact]
    public async Task Each_threshold_is_raised_once_in_a_period()
    {
        await PutAsync(Key, 1000);

        Assert.Empty(await SpendAsync(499));
        Assert.Equal([50], await SpendAsync(1));
        Assert.Empty(await SpendAsync(299));
        Assert.Equal([80], await SpendAsync(1));
        Assert.Empty(await SpendAsync(199));
        Assert.Equal([100], await SpendAsync(1));
        Assert.Empty(await SpendAsync(0));
    }

    [Fact]
    public async Task A_runs_envelope_raises_none()
    {
        var envelope = Budget.OfRun(Acme, new RunId("run_a"), new Money(1000));
        foreach (var (attempt, wanted) in new[] { ("a1", 500), ("a2", 450), ("a3", 51) })
        {
            var row = Row(attempt, wanted, Now) with { Run = "run_a" };
            var hold = new HoldRequest { Unsettled = row, Implied = [envelope], Wanted = row.Cost, Least = row.Cost, ExpiresAt = Now.AddHours(1) };
            if ((await Stores.Budgets.ReserveAsync(hold, Ct)).Granted is not null) await Stores.Budgets.SettleAsync(row, Ct);
        }

        Assert.Equal(950, Assert.Single(await Stores.Budgets.StatusAsync(Acme, [], [envelope], Now, Ct)).Spent.NanoDollars);
        Assert.Empty(await ClaimAsync());
    }

    [Fact]
    public async Task One_call_that_reaches_several_raises_each()
    {
        await PutAsync(Key, 1000);

        Assert.Equal([50, 80, 100], await SpendAsync(1000));
    }

    [Fact]
    public async Task An_alert_says_which_budget_how_much_and_when()
    {
        var budget = new Budget { Tenant = Acme, Scope = Key, Period = BudgetPeriod.Day, Limit = new Money(1000), TimeZone = "Europe/Zurich" };
        await Stores.Budgets.PutAsync(budget, Ct);
        await ReserveAsync("a1", 700, Now);
        await Stores.Budgets.SettleAsync(Row("a1", 612, Now), Ct);

        var alert = Assert.Single(await ClaimAsync());

        Assert.Equal(budget, alert.Budget);
        Assert.Equal(budget.WindowAt(Now), alert.Window);
        Assert.Equal((50, 612L, 1), (alert.Threshold, alert.Spent.NanoDollars, alert.Tries));
        Assert.InRange(alert.At, Now, Now.AddSeconds(1));
        Assert.Empty(alert.Delivered);
        Assert.Equal(AlertRules.IdOf(alert.Budget, alert.Window, 50), alert.Id);
    }

    [Fact]
    public async Task The_next_period_raises_again()
    {
        await PutAsync(Key, 1000);
        Assert.Equal([50, 80], await SpendAsync(900));
        var next = Now.AddDays(20);

        Assert.Empty(await SpendAsync(400, next));
        Assert.Equal([50], await SpendAsync(100, next));
    }

    [Fact]
    public async Task A_soft_budget_raises_like_a_hard_one()
    {
        await PutAsync(Key, 1000, hard: false);

        Assert.Equal([50, 80, 100], await SpendAsync(5000));
        Assert.False((await StandingAsync()).Budget.Hard);
    }

    [Fact]
    public async Task Every_budget_over_a_call_raises_its_own()
    {
        await PutAsync(Key, 1000);
        await PutAsync(Everything, 10_000);
        await Stores.Budgets.PutAsync(new Budget { Tenant = Acme, Scope = Key, Period = BudgetPeriod.Day, Limit = new Money(1200) }, Ct);
        await ReserveAsync("a1", 900, Now);
        await Stores.Budgets.SettleAsync(Row("a1", 900, Now), Ct);
        await ReserveAsync("a2", 200, Now);
        await ReserveAsync("a3", 100, Now);

        var alerts = await ClaimAsync();

        Assert.Equal(
            [(BudgetPeriod.Day, 50), (BudgetPeriod.Month, 50), (BudgetPeriod.Month, 80), (BudgetPeriod.Month, 100)],
            alerts.Select(alert => (alert.Budget.Period, alert.Threshold)).Order());
        Assert.All(alerts, alert => Assert.Equal(Key, alert.Budget.Scope));
        Assert.Equal(alerts.Count, alerts.Select(alert => alert.Id).Distinct().Count());
    }

    [Fact]
    public async Task A_keys_own_monthly_budget_raises()
    {
        await Stores.Keys.AddAsync(
            new KeyRecord { Tenant = Acme, Project = ProjectId.Default, Id = new KeyId("k1"), Name = "k1", Hash = new byte[32], Scopes = Scopes.Complete, CreatedAt = Now, MonthlyBudget = new Money(1000) },
            Ct);
        var implied = new Budget { Tenant = Acme, Scope = Key, Period = BudgetPeriod.Month, Limit = new Money(1000) };
        await ReserveAsync("a1", 600, Now, implied: implied);
        await Stores.Budgets.SettleAsync(Row("a1", 600, Now), Ct);

        var alert = Assert.Single(await ClaimAsync());

        Assert.Equal((implied, 50), (alert.Budget, alert.Threshold));
    }

    [Fact]
    public async Task A_hold_that_expires_raises_at_what_it_held()
    {
        await PutAsync(Key, 1000);
        await ReserveAsync("a1", 850, Now);
        Assert.Empty(await ClaimAsync());

        await Stores.Budgets.ExpireAsync(Now.AddHours(2), Ct);

        Assert.Equal([50, 80], Thresholds(await ClaimAsync()));
        // The truth is less. What was raised is not raised again when it is spent after all.
        await Stores.Budgets.SettleAsync(Row("a1", 100, Now), Ct);
        Assert.Equal([100], await SpendAsync(900));
    }

    [Fact]
    public async Task A_correction_upwards_raises()
    {
        await PutAsync(Key, 1000);
        await ReserveAsync("a1", 400, Now);
        await Stores.Budgets.ExpireAsync(Now.AddHours(2), Ct);
        Assert.Empty(await ClaimAsync());

        await Stores.Budgets.SettleAsync(Row("a1", 800, Now), Ct);

        Assert.Equal([50, 80], Thresholds(await ClaimAsync()));
    }

    [Fact]
    public async Task A_refusal_that_no_running_call_causes_raises_the_last()
    {
        await PutAsync(Key, 1000);
        Assert.Equal([50, 80], await SpendAsync(850));

        Assert.Null((await ReserveAsync("a8", 151, Now)).Granted);
        Assert.Null((await ReserveAsync("a9", 151, Now)).Granted);

        Assert.Equal([100], Thresholds(await ClaimAsync()));
        Assert.Empty(await SpendAsync(150));
    }

    [Fact]
    public async Task A_refusal_that_running_calls_cause_raises_nothing()
    {
        await PutAsync(Key, 1000);
        Assert.Equal([50, 80], await SpendAsync(850));
        await ReserveAsync("running", 100, Now);

        Assert.Null((await ReserveAsync("a9", 150, Now)).Granted);

        Assert.Empty(await ClaimAsync());
    }

    [Fact]
    public async Task A_refusal_of_a_budget_that_is_little_used_raises_nothing()
    {
        await PutAsync(Key, 1000);
        Assert.Equal([50], await SpendAsync(799));

        Assert.Null((await ReserveAsync("a9", 500, Now)).Granted);

        Assert.Empty(await ClaimAsync());
    }

    [Fact]
    public async Task A_refused_call_raises_for_every_budget_that_is_spent()
    {
        await PutAsync(Key, 1000);
        await PutAsync(Everything, 1010);
        await SpendAsync(950);

        Assert.Null((await ReserveAsync("a9", 500, Now)).Granted);

        Assert.Equal([BudgetScopeKind.Tenant, BudgetScopeKind.Key], (await ClaimAsync()).Where(alert => alert.Threshold == 100).Select(alert => alert.Budget.Scope.Kind).Order());
    }

    [Fact]
    public async Task A_limit_that_changes_raises_what_the_next_call_reaches_and_nothing_twice()
    {
        await PutAsync(Key, 1000);
        Assert.Equal([50], await SpendAsync(600));

        await PutAsync(Key, 2000);
        Assert.Empty(await SpendAsync(600));
        await PutAsync(Key, 1300);

        Assert.Equal([80], await SpendAsync(1));
    }

    [Fact]
    public async Task A_tenants_alerts_are_its_own()
    {
        var other = new TenantId("other");
        await PutAsync(Key, 1000);
        await Stores.Budgets.PutAsync(new Budget { Tenant = other, Scope = Key, Period = BudgetPeriod.Month, Limit = new Money(1000) }, Ct);
        await ReserveAsync("a1", 600, Now);
        await Stores.Budgets.SettleAsync(Row("a1", 600, Now), Ct);
        await ReserveAsync("a1", 600, Now, tenant: other);
        await Stores.Budgets.SettleAsync(Row("a1", 600, Now) with { Tenant = other }, Ct);

        var alerts = await ClaimAsync();

        Assert.Equal(["acme", "other"], alerts.Select(alert => alert.Budget.Tenant.Value).Order());
        Assert.Equal(2, alerts.Select(alert => alert.Id).Distinct().Count());
        await Stores.Alerts.ReportAsync(alerts.Single(alert => alert.Budget.Tenant == Acme), [], null, Ct);
        Assert.Equal(other, Assert.Single(await Stores.Alerts.ClaimAsync(Later.AddYears(1), Later.AddYears(2), 10, Ct)).Budget.Tenant);
    }

    [Fact]
    public async Task Calls_that_end_at_once_raise_each_threshold_once()
    {
        await PutAsync(Key, 1000);
        for (var i = 0; i < 40; i++) await ReserveAsync($"a{i}", 25, Now);

        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => Stores.Budgets.SettleAsync(Row($"a{i}", 25, Now), Ct), Ct)));

        Assert.Equal([50, 80, 100], Thresholds(await ClaimAsync()));
    }

    [Fact]
    public async Task A_budget_of_nothing_says_nothing_before_something_is_spent()
    {
        await PutAsync(Key, 0);

        Assert.Null((await ReserveAsync("a1", 1, Now)).Granted);

        Assert.Empty(await ClaimAsync());
    }

    private Task PutAsync(BudgetScope scope, long limit, bool hard = true) =>
        Stores.Budgets.PutAsync(new Budget { Tenant = Acme, Scope = scope, Period = BudgetPeriod.Month, Limit = new Money(limit), Hard = hard }, Ct);

    /// <summary>A call from reservation to settlement, and the thresholds that are due after it, which are ended.</summary>
    private async Task<IReadOnlyList<int>> SpendAsync(long nanos, DateTimeOffset? at = null)
    {
        var attempt = $"spend-{_calls++}";
        var reservation = await ReserveAsync(attempt, nanos, at ?? Now);
        Assert.NotNull(reservation.Granted);
        await Stores.Budgets.SettleAsync(Row(attempt, nanos, at ?? Now), Ct);
        return Thresholds(await ClaimAsync());
    }

    /// <summary>Everything that is due, and nobody gets it for a long time.</summary>
    private Task<IReadOnlyList<BudgetAlert>> ClaimAsync() => Stores.Alerts.ClaimAsync(Later, Later.AddMonths(1), 100, Ct);

    private async Task<BudgetStatus> StandingAsync() => Assert.Single(await Stores.Budgets.ListAsync(Acme, Now, Ct));

    private static IReadOnlyList<int> Thresholds(IEnumerable<BudgetAlert> alerts) => [.. alerts.Select(alert => alert.Threshold).Order()];

    private Task<Reservation> ReserveAsync(string attempt, long nanos, DateTimeOffset at, Budget? implied = null, TenantId? tenant = null) => Stores.Budgets.ReserveAsync(
        new HoldRequest
        {
            Unsettled = Row(attempt, 0, at) with { Tenant = tenant ?? Acme },
            Implied = implied is null ? [] : [implied],
            Wanted = new Money(nanos),
            Least = new Money(nanos),
            ExpiresAt = at.AddHours(1),
        },
        Ct);

    private static LedgerRow Row(string attempt, long cost, DateTimeOffset at) => new()
    {
        Tenant = Acme,
        Attempt = new AttemptId(attempt),
        Request = new RequestId("r"),
        Project = ProjectId.Default,
        Key = new KeyId("k1"),
        At = at,
        Operation = "chat",
        Route = "/v1/complete",
        Provider = "openai",
        RequestedModel = "gpt-4o-mini",
        Model = "gpt-4o-mini",
        Tokens = TokenCounts.Of(1, 1),
        Cost = new Money(cost),
        PriceVersion = "test",
        Outcome = AttemptOutcome.Completed,
        LatencyMs = 1,
    };
}
