using Penstock.Budgets;
using Xunit;

namespace Penstock.Contracts;

// How alerts are handed out to whoever delivers them.
public abstract partial class AlertStoreContract
{
    [Fact]
    public async Task Of_two_takers_one_gets_it()
    {
        await PutAsync(Key, 1000);
        await ReserveAsync("a1", 1000, Now);
        await Stores.Budgets.SettleAsync(Row("a1", 1000, Now), Ct);

        var taken = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Stores.Alerts.ClaimAsync(Later, Later.AddMinutes(1), 2, Ct), Ct)));

        Assert.Equal([50, 80, 100], Thresholds(taken.SelectMany(alerts => alerts)));
        Assert.Empty(await Stores.Alerts.ClaimAsync(Later.AddSeconds(59), Later.AddMinutes(2), 10, Ct));
    }

    [Fact]
    public async Task A_dead_takers_claim_is_due_again_at_its_end()
    {
        await PutAsync(Key, 1000);
        var first = await SpendAndTakeAsync(500);

        var again = Assert.Single(await Stores.Alerts.ClaimAsync(Later.AddMinutes(1), Later.AddMinutes(2), 10, Ct));

        Assert.Equal((first.Id, 1, 2), (again.Id, first.Tries, again.Tries));
    }

    [Fact]
    public async Task A_report_ends_it_or_puts_it_off_and_keeps_who_has_it()
    {
        await PutAsync(Key, 1000);
        var first = await SpendAndTakeAsync(500);
        await Stores.Alerts.ReportAsync(first, ["slack"], Later.AddSeconds(10), Ct);

        Assert.Empty(await Stores.Alerts.ClaimAsync(Later.AddSeconds(9), Later.AddMinutes(1), 10, Ct));
        var second = Assert.Single(await Stores.Alerts.ClaimAsync(Later.AddSeconds(10), Later.AddMinutes(1), 10, Ct));
        Assert.Equal((2, "slack"), (second.Tries, Assert.Single(second.Delivered)));
        Assert.Equal(first with { Tries = 2, Delivered = second.Delivered }, second);
        await Stores.Alerts.ReportAsync(second, ["slack", "webhook:ops"], null, Ct);

        Assert.Empty(await Stores.Alerts.ClaimAsync(Later.AddYears(1), Later.AddYears(2), 10, Ct));
    }

    [Fact]
    public async Task A_report_by_a_taker_whose_claim_another_took_over_changes_nothing()
    {
        await PutAsync(Key, 1000);
        var slow = await SpendAndTakeAsync(500);
        var other = Assert.Single(await Stores.Alerts.ClaimAsync(Later.AddMinutes(1), Later.AddMinutes(2), 10, Ct));

        await Stores.Alerts.ReportAsync(slow, ["slack"], null, Ct);

        Assert.Empty(await Stores.Alerts.ClaimAsync(Later.AddMinutes(1), Later.AddMinutes(2), 10, Ct));
        var third = Assert.Single(await Stores.Alerts.ClaimAsync(Later.AddMinutes(2), Later.AddMinutes(3), 10, Ct));
        Assert.Equal((other.Id, 0), (third.Id, third.Delivered.Count));
        await Stores.Alerts.ReportAsync(third, ["slack"], null, Ct);
        await Stores.Alerts.ReportAsync(other, [], Later.AddMinutes(4), Ct);
        Assert.Empty(await Stores.Alerts.ClaimAsync(Later.AddYears(1), Later.AddYears(2), 10, Ct));
    }

    [Fact]
    public async Task Those_longest_due_come_first_up_to_the_limit()
    {
        await PutAsync(Key, 1000);
        await PutAsync(Everything, 10_000);
        await ReserveAsync("a1", 100, Now.AddMinutes(1));
        await ReserveAsync("a2", 900, Now.AddMinutes(2));
        await Stores.Budgets.SettleAsync(Row("a2", 900, Now.AddMinutes(2)), Ct);
        await PutAsync(Everything, 100);
        await Stores.Budgets.SettleAsync(Row("a1", 100, Now.AddMinutes(1)), Ct);

        var first = await Stores.Alerts.ClaimAsync(Later, Later.AddMinutes(1), 1, Ct);
        var rest = await Stores.Alerts.ClaimAsync(Later, Later.AddMinutes(1), 100, Ct);

        Assert.Single(first);
        Assert.Equal(first.Concat(rest).Select(alert => alert.At).Order(), first.Concat(rest).Select(alert => alert.At));
        Assert.True(rest.Count >= 2);
    }

    [Fact]
    public async Task What_was_raised_and_reported_survives_a_restart()
    {
        await PutAsync(Key, 1000);
        var taken = await SpendAndTakeAsync(500);
        await Stores.Alerts.ReportAsync(taken, ["slack"], Later.AddSeconds(5), Ct);
        await ReserveAsync("a2", 300, Now);
        await Stores.Budgets.SettleAsync(Row("a2", 300, Now), Ct);

        Stores = await ReopenAsync();

        var alerts = await Stores.Alerts.ClaimAsync(Later.AddSeconds(5), Later.AddMinutes(5), 10, Ct);
        Assert.Equal([50, 80], Thresholds(alerts));
        Assert.Equal(["slack"], alerts.Single(alert => alert.Threshold == 50).Delivered);
        Assert.Empty(await SpendAsync(100));
    }

    private async Task<BudgetAlert> SpendAndTakeAsync(long nanos)
    {
        await ReserveAsync("first", nanos, Now);
        await Stores.Budgets.SettleAsync(Row("first", nanos, Now), Ct);
        return Assert.Single(await Stores.Alerts.ClaimAsync(Later, Later.AddMinutes(1), 10, Ct));
    }
}
