using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every budget store must do. An adapter's tests derive from this.</summary>
public abstract class BudgetStoreContract : IAsyncLifetime
{
    private static readonly TenantId Acme = new("acme");
    private static readonly BudgetScope Key = new(BudgetScopeKind.Key, "k1");
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private IBudgetStore Store { get; set; } = null!;

    private IUsageStore Usage { get; set; } = null!;

    public async ValueTask InitializeAsync() => (Store, Usage) = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>An empty store of budgets, and the ledger it books in.</summary>
    protected abstract ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync();

    protected abstract ValueTask CloseAsync();

    [Fact]
    public async Task Reserve_holds_on_every_budget_at_once_and_settle_books_what_it_cost()
    {
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Store.PutAsync(Limit(new(BudgetScopeKind.Tenant, "acme"), BudgetPeriod.Day, 2000), Ct);

        var reservation = await Store.ReserveAsync(Request("a1", 600), Ct);

        Assert.Equal(new Money(600), reservation.Granted);
        Assert.All(reservation.Budgets, status => Assert.Equal(new Money(600), status.Held));
        Assert.Equal(2, reservation.Budgets.Count);
        Assert.True(await Store.SettleAsync(Row("a1", 250), Ct));
        Assert.All(await Store.ListAsync(Acme, Now, Ct), status => Assert.Equal((250, 0), (status.Spent.NanoDollars, status.Held.NanoDollars)));
        Assert.Empty(await Store.VerifyAsync(Ct));
    }

    [Fact]
    public async Task Reserve_refuses_when_the_limit_would_be_passed_and_changes_nothing()
    {
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Store.ReserveAsync(Request("a1", 600), Ct);

        var refused = await Store.ReserveAsync(Request("a2", 401), Ct);

        Assert.Null(refused.Granted);
        Assert.Equal(new Money(400), refused.Refusing!.Remaining);
        Assert.Equal(new Money(400), (await Store.ReserveAsync(Request("a3", 400), Ct)).Granted);
        Assert.Equal(new Money(1000), Assert.Single(await Store.ListAsync(Acme, Now, Ct)).Held);
    }

    [Fact]
    public async Task Reserve_grants_what_is_left_down_to_the_least()
    {
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);

        Assert.Equal(new Money(1000), (await Store.ReserveAsync(Request("a1", 5000, least: 900), Ct)).Granted);
        Assert.Null((await Store.ReserveAsync(Request("a2", 5000, least: 1), Ct)).Granted);
    }

    [Fact]
    public async Task A_soft_budget_lets_pass_and_still_counts()
    {
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 100) with { Hard = false }, Ct);

        Assert.Equal(new Money(600), (await Store.ReserveAsync(Request("a1", 600), Ct)).Granted);
        await Store.SettleAsync(Row("a1", 600), Ct);

        Assert.Equal(new Money(-500), Assert.Single(await Store.ListAsync(Acme, Now, Ct)).Remaining);
    }

    [Fact]
    public async Task Settle_counts_once()
    {
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Store.ReserveAsync(Request("a1", 600), Ct);

        Assert.True(await Store.SettleAsync(Row("a1", 250), Ct));
        Assert.False(await Store.SettleAsync(Row("a1", 250), Ct));

        Assert.Equal(new Money(250), Assert.Single(await Store.ListAsync(Acme, Now, Ct)).Spent);
        Assert.Equal(1, (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total.Attempts);
    }

    [Fact]
    public async Task An_expired_hold_is_settled_at_its_ceiling_and_corrected_when_the_truth_comes()
    {
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Store.ReserveAsync(Request("a1", 600), Ct);

        Assert.Equal(0, await Store.ExpireAsync(Now.AddMinutes(59), Ct));
        Assert.Equal(1, await Store.ExpireAsync(Now.AddMinutes(60), Ct));
        Assert.Equal(0, await Store.ExpireAsync(Now.AddMinutes(61), Ct));
        var booked = Assert.Single(await Usage.ListAsync(Acme, new UsageQuery(), 10, Ct));
        Assert.Equal((AttemptOutcome.Unknown, 600, true), (booked.Outcome, booked.Cost.NanoDollars, booked.Estimated));
        Assert.Equal((600, 0), Standing(Assert.Single(await Store.ListAsync(Acme, Now, Ct))));

        Assert.True(await Store.SettleAsync(Row("a1", 250), Ct));
        Assert.False(await Store.SettleAsync(Row("a1", 250), Ct));

        Assert.Equal((250, 0), Standing(Assert.Single(await Store.ListAsync(Acme, Now, Ct))));
        Assert.Equal(new Money(250), (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total.Cost);
        Assert.Empty(await Store.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_budget_made_later_counts_what_was_spent_and_what_runs()
    {
        await Store.ReserveAsync(Request("a1", 300), Ct);
        await Store.SettleAsync(Row("a1", 200), Ct);
        await Store.ReserveAsync(Request("a2", 500), Ct);

        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);

        Assert.Equal((200, 500), Standing(Assert.Single(await Store.ListAsync(Acme, Now, Ct))));
        await Store.SettleAsync(Row("a2", 450), Ct);
        Assert.Equal((650, 0), Standing(Assert.Single(await Store.ListAsync(Acme, Now, Ct))));
        Assert.Empty(await Store.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_period_that_turns_over_mid_call_books_where_the_call_was_held()
    {
        var late = new DateTimeOffset(2026, 11, 30, 23, 59, 0, TimeSpan.Zero);
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Store.ReserveAsync(Request("a1", 600) with { At = late, ExpiresAt = late.AddHours(1) }, Ct);

        await Store.SettleAsync(Row("a1", 250) with { At = late.AddMinutes(5) }, Ct);

        Assert.Equal((250, 0), Standing(Assert.Single(await Store.ListAsync(Acme, late, Ct))));
        Assert.Equal((0, 0), Standing(Assert.Single(await Store.ListAsync(Acme, late.AddMinutes(5), Ct))));
    }

    [Fact]
    public async Task A_correction_after_the_period_turned_over_gives_the_next_one_nothing()
    {
        var late = new DateTimeOffset(2026, 11, 30, 23, 59, 0, TimeSpan.Zero);
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Store.ReserveAsync(Request("a1", 1000) with { At = late, ExpiresAt = late.AddHours(1) }, Ct);
        await Store.ExpireAsync(late.AddHours(1), Ct);

        await Store.SettleAsync(Row("a1", 10) with { At = late.AddHours(2) }, Ct);

        Assert.Equal((10, 0), Standing(Assert.Single(await Store.ListAsync(Acme, late, Ct))));
        Assert.Equal((0, 0), Standing(Assert.Single(await Store.ListAsync(Acme, late.AddHours(2), Ct))));
    }

    [Fact]
    public async Task A_limit_lowered_under_running_holds_refuses_new_ones_only()
    {
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Store.ReserveAsync(Request("a1", 600), Ct);

        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 100), Ct);

        Assert.Null((await Store.ReserveAsync(Request("a2", 1), Ct)).Granted);
        Assert.True(await Store.SettleAsync(Row("a1", 600), Ct));
        Assert.Equal(new Money(-500), Assert.Single(await Store.ListAsync(Acme, Now, Ct)).Remaining);
    }

    [Fact]
    public async Task A_stored_budget_stands_before_an_implied_one()
    {
        var implied = Limit(Key, BudgetPeriod.Month, 100);
        Assert.Null((await Store.ReserveAsync(Request("a1", 101) with { Implied = [implied] }, Ct)).Granted);

        await Store.PutAsync(implied with { Limit = new Money(1000) }, Ct);

        Assert.Equal(new Money(101), (await Store.ReserveAsync(Request("a2", 101) with { Implied = [implied] }, Ct)).Granted);
        Assert.True(await Store.RemoveAsync(Acme, Key, BudgetPeriod.Month, Ct));
        Assert.False(await Store.RemoveAsync(Acme, Key, BudgetPeriod.Month, Ct));
    }

    [Fact]
    public async Task A_tenant_neither_sees_nor_moves_another_ones_money()
    {
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Store.ReserveAsync(Request("a1", 600), Ct);
        var other = Row("a1", 999) with { Tenant = new TenantId("other") };

        Assert.Empty(await Store.ListAsync(other.Tenant, Now, Ct));
        Assert.False(await Store.RemoveAsync(other.Tenant, Key, BudgetPeriod.Month, Ct));
        await Store.SettleAsync(other, Ct);

        Assert.Equal((0, 600), Standing(Assert.Single(await Store.ListAsync(Acme, Now, Ct))));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task No_order_of_reservations_passes_a_cap_and_the_books_are_right_after(int seed)
    {
        await Store.PutAsync(Limit(Key, BudgetPeriod.Month, 10_000), Ct);
        await Store.PutAsync(Limit(new(BudgetScopeKind.Tenant, "acme"), BudgetPeriod.Month, 8_000), Ct);
        var amounts = Enumerable.Range(0, 400).Select(number => 1 + (number * 7919L * seed % 997)).ToArray();

        await Task.WhenAll(Enumerable.Range(0, 64).Select(worker => Task.Run(
            async () =>
            {
                for (var i = worker; i < amounts.Length; i += 64)
                {
                    var reservation = await Store.ReserveAsync(Request($"a{i}", amounts[i], least: amounts[i] / 2), Ct);
                    Assert.All(reservation.Budgets, status => Assert.True(status.Spent + status.Held <= status.Budget.Limit));
                    if (reservation.Granted is { } granted && i % 5 != 0) await Store.SettleAsync(Row($"a{i}", granted.NanoDollars * (i % 3) / 3), Ct);
                }
            },
            Ct)));
        await Store.ExpireAsync(Now.AddHours(2), Ct);

        var statuses = await Store.ListAsync(Acme, Now, Ct);
        var total = (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total;
        Assert.All(statuses, status => Assert.Equal(total.Cost, status.Spent));
        Assert.All(statuses, status => Assert.Equal(Money.Zero, status.Held));
        Assert.InRange(total.Cost.NanoDollars, 4_000, 8_000);
        Assert.Empty(await Store.VerifyAsync(Ct));
    }

    private static (long Spent, long Held) Standing(BudgetStatus status) => (status.Spent.NanoDollars, status.Held.NanoDollars);

    private static Budget Limit(BudgetScope scope, BudgetPeriod period, long nanos) => new() { Tenant = Acme, Scope = scope, Period = period, Limit = new Money(nanos) };

    private static HoldRequest Request(string attempt, long wanted, long? least = null) => new()
    {
        Unsettled = Row(attempt, 0),
        Scopes = [new(BudgetScopeKind.Tenant, "acme"), Key],
        Wanted = new Money(wanted),
        Least = new Money(least ?? wanted),
        At = Now,
        ExpiresAt = Now.AddHours(1),
    };

    private static LedgerRow Row(string attempt, long cost) => new()
    {
        Tenant = Acme,
        Attempt = new AttemptId(attempt),
        Request = new RequestId("r"),
        Project = ProjectId.Default,
        Key = new KeyId("k1"),
        At = Now,
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
