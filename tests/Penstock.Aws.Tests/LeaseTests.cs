using Penstock.Aws.DynamoDb;
using Penstock.Aws.DynamoDb.Budgets;
using Penstock.Aws.DynamoDb.Budgets.Leases;
using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>Calls that are admitted from a slice of a budget: what is written, and what becomes of it when its node, the store or a limit changes.</summary>
public sealed class LeaseTests(Emulator emulator) : IAsyncLifetime
{
    private const int Many = 1_000_000;

    private static readonly TenantId Acme = new("acme");
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    private static readonly Budget Cap = new() { Tenant = Acme, Scope = new(BudgetScopeKind.Key, "k1"), Period = BudgetPeriod.Month, Limit = new Money(Many) };

    // Longer than what is done while one is open, and as long as a refusal may have to wait.
    private static readonly LeaseOptions Long = new() { FromCalls = 2, OpenFor = TimeSpan.FromSeconds(4), Grace = TimeSpan.Zero };

    private FaultyHttp _http = null!;
    private Func<string, Fault?> _decide = _ => null;
    private int _transactions;
    private LeasedNodes _nodes = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>The node whose calls to the store may be meddled with.</summary>
    private DynamoBudgetStore A => _nodes.Ledgers[0].Budgets;

    private DynamoBudgetStore B => _nodes.Ledgers[1].Budgets;

    public async ValueTask InitializeAsync()
    {
        _http = new FaultyHttp(operation =>
        {
            if (operation == "TransactWriteItems") Interlocked.Increment(ref _transactions);
            return _decide(operation);
        });
        await (_nodes = new LeasedNodes(emulator, Long, _http, null)).OpenAsync();
        await B.PutAsync(Cap, Ct);
        await B.ListAsync(Acme, Now, Ct);
    }

    public ValueTask DisposeAsync() => _nodes.DisposeAsync();

    [Fact]
    public async Task Many_calls_are_a_few_writes_and_each_is_booked_as_if_it_were_alone()
    {
        await WarmAsync();
        _transactions = 0;

        await Task.WhenAll(Enumerable.Range(0, 64).Select(worker => Task.Run(
            async () =>
            {
                for (var i = worker; i < 1_000; i += 64) await CallAsync($"a{i}", 10, 1 + (i % 10), i % 50 == 0 ? $"c{i % 7}" : null);
            },
            Ct)));
        await BackAsync();

        // Each writes the one balance that there is.
        Assert.InRange(_transactions, 1, 100);
        await StandsAsync(2 + (100 * 55), 0);
        var rows = await _nodes.Ledgers[1].Usage.ListAsync(Acme, new UsageQuery(), 2_000, Ct);
        Assert.Equal(Enumerable.Range(0, 1_000).Select(i => ($"a{i}", (long)(1 + (i % 10)))).Concat([("w0", 1), ("w1", 1)]).Order(), rows.Select(row => (row.Attempt.Value, row.Cost.NanoDollars)).Order());
        Assert.Equal(1_002, (await _nodes.Ledgers[1].Usage.SumAsync(Acme, new UsageQuery(), Ct)).Total.Attempts);
    }

    [Fact]
    public async Task A_limit_lowered_on_another_node_is_in_force_for_the_next_call()
    {
        await OpenSliceAsync();
        await B.PutAsync(Cap with { Limit = new Money(25) }, Ct);

        var refused = await A.ReserveAsync(FaultTests.Request("late", 10), Ct);

        Assert.Null(refused.Granted);
        Assert.Equal(30, refused.Refusing!.Held.NanoDollars);
    }

    [Fact]
    public async Task A_slice_is_a_sixteenth_of_what_is_left_at_most_and_none_is_taken_near_the_cap()
    {
        await B.PutAsync(Cap with { Limit = new Money(2_000) }, Ct);
        for (var i = 0; i < 400; i++) await A.ReserveAsync(FaultTests.Request($"a{i}", 10), Ct);

        var (left, slices) = (2_000L, 0);
        foreach (var entry in await B.EntriesAsync(Acme, 0, 10_000, Ct))
        {
            if (IsSlice(entry) && entry.Kind == LedgerEntryKind.Reserve && ++slices > 0) Assert.InRange(entry.Held.NanoDollars, 80, left / 16);
            left -= entry.Held.NanoDollars;
            Assert.InRange(left, 0, 2_000);
        }

        Assert.True(slices > 1);
        Assert.Equal(0, left);
    }

    [Fact]
    public async Task What_a_slice_has_free_refuses_nobody_on_its_own_node()
    {
        await OpenSliceAsync();

        Assert.Equal(new Money(Many - 32), (await A.ReserveAsync(FaultTests.Request("all", Many - 32), Ct)).Granted);
        Assert.Null((await A.ReserveAsync(FaultTests.Request("more", 1), Ct)).Granted);
        Assert.Empty(await B.VerifyAsync(Ct));
    }

    [Fact]
    public async Task What_a_slice_has_free_refuses_nobody_on_another_node()
    {
        await OpenSliceAsync();
        // Sooner or later; here when the other has seen that it must wait.
        var asked = B.ReserveAsync(FaultTests.Request("all", Many - 32), Ct);
        Assert.False(asked.IsCompleted);
        await BackAsync();

        Assert.Equal(new Money(Many - 32), (await asked).Granted);
    }

    [Fact]
    public async Task The_slice_of_a_node_that_died_is_spent_whole()
    {
        await OpenSliceAsync();
        Assert.True(await A.SettleAsync(FaultTests.Row("a0", 4), Ct));
        var held = Assert.Single(await B.ListAsync(Acme, Now, Ct)).Held.NanoDollars;
        Assert.True(held > 20);

        Assert.Equal(1, await B.ExpireAsync(Now.AddHours(3), Ct));

        await StandsAsync(4 + 1 + 1 + held, 0);
        Assert.Equal(AttemptOutcome.Unknown, Assert.Single(await B.EntriesAsync(Acme, 0, 100, Ct), entry => entry.Kind == LedgerEntryKind.Expire).Row.Outcome);
    }

    [Fact]
    public async Task A_call_that_outlasts_its_slice_is_booked_at_its_cost_once_and_the_rest_stays_spent()
    {
        await OpenSliceAsync();
        var held = Assert.Single(await B.ListAsync(Acme, Now, Ct)).Held.NanoDollars;
        await B.ExpireAsync(Now.AddHours(3), Ct);

        Assert.True(await A.SettleAsync(FaultTests.Row("a1", 7), Ct));
        Assert.False(await A.SettleAsync(FaultTests.Row("a1", 7), Ct));
        Assert.False(await B.SettleAsync(FaultTests.Row("a1", 7), Ct));
        Assert.True(await A.SettleAsync(FaultTests.Row("a0", 0), Ct));

        await StandsAsync(2 + held - 20 + 7, 0);
    }

    [Fact]
    public async Task A_settle_is_answered_when_its_batch_is_durable_and_not_before()
    {
        await OpenSliceAsync();
        _decide = operation => operation == "TransactWriteItems" ? Fault.Conflict : null;

        await Assert.ThrowsAsync<DynamoBusyException>(() => A.SettleAsync(FaultTests.Row("a0", 4), Ct));

        Assert.DoesNotContain(await B.EntriesAsync(Acme, 0, 100, Ct), entry => entry.Row.Attempt.Value == "a0");
        _decide = _ => null;
        Assert.True(await A.SettleAsync(FaultTests.Row("a0", 4), Ct));
        Assert.False(await A.SettleAsync(FaultTests.Row("a0", 4), Ct));
        await RestAsync();
        await StandsAsync(2 + 4, 0);
    }

    [Theory]
    [InlineData(Fault.Throttled)]
    [InlineData(Fault.Conflict)]
    [InlineData(Fault.AnswerLost)]
    [InlineData(Fault.ConnectionLost)]
    internal async Task A_batch_is_written_once_whatever_happens_to_the_write(Fault fault)
    {
        await OpenSliceAsync();
        var left = 3;
        _decide = operation => operation == "TransactWriteItems" && Interlocked.Decrement(ref left) >= 0 ? fault : null;

        Assert.True(await A.SettleAsync(FaultTests.Row("a0", 4), Ct));

        await RestAsync();
        await StandsAsync(2 + 4, 0);
    }

    [Fact]
    public async Task A_batch_of_which_no_answer_ever_came_is_known_when_it_is_settled_again()
    {
        await OpenSliceAsync();
        _decide = operation => operation == "TransactWriteItems" ? Fault.AnswerLost : null;
        await Assert.ThrowsAsync<DynamoBusyException>(() => A.SettleAsync(FaultTests.Row("a0", 4), Ct));
        // What goes back has no answer either, and goes back once.
        await Assert.ThrowsAsync<DynamoBusyException>(() => BackAsync());
        _decide = _ => null;

        Assert.True(await A.SettleAsync(FaultTests.Row("a0", 4), Ct));

        await RestAsync();
        await StandsAsync(2 + 4, 0);
    }

    [Fact]
    public async Task Of_two_settles_at_once_one_counts()
    {
        await OpenSliceAsync();

        var settled = await Task.WhenAll(Enumerable.Range(4, 2).Select(cost => Task.Run(() => A.SettleAsync(FaultTests.Row("a0", cost), Ct), Ct)));

        Assert.Single(settled, each => each);
        await RestAsync();
        await StandsAsync(2 + (settled[0] ? 4 : 5), 0);
    }

    [Fact]
    public async Task A_call_settled_by_another_node_is_booked_once_and_what_was_kept_for_it_goes_back()
    {
        await OpenSliceAsync();

        Assert.True(await B.SettleAsync(FaultTests.Row("a0", 4), Ct));
        Assert.False(await A.SettleAsync(FaultTests.Row("a0", 4), Ct));

        await RestAsync();
        await StandsAsync(2 + 4, 0);
    }

    [Fact]
    public async Task A_second_reservation_for_a_call_of_a_slice_is_a_bug_whether_it_runs_or_is_over()
    {
        await OpenSliceAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => A.ReserveAsync(FaultTests.Request("a0", 10), Ct));
        await A.SettleAsync(FaultTests.Row("a0", 4), Ct);

        await Assert.ThrowsAsync<InvalidOperationException>(() => B.ReserveAsync(FaultTests.Request("a0", 10), Ct));
    }

    [Fact]
    public async Task A_budget_made_while_a_slice_is_out_holds_it_and_counts_its_calls()
    {
        await OpenSliceAsync();
        var project = Cap with { Scope = new(BudgetScopeKind.Project, "default") };

        await B.PutAsync(project, Ct);
        Assert.All(await B.ListAsync(Acme, Now, Ct), status => Assert.True(status.Held.NanoDollars > 30));
        Assert.True(await A.SettleAsync(FaultTests.Row("a0", 4), Ct));

        await RestAsync();
        await StandsAsync(2 + 4, 0);
    }

    [Fact]
    public async Task A_budget_made_while_a_batch_is_written_counts_it_once()
    {
        await OpenSliceAsync();
        _http.BeforeNextTransaction(async () =>
        {
            await B.PutAsync(Cap with { Scope = new(BudgetScopeKind.Project, "default") }, Ct);
            await B.ListAsync(Acme, Now, Ct);
        });

        Assert.True(await A.SettleAsync(FaultTests.Row("a0", 4), Ct));

        await RestAsync();
        await StandsAsync(2 + 4, 0);
    }

    [Fact]
    public async Task A_batch_written_while_a_budget_is_made_is_counted_once()
    {
        await OpenSliceAsync();
        // A's first transaction sets the budget; before its second, by which the slice is put on it, there is less of the slice than was read.
        _http.BeforeNextTransaction(() =>
        {
            _http.BeforeNextTransaction(async () => Assert.True(await A.SettleAsync(FaultTests.Row("a0", 4), Ct)));
            return Task.CompletedTask;
        });

        await A.PutAsync(Cap with { Scope = new(BudgetScopeKind.Project, "default") }, Ct);

        await RestAsync();
        await StandsAsync(2 + 4, 0);
    }

    [Fact]
    public async Task Retention_drops_what_a_slice_wrote_with_its_calls_and_not_while_it_holds()
    {
        await OpenSliceAsync();
        await A.SettleAsync(FaultTests.Row("a0", 4), Ct);
        while (await _nodes.Ledgers[1].Usage.DropAsync(Now.AddDays(1), Ct) > 0)
        {
        }

        Assert.Contains(await B.EntriesAsync(Acme, 0, 100, Ct), entry => IsSlice(entry) && entry.Kind == LedgerEntryKind.Reserve);
        await RestAsync();
        while (await _nodes.Ledgers[1].Usage.DropAsync(Now.AddDays(1), Ct) > 0)
        {
        }

        Assert.Empty(await B.EntriesAsync(Acme, 0, 100, Ct));
        await StandsAsync(2 + 4, 0);
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    public async Task Budgets_that_come_and_go_while_slices_are_out_never_lose_or_double_what_those_move(ulong seed)
    {
        await using var nodes = new LeasedNodes(emulator, LeasedNodes.Eager, null, null);
        await nodes.OpenAsync();
        await nodes.ReturnInTimeAsync();
        var (first, second) = (nodes.Ledgers[0].Budgets, nodes.Ledgers[1].Budgets);
        await first.PutAsync(Cap, Ct);

        await Task.WhenAll([.. Enumerable.Range(0, 12).Select(worker => Task.Run(() => WorkAsync(worker % 2 == 0 ? first : second, worker, seed), Ct)), Task.Run(() => ChangeAsync(first, second, seed), Ct)]);
        await nodes.StopAsync();

        var entries = await first.EntriesAsync(Acme, 0, 10_000, Ct);
        Assert.Contains(entries, IsSlice);
        foreach (var scope in BudgetScope.Over(FaultTests.Row("a", 0))) await second.PutAsync(Cap with { Scope = scope }, Ct);
        Assert.All(await first.ListAsync(Acme, Now, Ct), status => Assert.Equal((entries.Sum(entry => entry.Spent.NanoDollars), entries.Sum(entry => entry.Held.NanoDollars)), (status.Spent.NanoDollars, status.Held.NanoDollars)));
        Assert.Empty(await second.VerifyAsync(Ct));
    }

    private static async Task WorkAsync(DynamoBudgetStore node, int worker, ulong seed)
    {
        var source = new SeededSource((seed * 100) + (ulong)worker);
        for (var i = 0; i < 40; i++)
        {
            var name = $"{worker}-{i}";
            if ((await node.ReserveAsync(FaultTests.Request(name, 1 + source.Below(50)), Ct)).Granted is { } granted) Assert.True(await node.SettleAsync(FaultTests.Row(name, granted.NanoDollars / 2), Ct));
        }
    }

    private static async Task ChangeAsync(DynamoBudgetStore first, DynamoBudgetStore second, ulong seed)
    {
        var source = new SeededSource(seed);
        for (var i = 0; i < 10; i++)
        {
            var scope = BudgetScope.Over(FaultTests.Row("a", 0))[source.Below(4)];
            if (source.OneIn(3)) await first.RemoveAsync(Acme, scope, BudgetPeriod.Month, Ct);
            else await second.PutAsync(Cap with { Scope = scope, Limit = new Money(100_000 + i), TimeZone = source.Pick("UTC", "Europe/Zurich") }, Ct);
            await first.ListAsync(Acme, Now, Ct);
        }
    }

    /// <summary>So many calls that the next are admitted from a slice.</summary>
    private async Task WarmAsync()
    {
        for (var i = 0; i < 2; i++) await CallAsync($"w{i}", 10, 1, null);
    }

    /// <summary>Node A has a slice, and three calls of 10 that run: all from it.</summary>
    private async Task OpenSliceAsync()
    {
        await WarmAsync();
        for (var i = 0; i < 3; i++) Assert.Equal(new Money(10), (await A.ReserveAsync(FaultTests.Request($"a{i}", 10), Ct)).Granted);
    }

    private async Task CallAsync(string attempt, long wanted, long cost, string? conversation)
    {
        Assert.Equal(new Money(wanted), (await A.ReserveAsync(FaultTests.Request(attempt, wanted), Ct)).Granted);
        Assert.True(await A.SettleAsync(FaultTests.Row(attempt, cost) with { Conversation = conversation }, Ct));
    }

    /// <summary>What is free goes back.</summary>
    private Task BackAsync() => _nodes.Ledgers[0].Leases!.ReturnAllAsync();

    /// <summary>All that runs ends at nothing, and what is free goes back.</summary>
    private async Task RestAsync()
    {
        for (var i = 0; i < 3; i++) await A.SettleAsync(FaultTests.Row($"a{i}", 0), Ct);
        await BackAsync();
    }

    private async Task StandsAsync(long spent, long held)
    {
        Assert.All(await B.ListAsync(Acme, Now, Ct), status => Assert.Equal((spent, held), (status.Spent.NanoDollars, status.Held.NanoDollars)));
        Assert.Empty(await B.VerifyAsync(Ct));
    }

    private static bool IsSlice(LedgerEntry entry) => entry.Row.Attempt.Value.StartsWith("slice_", StringComparison.Ordinal);
}
