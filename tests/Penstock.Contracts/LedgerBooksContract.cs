using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every budget store's ledger is: append-only entries whose fold is every balance and rollup, whatever retention drops of them.</summary>
public abstract class LedgerBooksContract : LedgerContract
{
    private static readonly BudgetScope Tenant = new(BudgetScopeKind.Tenant, "acme");
    private static readonly BudgetScope Key = new(BudgetScopeKind.Key, "k1");

    [Fact]
    public async Task Each_step_of_an_attempt_is_an_entry_that_says_by_how_much_it_moved_its_budgets()
    {
        var (settled, free, late) = (Row("settled", 250), Row("free"), Row("late", 150) with { Conversation = "c", EndUser = "anna" });
        await Budgets.ReserveAsync(Request(settled, 600), Ct);
        await Budgets.ReserveAsync(Request(free, 300), Ct);
        await Budgets.ReserveAsync(Request(late, 400), Ct);
        await Budgets.SettleAsync(settled, Ct);
        await Budgets.SettleAsync(free, Ct);
        await Budgets.ExpireAsync(Now.AddHours(1), Ct);
        await Budgets.SettleAsync(late, Ct);
        await Budgets.SettleAsync(Row("unheld", 7), Ct);

        var entries = await EntriesAsync(Acme);

        Assert.Equal(
            [
                ("settled", LedgerEntryKind.Reserve, 600, 0), ("free", LedgerEntryKind.Reserve, 300, 0), ("late", LedgerEntryKind.Reserve, 400, 0),
                ("settled", LedgerEntryKind.Settle, -600, 250), ("free", LedgerEntryKind.Release, -300, 0),
                ("late", LedgerEntryKind.Expire, -400, 400), ("late", LedgerEntryKind.Adjust, 0, -250), ("unheld", LedgerEntryKind.Settle, 0, 7),
            ],
            entries.Select(entry => (entry.Row.Attempt.Value, entry.Kind, entry.Held.NanoDollars, entry.Spent.NanoDollars)));
        Assert.All(entries, entry => Assert.Equal(entry.Spent, entry.Row.Cost));
        Assert.Equal(Request(settled, 600).Unsettled, entries[0].Row);
        Assert.Equal(settled, entries[3].Row);
        Assert.Equal(late with { Cost = new Money(400), Tokens = default, Estimated = true, Outcome = AttemptOutcome.Unknown, LatencyMs = 3_600_000 }, entries[5].Row);
        Assert.Equal(late with { Cost = new Money(-250) }, entries[6].Row);
    }

    [Fact]
    public async Task Entries_are_read_on_from_any_of_them_and_a_tenant_sees_its_own()
    {
        for (var i = 0; i < 5; i++)
        {
            await Budgets.SettleAsync(Row($"a{i}", i), Ct);
            await Budgets.SettleAsync(Row($"a{i}", 100 + i) with { Tenant = Rival }, Ct);
        }

        var first = await Budgets.EntriesAsync(Acme, 0, 3, Ct);
        var rest = await Budgets.EntriesAsync(Acme, first[^1].Number, 100, Ct);

        Assert.Equal([0, 1, 2], first.Select(entry => entry.Spent.NanoDollars));
        Assert.Equal([3, 4], rest.Select(entry => entry.Spent.NanoDollars));
        Assert.Empty(await Budgets.EntriesAsync(Acme, rest[^1].Number, 100, Ct));
        Assert.Equal(first.Concat(rest).Select(entry => entry.Number).Order(), first.Concat(rest).Select(entry => entry.Number));
        Assert.Equal([100, 101, 102, 103, 104], (await EntriesAsync(Rival)).Select(entry => entry.Spent.NanoDollars));
    }

    [Fact]
    public async Task A_refused_reservation_leaves_no_entry()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 10), Ct);

        await Budgets.ReserveAsync(Request("a1", 11), Ct);

        Assert.Empty(await EntriesAsync(Acme));
    }

    [Fact]
    public async Task Retention_drops_attempts_and_neither_balances_nor_budgets_made_later_miss_them()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Total, 100_000), Ct);
        for (var i = 0; i < 40; i++)
        {
            var row = Row($"a{i}", 10 + i) with { At = Now.AddDays(-i), Conversation = $"c{i % 3}", EndUser = "anna" };
            await Budgets.ReserveAsync(Request(row, 100), Ct);
            await Budgets.SettleAsync(row, Ct);
        }

        var spent = Enumerable.Range(0, 40).Sum(i => 10 + i);
        await DropAllAsync(Now.AddDays(-10));
        Assert.Equal(11, (await Usage.ListAsync(Acme, new UsageQuery(), 100, Ct)).Count);
        await Budgets.SettleAsync(Row("later", 5) with { Conversation = "c0", EndUser = "anna" }, Ct);
        foreach (var scope in BudgetScope.Over(Row("a") with { EndUser = "anna" })) await Budgets.PutAsync(Limit(scope, BudgetPeriod.Total, 100_000), Ct);

        Assert.All(await Budgets.ListAsync(Acme, Now, Ct), status => Assert.Equal(spent + 5, status.Spent.NanoDollars));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
        Assert.Equal(spent + 5, (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total.Cost.NanoDollars);
    }

    [Fact]
    public async Task Retention_never_drops_an_attempt_that_holds_money()
    {
        await Budgets.PutAsync(Limit(Key, BudgetPeriod.Month, 1000), Ct);
        await Budgets.ReserveAsync(Request("a1", 600), Ct);

        await DropAllAsync(Now.AddDays(1));

        Assert.Equal(LedgerEntryKind.Reserve, Assert.Single(await EntriesAsync(Acme)).Kind);
        Assert.True(await Budgets.SettleAsync(Row("a1", 250), Ct));
        var status = Assert.Single(await Budgets.ListAsync(Acme, Now, Ct));
        Assert.Equal((250, 0), (status.Spent.NanoDollars, status.Held.NanoDollars));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    public async Task Any_interleaving_of_64_workers_over_three_scopes_leaves_books_that_are_right(ulong seed)
    {
        BudgetScope project = new(BudgetScopeKind.Project, "default");
        foreach (var (scope, limit) in new[] { (Tenant, 30_000), (project, 28_000), (Key, 26_000) }) await Budgets.PutAsync(Limit(scope, BudgetPeriod.Month, limit), Ct);

        await Task.WhenAll(Enumerable.Range(0, 64).Select(worker => Task.Run(() => WorkAsync(new SeededSource(seed * 1_000 + (ulong)worker), worker), Ct)));
        await Budgets.ExpireAsync(Now.AddHours(2), Ct);

        var (spent, held) = (0L, 0L);
        foreach (var entry in await EntriesAsync(Acme))
        {
            (spent, held) = (spent + entry.Spent.NanoDollars, held + entry.Held.NanoDollars);
            Assert.InRange(held, 0, long.MaxValue);
            Assert.True(spent + held <= 26_000, $"Entry {entry.Number} passes the cap: {spent} spent and {held} held.");
        }

        Assert.All(await Budgets.ListAsync(Acme, Now, Ct), status => Assert.Equal((spent, 0), (status.Spent.NanoDollars, status.Held.NanoDollars)));
        Assert.Equal(spent, (await Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total.Cost.NanoDollars);
        Assert.InRange(spent, 13_000, 26_000);
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    private async Task WorkAsync(SeededSource source, int worker)
    {
        for (var i = 0; i < 8; i++)
        {
            var row = Row($"{worker}-{i}") with { Conversation = $"c{source.Below(5)}", EndUser = source.Pick(null, "anna", "otto"), Model = source.Pick("gpt-4o-mini", "gpt-4o") };
            var wanted = 1 + source.Below(400);
            if ((await Budgets.ReserveAsync(Request(row, wanted, source.Pick(wanted, wanted / 2)), Ct)).Granted is not { } granted) continue;
            var settled = row with { Cost = new Money(source.Below((int)granted.NanoDollars + 1)) };
            if (source.OneIn(9)) continue;
            Assert.True(await Budgets.SettleAsync(settled, Ct));
            if (source.OneIn(5)) Assert.False(await Budgets.SettleAsync(settled, Ct));
        }
    }

    private async Task DropAllAsync(DateTimeOffset before)
    {
        while (await Usage.DropAsync(before, Ct) > 0)
        {
        }
    }
}
