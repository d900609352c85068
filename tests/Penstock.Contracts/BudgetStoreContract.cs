using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every budget store must do. An adapter's tests derive from this.</summary>
public abstract class BudgetStoreContract : LedgerContract
{
    private static readonly BudgetScope Tenant = new(BudgetScopeKind.Tenant, "acme");
    private static readonly BudgetScope Key = new(BudgetScopeKind.Key, "k1");

    [Fact]
    public async Task Reserve_holds_on_every_budget_at_once_and_settle_books_what_it_cost()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.PutAsync(Limit(Tenant, BudgetPeriod.Day, 2000), Ct);

        var reservation = await Budgets.ReserveAsync(Request("a1", 600), Ct);

        Assert.Equal(new Money(600), reservation.Granted);
        Assert.All(reservation.Budgets, status => Assert.Equal(new Money(600), status.Held));
        Assert.Equal(2, reservation.Budgets.Count);
        Assert.True(await Budgets.SettleAsync(Row("a1", 250), Ct));
        Assert.All(await Budgets.ListAsync(Acme, Now, Ct), status => Assert.Equal((250, 0), (status.Spent.NanoDollars, status.Held.NanoDollars)));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task Reserve_refuses_when_the_limit_would_be_passed_and_changes_nothing()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request("a1", 600), Ct);

        var refused = await Budgets.ReserveAsync(Request("a2", 401), Ct);

        Assert.Null(refused.Granted);
        Assert.Equal(new Money(400), refused.Refusing!.Remaining);
        Assert.Equal(new Money(400), (await Budgets.ReserveAsync(Request("a3", 400), Ct)).Granted);
        Assert.Equal(new Money(1000), Assert.Single(await Budgets.ListAsync(Acme, Now, Ct)).Held);
    }

    [Fact]
    public async Task Reserve_grants_what_is_left_down_to_the_least()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);

        Assert.Equal(new Money(1000), (await Budgets.ReserveAsync(Request("a1", 5000, least: 900), Ct)).Granted);
        Assert.Null((await Budgets.ReserveAsync(Request("a2", 5000, least: 1), Ct)).Granted);
    }

    [Fact]
    public async Task A_soft_budget_lets_pass_and_still_counts()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 100) with { Hard = false }, Ct);

        Assert.Equal(new Money(600), (await Budgets.ReserveAsync(Request("a1", 600), Ct)).Granted);
        await Budgets.SettleAsync(Row("a1", 600), Ct);

        Assert.Equal(new Money(-500), Assert.Single(await Budgets.ListAsync(Acme, Now, Ct)).Remaining);
    }

    [Fact]
    public async Task Settle_counts_once()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request("a1", 600), Ct);

        Assert.True(await Budgets.SettleAsync(Row("a1", 250), Ct));
        Assert.False(await Budgets.SettleAsync(Row("a1", 250), Ct));

        Assert.Equal(new Money(250), Assert.Single(await Budgets.ListAsync(Acme, Now, Ct)).Spent);
        Assert.Equal(1, (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total.Attempts);
    }

    [Fact]
    public async Task An_expired_hold_is_settled_at_its_ceiling_and_corrected_when_the_truth_comes()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request("a1", 600), Ct);

        Assert.Equal(0, await Budgets.ExpireAsync(Now.AddMinutes(59), Ct));
        Assert.Equal(1, await Budgets.ExpireAsync(Now.AddMinutes(60), Ct));
        Assert.Equal(0, await Budgets.ExpireAsync(Now.AddMinutes(61), Ct));
        var booked = Assert.Single(await Usage.ListAsync(Acme, new UsageQuery(), 10, Ct));
        Assert.Equal((AttemptOutcome.Unknown, 600, true), (booked.Outcome, booked.Cost.NanoDollars, booked.Estimated));
        Assert.Equal((600, 0), await StandingAsync());

        Assert.True(await Budgets.SettleAsync(Row("a1", 250), Ct));
        Assert.False(await Budgets.SettleAsync(Row("a1", 250), Ct));

        Assert.Equal((250, 0), await StandingAsync());
        Assert.Equal(new Money(250), (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total.Cost);
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_budget_made_later_counts_what_was_spent_and_what_runs()
    {
        await Budgets.ReserveAsync(Request("a1", 300), Ct);
        await Budgets.SettleAsync(Row("a1", 200), Ct);
        await Budgets.ReserveAsync(Request("a2", 500), Ct);

        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);

        Assert.Equal((200, 500), await StandingAsync());
        await Budgets.SettleAsync(Row("a2", 450), Ct);
        Assert.Equal((650, 0), await StandingAsync());
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_period_that_turns_over_mid_call_books_where_the_call_was_held()
    {
        var late = new DateTimeOffset(2026, 11, 30, 23, 59, 0, TimeSpan.Zero);
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request(Row("a1") with { At = late }, 600), Ct);

        await Budgets.SettleAsync(Row("a1", 250) with { At = late.AddMinutes(5) }, Ct);

        Assert.Equal((250, 0), await StandingAsync(late));
        Assert.Equal((0, 0), await StandingAsync(late.AddMinutes(5)));
    }

    [Fact]
    public async Task A_correction_after_the_period_turned_over_gives_the_next_one_nothing()
    {
        var late = new DateTimeOffset(2026, 11, 30, 23, 59, 0, TimeSpan.Zero);
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request(Row("a1") with { At = late }, 1000), Ct);
        await Budgets.ExpireAsync(late.AddHours(1), Ct);

        await Budgets.SettleAsync(Row("a1", 10) with { At = late.AddHours(2) }, Ct);

        Assert.Equal((10, 0), await StandingAsync(late));
        Assert.Equal((0, 0), await StandingAsync(late.AddHours(2)));
    }

    [Fact]
    public async Task A_limit_lowered_under_running_holds_refuses_new_ones_only()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request("a1", 600), Ct);

        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 100), Ct);

        Assert.Null((await Budgets.ReserveAsync(Request("a2", 1), Ct)).Granted);
        Assert.True(await Budgets.SettleAsync(Row("a1", 600), Ct));
        Assert.Equal(new Money(-500), Assert.Single(await Budgets.ListAsync(Acme, Now, Ct)).Remaining);
    }

    [Fact]
    public async Task A_stored_budget_stands_before_an_implied_one()
    {
        var implied = Limit(Key, BudgetPeriod.Month, 100);
        Assert.Null((await Budgets.ReserveAsync(Request("a1", 101) with { Implied = [implied] }, Ct)).Granted);

        await Budgets.PutAsync(implied with { Limit = new Money(1000) }, Ct);

        Assert.Equal(new Money(101), (await Budgets.ReserveAsync(Request("a2", 101) with { Implied = [implied] }, Ct)).Granted);
        Assert.True(await Budgets.RemoveAsync(Acme, Key, BudgetPeriod.Month, Ct));
        Assert.False(await Budgets.RemoveAsync(Acme, Key, BudgetPeriod.Month, Ct));
    }

    [Fact]
    public async Task A_tenant_neither_sees_nor_moves_another_ones_money()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request("a1", 600), Ct);
        var other = Row("a1", 999) with { Tenant = new TenantId("other") };

        Assert.Empty(await Budgets.ListAsync(other.Tenant, Now, Ct));
        Assert.False(await Budgets.RemoveAsync(other.Tenant, Key, BudgetPeriod.Month, Ct));
        await Budgets.SettleAsync(other, Ct);

        Assert.Equal((0, 600), await StandingAsync());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task No_order_of_reservations_passes_a_cap_and_the_books_are_right_after(int seed)
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 10_000), Ct);
        await Budgets.PutAsync(Limit(Tenant, BudgetPeriod.Month, 8_000), Ct);
        var amounts = Enumerable.Range(0, 400).Select(number => 1 + (number * 7919L * seed % 997)).ToArray();

        await Task.WhenAll(Enumerable.Range(0, 64).Select(worker => Task.Run(
            async () =>
            {
                for (var i = worker; i < amounts.Length; i += 64)
                {
                    var reservation = await Budgets.ReserveAsync(Request($"a{i}", amounts[i], least: amounts[i] / 2), Ct);
                    Assert.All(reservation.Budgets, status => Assert.True(status.Spent + status.Held <= status.Budget.Limit));
                    if (reservation.Granted is { } granted && i % 5 != 0) await Budgets.SettleAsync(Row($"a{i}", granted.NanoDollars * (i % 3) / 3), Ct);
                }
            },
            Ct)));
        await Budgets.ExpireAsync(Now.AddHours(2), Ct);

        var statuses = await Budgets.ListAsync(Acme, Now, Ct);
        var total = (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total;
        Assert.All(statuses, status => Assert.Equal(total.Cost, status.Spent));
        Assert.All(statuses, status => Assert.Equal(Money.Zero, status.Held));
        Assert.InRange(total.Cost.NanoDollars, 4_000, 8_000);
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_budget_removed_and_put_back_stands_where_it_would_have_stood()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request("a1", 300), Ct);
        await Budgets.SettleAsync(Row("a1", 200), Ct);
        await Budgets.ReserveAsync(Request("a2", 100), Ct);

        await Budgets.RemoveAsync(Acme, Key, BudgetPeriod.Month, Ct);
        await Budgets.SettleAsync(Row("a2", 90), Ct);
        await Budgets.SettleAsync(Row("a3", 5), Ct);
        await Budgets.ReserveAsync(Request("a4", 50), Ct);
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);

        Assert.Equal((295, 50), await StandingAsync());
        Assert.Null((await Budgets.ReserveAsync(Request("a5", 656), Ct)).Granted);
        Assert.Equal(new Money(655), (await Budgets.ReserveAsync(Request("a6", 655), Ct)).Granted);
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_budget_moved_to_another_zone_counts_the_period_of_that_zone()
    {
        // 23:30 UTC is 00:30 of the next day in Zurich; in Kathmandu that day began at 18:15 UTC.
        var (yesterday, noon) = (new DateTimeOffset(2026, 11, 20, 23, 30, 0, TimeSpan.Zero), new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.Zero));
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Day, 1000), Ct);
        await Budgets.SettleAsync(Row("a1", 200) with { At = yesterday }, Ct);
        await Budgets.ReserveAsync(Request(Row("a2") with { At = yesterday }, 30), Ct);
        await Budgets.SettleAsync(Row("a3", 4) with { At = yesterday.AddHours(-6).AddMinutes(46) }, Ct);
        Assert.Equal((0, 0), await StandingAsync(noon));

        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Day, 1000) with { TimeZone = "Europe/Zurich" }, Ct);
        Assert.Equal((200, 30), await StandingAsync(noon));
        await Budgets.SettleAsync(Row("a2", 20) with { At = yesterday }, Ct);
        Assert.Equal((220, 0), await StandingAsync(noon));

        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Day, 1000) with { TimeZone = "Asia/Kathmandu" }, Ct);
        Assert.Equal((224, 0), await StandingAsync(noon));
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Day, 1000), Ct);
        Assert.Equal((0, 0), await StandingAsync(noon));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_limit_raised_lets_pass_what_it_refused()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 100), Ct);
        Assert.Null((await Budgets.ReserveAsync(Request("a1", 101), Ct)).Granted);

        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 101), Ct);

        Assert.Equal(new Money(101), (await Budgets.ReserveAsync(Request("a1", 101), Ct)).Granted);
    }

    [Fact]
    public async Task An_attempt_that_held_nothing_counts_on_every_budget_over_it()
    {
        foreach (var scope in BudgetScope.Over(Row("a") with { EndUser = "anna" })) await Budgets.PutAsync(Limit(scope, BudgetPeriod.Month, 1000), Ct);
        await Budgets.PutAsync(Limit(new(BudgetScopeKind.User, "otto"), BudgetPeriod.Month, 1000), Ct);

        await Budgets.SettleAsync(Row("a1", 20) with { EndUser = "anna" }, Ct);
        await Budgets.SettleAsync(Row("a2", 3), Ct);

        var spent = (await Budgets.ListAsync(Acme, Now, Ct)).ToDictionary(status => status.Budget.Scope, status => status.Spent.NanoDollars);
        Assert.Equal((23, 23, 23), (spent[Tenant], spent[Key], spent[new(BudgetScopeKind.Project, "default")]));
        Assert.Equal((23, 20, 0), (spent[new(BudgetScopeKind.Model, "gpt-4o-mini")], spent[new(BudgetScopeKind.User, "anna")], spent[new(BudgetScopeKind.User, "otto")]));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task An_attempt_keeps_the_scopes_of_its_reservation()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request("a1", 600), Ct);

        await Budgets.SettleAsync(Row("a1", 250) with { Key = new KeyId("another"), Model = "another", At = Now.AddDays(40) }, Ct);

        Assert.Equal((250, 0), await StandingAsync());
        var row = Assert.Single(await Usage.ListAsync(Acme, new UsageQuery(), 10, Ct));
        Assert.Equal((Now, "k1", "gpt-4o-mini"), (row.At, row.Key.Value, row.Model));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_reservation_for_an_attempt_that_is_in_the_ledger_throws_and_holds_nothing(bool settled)
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request("a1", 600), Ct);
        if (settled) await Budgets.SettleAsync(Row("a1", 1), Ct);

        await Assert.ThrowsAnyAsync<Exception>(() => Budgets.ReserveAsync(Request("a1", 10), Ct));

        Assert.Equal(settled ? (1, 0) : (0, 600), await StandingAsync());
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_many_settles_of_an_attempt_at_once_one_counts(bool held)
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        if (held) await Budgets.ReserveAsync(Request("a1", 600), Ct);

        var counted = await Task.WhenAll(Enumerable.Range(0, 32).Select(number => Task.Run(() => Budgets.SettleAsync(Row("a1", 100) with { LatencyMs = number }, Ct), Ct)));

        Assert.Single(counted, true);
        Assert.Equal((100, 0), await StandingAsync());
        Assert.Equal(1, (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total.Attempts);
    }

    [Fact]
    public async Task A_hold_that_expires_while_it_is_settled_ends_once_and_at_its_cost()
    {
        const int calls = 48;
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 100_000), Ct);
        for (var i = 0; i < calls; i++) await Budgets.ReserveAsync(Request($"a{i}", 600), Ct);

        var sweeps = Enumerable.Range(0, 8).Select(_ => Task.Run(() => Budgets.ExpireAsync(Now.AddHours(2), Ct), Ct));
        var settles = Enumerable.Range(0, calls).Select(i => Task.Run(() => Budgets.SettleAsync(Row($"a{i}", 100), Ct), Ct)).ToArray();
        await Task.WhenAll(sweeps);

        Assert.DoesNotContain(false, await Task.WhenAll(settles));
        Assert.Equal((calls * 100, 0), await StandingAsync());
        var total = (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total;
        Assert.Equal((calls, 0, calls * 100), (total.Attempts, total.Failed, total.Cost.NanoDollars));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    private static (long Spent, long Held) Standing(BudgetStatus status) => (status.Spent.NanoDollars, status.Held.NanoDollars);

    private async Task<(long Spent, long Held)> StandingAsync(DateTimeOffset? at = null) => Standing(Assert.Single(await Budgets.ListAsync(Acme, at ?? Now, Ct)));
}
