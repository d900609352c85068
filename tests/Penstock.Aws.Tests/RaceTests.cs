using Penstock.Aws.DynamoDb;
using Penstock.Aws.DynamoDb.Budgets;
using Penstock.Aws.DynamoDb.Usage;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>
/// The races that the conditions of a write are for, each made to happen: node A acts when node B has read, and has not written yet. Without its
/// condition each of these is wrong every time.
/// </summary>
public sealed class RaceTests(Emulator emulator) : IAsyncLifetime
{
    private static readonly TenantId Acme = new("acme");
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    private static readonly Budget Cap = new() { Tenant = Acme, Scope = new(BudgetScopeKind.Key, "k1"), Period = BudgetPeriod.Month, Limit = new Money(1_000) };

    private readonly FaultyHttp _http = new(_ => null);
    private OpenedNodes _nodes = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private DynamoBudgetStore A => _nodes.Ledgers[0].Budgets;

    private DynamoBudgetStore B => _nodes.Ledgers[1].Budgets;

    private DynamoUsageStore Usage => _nodes.Ledgers[0].Usage;

    public async ValueTask InitializeAsync() => await (_nodes = new OpenedNodes(emulator, _http)).OpenAsync();

    public ValueTask DisposeAsync() => _nodes.DisposeAsync();

    [Theory]
    [InlineData(0)]
    [InlineData(60)]
    public async Task Money_that_went_after_it_was_read_is_not_granted_though_the_clock_is_ahead(int minutes)
    {
        await OpenAsync(Cap);
        using var database = Emulator.Connect(_nodes.Options, _http, TimeSpan.FromMinutes(minutes));
        var ahead = new DynamoLedger(database).Budgets;
        _http.BeforeNextTransaction(async () => Assert.Equal(new Money(600), (await A.ReserveAsync(FaultTests.Request("a1", 600), Ct)).Granted));

        var refused = await ahead.ReserveAsync(FaultTests.Request("b1", 600), Ct);

        Assert.Null(refused.Granted);
        Assert.Equal(new Money(400), refused.Refusing!.Remaining);
        await StandsAsync(0, 600);
    }

    [Fact]
    public async Task A_limit_lowered_after_it_was_read_is_in_force()
    {
        await OpenAsync(Cap);
        _http.BeforeNextTransaction(() => A.PutAsync(Cap with { Limit = new Money(599) }, Ct));

        Assert.Null((await B.ReserveAsync(FaultTests.Request("b1", 600), Ct)).Granted);

        await StandsAsync(0, 0);
    }

    [Fact]
    public async Task A_limit_raised_after_it_was_read_refuses_nothing()
    {
        await OpenAsync(Cap);
        await B.ListAsync(Acme, Now, Ct);
        await A.PutAsync(Cap with { Limit = new Money(2_000) }, Ct);

        Assert.Equal(new Money(1_500), (await B.ReserveAsync(FaultTests.Request("b1", 1_500), Ct)).Granted);
    }

    [Fact]
    public async Task Entries_are_in_the_order_in_which_they_were_written_whose_number_was_taken_first()
    {
        await OpenAsync(Cap);
        _http.BeforeNextTransaction(async () => Assert.NotNull((await A.ReserveAsync(FaultTests.Request("a1", 10), Ct)).Granted));

        await B.ReserveAsync(FaultTests.Request("b1", 10), Ct);

        Assert.Equal(["a1", "b1"], (await A.EntriesAsync(Acme, 0, 10, Ct)).Select(entry => entry.Row.Attempt.Value));
    }

    [Fact]
    public async Task A_budget_made_while_its_call_is_reserved_holds_it()
    {
        _http.BeforeNextTransaction(() => A.PutAsync(Cap, Ct));

        await B.ReserveAsync(FaultTests.Request("b1", 600), Ct);

        await StandsAsync(0, 600);
    }

    [Fact]
    public async Task A_budget_made_while_its_call_is_settled_counts_it()
    {
        await B.ReserveAsync(FaultTests.Request("b1", 600), Ct);
        _http.BeforeNextTransaction(() => OpenAsync(Cap));

        Assert.True(await B.SettleAsync(FaultTests.Row("b1", 250), Ct));

        await StandsAsync(250, 0);
    }

    [Fact]
    public async Task A_budget_made_while_an_attempt_without_a_hold_is_booked_counts_it()
    {
        _http.BeforeNextTransaction(() => OpenAsync(Cap));

        Assert.True(await B.SettleAsync(FaultTests.Row("b1", 250), Ct));

        await StandsAsync(250, 0);
    }

    [Fact]
    public async Task A_period_opened_while_an_attempt_without_a_hold_is_booked_counts_it()
    {
        var later = new DateTimeOffset(2031, 5, 5, 12, 0, 0, TimeSpan.Zero);
        await A.PutAsync(Cap, Ct);
        _http.BeforeNextTransaction(async () => await A.ListAsync(Acme, later, Ct));

        Assert.True(await B.SettleAsync(FaultTests.Row("b1", 250) with { At = later }, Ct));

        Assert.Equal(new Money(250), Assert.Single(await A.ListAsync(Acme, later, Ct)).Spent);
        Assert.Empty(await A.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_budget_made_while_an_expired_attempt_is_corrected_counts_what_it_came_to()
    {
        await A.ReserveAsync(FaultTests.Request("b1", 600), Ct);
        await A.ExpireAsync(Now.AddHours(1), Ct);
        var transactions = 0;
        // The first finds it closed, the second corrects it.
        void Next() => _http.BeforeNextTransaction(async () =>
        {
            if (++transactions == 2) await OpenAsync(Cap);
            else Next();
        });
        Next();

        Assert.True(await B.SettleAsync(FaultTests.Row("b1", 250), Ct));

        Assert.True(transactions >= 2);
        await StandsAsync(250, 0);
    }

    [Fact]
    public async Task Two_who_open_an_account_at_once_put_a_hold_on_it_once()
    {
        await A.ReserveAsync(FaultTests.Request("b1", 600), Ct);
        // Dies after it has put the hold on the account and before it opens it: of its updates only the first goes through.
        var updates = 0;
        using var dying = Emulator.Connect(_nodes.Options, new FaultyHttp(operation => operation == "UpdateItem" && ++updates > 1 ? Fault.Throttled : null));
        await A.ListAsync(Acme, Now, Ct);
        var first = true;
        // Of B's two transactions the first sets the budget, the second puts the hold on it.
        void Next() => _http.BeforeNextTransaction(async () =>
        {
            if (!first) await Assert.ThrowsAsync<DynamoBusyException>(() => new DynamoLedger(dying).Budgets.ListAsync(Acme, Now, Ct));
            else (first, _) = (false, Later());
        });
        bool Later()
        {
            Next();
            return true;
        }

        Next();

        await B.PutAsync(Cap with { Period = BudgetPeriod.Total }, Ct);

        await StandsAsync(0, 600);
    }

    [Fact]
    public async Task A_conversation_that_grew_after_it_was_read_is_counted_once_at_all_it_cost()
    {
        LedgerRow Call(string attempt) => FaultTests.Row(attempt, 100) with { Conversation = "c" };
        await B.SettleAsync(Call("b1"), Ct);
        _http.BeforeNextTransaction(() => A.SettleAsync(Call("a1"), Ct));

        Assert.True(await B.SettleAsync(Call("b2"), Ct));

        var expected = new LogHistogram();
        expected.Add(300);
        Assert.Equal(expected.Buckets, (await Usage.ConversationCostsAsync(Acme, Now, Now.AddDays(1), Ct)).Buckets);
        Assert.Empty(await A.VerifyAsync(Ct));
    }

    private async Task OpenAsync(Budget budget)
    {
        await A.PutAsync(budget, Ct);
        await A.ListAsync(Acme, Now, Ct);
    }

    private async Task StandsAsync(long spent, long held)
    {
        var status = Assert.Single(await A.ListAsync(Acme, Now, Ct));
        Assert.Equal((spent, held), (status.Spent.NanoDollars, status.Held.NanoDollars));
        Assert.Empty(await A.VerifyAsync(Ct));
    }
}
