using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IUsageStore"/> makes of conversations, and of attempts that are corrected.</summary>
public abstract class UsageRollupsContract : LedgerContract
{
    [Fact]
    public async Task A_correction_brings_the_sums_to_what_a_timely_settle_would_have()
    {
        var row = Row("late", 250) with { EndUser = "anna", Conversation = "c" };
        await Budgets.ReserveAsync(Request(row, 600), Ct);
        await Budgets.ExpireAsync(Now.AddHours(2), Ct);
        var unknown = (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total;
        Assert.Equal(new UsageSum(1, 1, default, new Money(600)), unknown);

        await Budgets.SettleAsync(row, Ct);

        foreach (var grouping in Enum.GetValues<UsageGrouping>())
        {
            // A part of a quarter of an hour is counted from attempts, the whole from rollups.
            foreach (var query in new[] { new UsageQuery(), new UsageQuery { From = Now.AddMilliseconds(-1), To = Now.AddMilliseconds(1) } })
            {
                var report = await Usage.SumAsync(Acme, query with { GroupBy = grouping }, Ct);
                Assert.Equal(new UsageSum(1, 0, row.Tokens, new Money(250)), report.Total);
                Assert.Equal(0, report.Spread.Cost.Count);
            }
        }

        Assert.Equal([-350, 600], (await Usage.ListAsync(Acme, new UsageQuery(), 10, Ct)).Select(listed => listed.Cost.NanoDollars).Order());
        Assert.Equal(Histogram([250]), await ConversationsAsync(Now, Now.AddDays(1)));
    }

    [Fact]
    public async Task A_conversation_counts_on_the_day_of_its_first_call_with_all_that_it_cost()
    {
        var day = new DateTimeOffset(2026, 11, 21, 0, 0, 0, TimeSpan.Zero);
        LedgerRow Call(string attempt, string? conversation, long cost, double hours) => Row(attempt, cost) with { Conversation = conversation, At = day.AddHours(hours) };
        await Budgets.SettleAsync(Call("a1", "long", 100, 1), Ct);
        await Budgets.SettleAsync(Call("a2", "long", 900, 30), Ct);
        await Budgets.SettleAsync(Call("a3", "short", 7, 23.99), Ct);
        await Budgets.SettleAsync(Call("a4", "next", 50, 24), Ct);
        await Budgets.SettleAsync(Call("a5", null, 1_000_000, 2), Ct);
        await Budgets.SettleAsync(Call("a6", "", 1_000_000, 2), Ct);
        await Budgets.SettleAsync(Call("a7", "short", 3_000_000, 2) with { Tenant = Rival }, Ct);

        Assert.Equal(Histogram([1000, 7]), await ConversationsAsync(day, day.AddDays(1)));
        Assert.Equal(Histogram([50]), await ConversationsAsync(day.AddDays(1), day.AddDays(2)));
        Assert.Equal(Histogram([1000, 7, 50]), await ConversationsAsync(day.AddHours(5), day.AddHours(25)));
        Assert.Empty(await ConversationsAsync(day.AddDays(2), day.AddDays(9)));

        // A call that began before the first to be booked moves its conversation.
        await Budgets.SettleAsync(Call("a8", "next", 5, 22), Ct);
        Assert.Equal(Histogram([1000, 7, 55]), await ConversationsAsync(day, day.AddDays(1)));
        Assert.Empty(await ConversationsAsync(day.AddDays(1), day.AddDays(2)));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task Conversations_that_grow_at_once_from_many_tasks_are_counted_once_each_at_what_they_cost()
    {
        var source = new SeededSource(9);
        var rows = Enumerable.Range(0, 300).Select(i => Row($"a{i}", source.Below(100_000)) with { Conversation = $"c{source.Below(20)}" }).ToList();

        await Task.WhenAll(rows.Select(row => Task.Run(() => Budgets.SettleAsync(row, Ct), Ct)));

        var costs = rows.GroupBy(row => row.Conversation).Select(conversation => conversation.Sum(row => row.Cost.NanoDollars)).Order().ToList();
        var histogram = await Usage.ConversationCostsAsync(Acme, Now, Now.AddDays(1), Ct);
        Assert.Equal(Histogram(costs), histogram.Buckets);
        var truth = costs[(int)Math.Ceiling(0.95 * costs.Count) - 1];
        Assert.InRange(histogram.Quantile(0.95)!.Value, truth * (1 - LogHistogram.RelativeError), truth * (1 + LogHistogram.RelativeError));
    }
}
