using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Budgets;
using Penstock.Sqlite.Usage;
using Penstock.Usage;
using Xunit;

namespace Penstock.Sqlite.Tests;

/// <summary>What the writer keeps in memory is what the database holds, whatever becomes of an operation or its group; and the verifier sees what does not fit.</summary>
public sealed class BooksTests : IAsyncLifetime
{
    private static readonly BudgetScope Key = new(BudgetScopeKind.Key, "key-1");

    private readonly OpenedStore _store = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private SqliteDatabase Database => _store.Database;

    private SqliteBudgetStore Budgets => new SqliteBudgetStore(Database);

    public async ValueTask InitializeAsync()
    {
        await Budgets.PutAsync(new Budget { Tenant = TenantId.Default, Scope = Key, Period = BudgetPeriod.Month, Limit = new Money(long.MaxValue) }, Ct);
        await Budgets.ReserveAsync(Hold("a1", 600), Ct);
        await Budgets.SettleAsync(Rows.Row("a1") with { Cost = new Money(250), Conversation = "c", EndUser = "anna", Run = "run_a", FirstTokenMs = 9 }, Ct);
        await Budgets.ReserveAsync(Hold("a2", 100), Ct);
        Assert.Equal((250, 100), await StandingAsync());
    }

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task What_a_group_gathered_is_forgotten_where_the_group_is_undone()
    {
        using var writer = await HeldWriter.HoldAsync(Database, Ct);
        var first = Budgets.ReserveAsync(Hold("a3", 30), Ct);
        var (settle, removed) = (Budgets.SettleAsync(Rows.Row("a2") with { Cost = new Money(7) }, Ct), Budgets.RemoveAsync(TenantId.Default, Key, BudgetPeriod.Month, Ct));
        var vandal = Database.WriteAsync(
            session =>
            {
                session.RunScript("ROLLBACK");
                return true;
            },
            Ct);
        writer.Release();

        foreach (var undone in new Task[] { first, settle, removed, vandal }) await Assert.ThrowsAsync<InvalidOperationException>(() => undone);
        Assert.Equal((250, 100), await StandingAsync());
        Assert.True(await Budgets.SettleAsync(Rows.Row("a2") with { Cost = new Money(7) }, Ct));
        Assert.Equal((257, 0), await StandingAsync());
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task An_operation_that_fails_while_it_gathers_undoes_its_group()
    {
        using var writer = await HeldWriter.HoldAsync(Database, Ct);
        var good = Budgets.SettleAsync(Rows.Row("a2") with { Cost = new Money(7) }, Ct);
        // More than all of the budget's money together.
        var overflow = Budgets.SettleAsync(Rows.Row("a3") with { Cost = new Money(long.MaxValue) }, Ct);
        writer.Release();

        await Assert.ThrowsAnyAsync<Exception>(() => overflow);
        await Assert.ThrowsAsync<InvalidOperationException>(() => good);
        Assert.Equal((250, 100), await StandingAsync());
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_budget_that_is_made_between_calls_of_the_same_group_counts_those_before_it()
    {
        using var writer = await HeldWriter.HoldAsync(Database, Ct);
        var model = new Budget { Tenant = TenantId.Default, Scope = new(BudgetScopeKind.Model, "gpt-4o-mini"), Period = BudgetPeriod.Day, Limit = new Money(1_000) };
        var (settle, reserve) = (Budgets.SettleAsync(Rows.Row("a3") with { Cost = new Money(20) }, Ct), Budgets.ReserveAsync(Hold("a4", 5), Ct));
        var (put, statuses) = (Budgets.PutAsync(model, Ct), Budgets.StatusAsync(TenantId.Default, [model.Scope], [], Rows.Row("").At, Ct));
        writer.Release();
        await Task.WhenAll(settle, reserve, put);

        var status = Assert.Single(await statuses);
        Assert.Equal((270, 105), (status.Spent.NanoDollars, status.Held.NanoDollars));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task What_is_open_survives_a_restart()
    {
        using var folder = new TemporaryFolder();
        await using (var database = folder.Open()) await new SqliteBudgetStore(database).ReserveAsync(Hold("a1", 600), Ct);

        await using var again = folder.Open();
        Assert.True(await new SqliteBudgetStore(again).SettleAsync(Rows.Row("a1"), Ct));
        Assert.Empty(await new SqliteBudgetStore(again).VerifyAsync(Ct));
    }

    [Theory]
    [InlineData("UPDATE budget_balances SET spent_nanos = spent_nanos + 1", "key 'key-1' from 2026-11-01")]
    [InlineData("UPDATE budget_balances SET held_nanos = held_nanos - 1", "key 'key-1' from 2026-11-01")]
    [InlineData("UPDATE budget_balances SET spent_nanos = spent_nanos + 1", "run 'run_a'")]
    [InlineData("UPDATE budget_balances SET held_nanos = held_nanos - 1", "run 'run_a'")]
    [InlineData("DELETE FROM budget_balances WHERE scope_name = 'run_a'", "run 'run_a'")]
    [InlineData("UPDATE ledger SET run = NULL WHERE kind = 1", "run 'run_a'")]
    [InlineData("UPDATE rollups SET cost_nanos = cost_nanos + 1 WHERE grain = 0 AND facet = 0", "Combination Quarter")]
    [InlineData("UPDATE rollups SET input = input + 1 WHERE grain = 1 AND facet = 1", "EndUser Day")]
    [InlineData("UPDATE rollups SET failed = 1 WHERE grain = 2 AND facet = 0", "Combination Month")]
    [InlineData("DELETE FROM rollups WHERE grain = 2 AND facet = 1", "EndUser Month")]
    [InlineData("UPDATE rollup_spreads SET latency = first_token WHERE grain = 0 AND facet = 0", "Combination Quarter")]
    [InlineData("DELETE FROM rollup_spreads WHERE grain = 1 AND facet = 0", "Combination Day")]
    [InlineData("UPDATE conversations SET cost_nanos = cost_nanos + 1", "conversation 'c'")]
    [InlineData("DELETE FROM conversations", "conversation 'c'")]
    [InlineData("UPDATE conversation_costs SET conversations = 2", "conversations that began on 2026-11-21")]
    [InlineData("DELETE FROM conversation_costs", "conversations that began on 2026-11-21")]
    [InlineData("UPDATE holds SET granted_nanos = 99", "attempt 'a2'")]
    [InlineData("DELETE FROM holds", "attempt 'a2'")]
    [InlineData("DELETE FROM ledger WHERE kind = 0 AND attempt = 'a2'", "attempt 'a2'")]
    [InlineData("DELETE FROM ledger WHERE kind = 1", "Combination Quarter")]
    [InlineData("UPDATE ledger SET cost_nanos = 251 WHERE kind = 1", "Combination Quarter")]
    [InlineData("UPDATE ledger SET held_nanos = -599 WHERE kind = 1", "attempt 'a1'")]
    public async Task The_verifier_names_what_does_not_fit(string damage, string named)
    {
        Assert.Empty(await Budgets.VerifyAsync(Ct));
        await Database.WriteAsync(
            session =>
            {
                session.RunScript(damage);
                return true;
            },
            Ct);

        Assert.Contains(await Budgets.VerifyAsync(Ct), difference => difference.Contains(named, StringComparison.Ordinal));
    }

    [Fact]
    public void Buckets_are_stored_and_added_up_as_they_are()
    {
        var (left, right, both) = (new LogHistogram(), new LogHistogram(), new LogHistogram());
        foreach (var value in new[] { 0, 1, 5, 5, 127, 128, 1_000_000, long.MaxValue }) left.Add(value);
        foreach (var value in new[] { 0L, 2, 5, 300, 1_000_000 }) right.Add(value);
        left.AddBucket(7, 1L << 40);
        both.Add(left);
        both.Add(right);

        var counts = BucketBytes.NewCounts();
        BucketBytes.AddTo(counts, BucketBytes.Add(BucketBytes.Add([], left), right));
        var read = new LogHistogram();
        BucketBytes.AddTo(read, counts);

        Assert.Equal(both.Buckets, read.Buckets);
    }

    private static HoldRequest Hold(string attempt, long wanted) => new()
    {
        Unsettled = Rows.Row(attempt) with { Conversation = "c", EndUser = "anna", Run = "run_a" },
        Wanted = new Money(wanted),
        Least = new Money(wanted),
        ExpiresAt = Rows.Row(attempt).At.AddHours(1),
    };

    private async Task<(long Spent, long Held)> StandingAsync()
    {
        var status = Assert.Single(await Budgets.ListAsync(TenantId.Default, Rows.Row("").At, Ct));
        return (status.Spent.NanoDollars, status.Held.NanoDollars);
    }
}
