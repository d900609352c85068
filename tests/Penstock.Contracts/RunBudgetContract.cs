using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every budget store does for agent runs: each has an envelope that neither it nor what it starts can pass. An adapter's tests derive from this.</summary>
public abstract class RunBudgetContract : LedgerContract
{
    private static readonly RunId Parent = new("run_a");
    private static readonly RunId Child = new("run_b");

    /// <summary>What a process that starts again would have: the same data, and nothing that was in memory.</summary>
    protected abstract ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> ReopenAsync();

    [Fact]
    public async Task A_run_holds_on_its_envelope_from_its_first_call_on()
    {
        Assert.Equal((0, 0), await StandingAsync(Parent));

        var reservation = await Budgets.ReserveAsync(Hold("a1", 600, (Parent, 1000)), Ct);

        var status = Assert.Single(reservation.Budgets);
        Assert.Equal((BudgetScopeKind.Run, "run_a", 600, 400), (status.Budget.Scope.Kind, status.Budget.Scope.Name, status.Held.NanoDollars, status.Remaining.NanoDollars));
        Assert.Equal((0, 600), await StandingAsync(Parent));
        Assert.True(await Budgets.SettleAsync(Of("a1", 250, "run_a"), Ct));
        Assert.Equal((250, 0), await StandingAsync(Parent));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_refusal_names_the_run_that_has_spent_its_envelope_and_holds_nothing()
    {
        await Budgets.ReserveAsync(Hold("a1", 600, (Parent, 1000)), Ct);

        var refused = await Budgets.ReserveAsync(Hold("a2", 401, (Parent, 1000), (Child, 5000)), Ct);

        Assert.Null(refused.Granted);
        Assert.Equal((new BudgetScope(BudgetScopeKind.Run, "run_a"), 400), (refused.Refusing!.Budget.Scope, refused.Refusing.Remaining.NanoDollars));
        Assert.Equal((0, 600), await StandingAsync(Parent));
        Assert.Equal((0, 0), await StandingAsync(Child));
        Assert.Equal(new Money(400), (await Budgets.ReserveAsync(Hold("a3", 5000, 1, (Parent, 1000), (Child, 5000)), Ct)).Granted);
    }

    [Fact]
    public async Task What_a_child_spends_counts_on_its_parents_envelope_and_not_the_other_way_round()
    {
        await Budgets.ReserveAsync(Hold("a1", 300, (Parent, 1000), (Child, 400)), Ct);
        await Budgets.SettleAsync(Of("a1", 200, "run_a/run_b"), Ct);
        await Budgets.ReserveAsync(Hold("a2", 50, (Parent, 1000)), Ct);

        Assert.Equal((200, 50), await StandingAsync(Parent));
        Assert.Equal((200, 0), await StandingAsync(Child));
        Assert.Null((await Budgets.ReserveAsync(Hold("a3", 201, (Parent, 1000), (Child, 400)), Ct)).Granted);
        Assert.Null((await Budgets.ReserveAsync(Hold("a4", 751, (Parent, 1000)), Ct)).Granted);
        Assert.NotNull((await Budgets.ReserveAsync(Hold("a5", 750, (Parent, 1000)), Ct)).Granted);
    }

    [Fact]
    public async Task A_run_is_under_every_other_budget_too()
    {
        var key = Limit(new(BudgetScopeKind.Key, "k1"), BudgetPeriod.Month, 500);
        await Budgets.PutAsync(key, Ct);

        var refused = await Budgets.ReserveAsync(Hold("a1", 501, (Parent, 1000)), Ct);
        await Budgets.ReserveAsync(Hold("a2", 500, (Parent, 1000)), Ct);

        Assert.Equal(key.Scope, refused.Refusing!.Budget.Scope);
        Assert.Equal(500, Assert.Single(await Budgets.ListAsync(Acme, Now, Ct)).Held.NanoDollars);
        Assert.Equal((0, 500), await StandingAsync(Parent));
    }

    [Fact]
    public async Task Runs_of_like_names_and_of_other_tenants_have_nothing_in_common()
    {
        await Budgets.ReserveAsync(Hold("a1", 600, (Parent, 1000)), Ct);

        Assert.NotNull((await Budgets.ReserveAsync(Hold("a2", 1000, (new RunId("run_aa"), 1000)), Ct)).Granted);
        Assert.NotNull((await Budgets.ReserveAsync(Hold("a3", 1000, (new RunId("un_a"), 1000)), Ct)).Granted);
        var other = Hold("a1", 1000, (Parent, 1000));
        other = other with { Unsettled = other.Unsettled with { Tenant = Rival }, Implied = [Budget.OfRun(Rival, Parent, new Money(1000))] };
        Assert.NotNull((await Budgets.ReserveAsync(other, Ct)).Granted);
        Assert.Equal((0, 600), await StandingAsync(Parent));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_call_that_nobody_settled_counts_at_its_ceiling_until_the_truth_comes()
    {
        await Budgets.ReserveAsync(Hold("a1", 600, (Parent, 1000), (Child, 700)), Ct);

        Assert.Equal(1, await Budgets.ExpireAsync(Now.AddHours(1), Ct));

        Assert.Equal(((600, 0), (600, 0)), (await StandingAsync(Parent), await StandingAsync(Child)));
        Assert.Null((await Budgets.ReserveAsync(Hold("a2", 401, (Parent, 1000)), Ct)).Granted);
        Assert.True(await Budgets.SettleAsync(Of("a1", 250, "run_a/run_b"), Ct));
        Assert.Equal(((250, 0), (250, 0)), (await StandingAsync(Parent), await StandingAsync(Child)));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task An_attempt_that_held_nothing_counts_on_its_runs_though_it_is_their_first()
    {
        await Budgets.SettleAsync(Of("a1", 20, "run_a/run_b"), Ct);

        Assert.Equal(((20, 0), (20, 0)), (await StandingAsync(Parent), await StandingAsync(Child)));
        Assert.Null((await Budgets.ReserveAsync(Hold("a2", 981, (Parent, 1000)), Ct)).Granted);
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_attempt_keeps_the_runs_of_its_reservation(bool expired)
    {
        await Budgets.ReserveAsync(Hold("a1", 600, (Parent, 1000)), Ct);
        if (expired) await Budgets.ExpireAsync(Now.AddHours(2), Ct);

        await Budgets.SettleAsync(Of("a1", 250, "run_other"), Ct);

        Assert.Equal((250, 0), await StandingAsync(Parent));
        Assert.Equal((0, 0), await StandingAsync(new RunId("run_other")));
        Assert.All(await EntriesAsync(Acme), entry => Assert.Equal("run_a", entry.Row.Run));
        Assert.All(await Usage.ListAsync(Acme, new UsageQuery(), 10, Ct), row => Assert.Equal("run_a", row.Run));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_runs_balance_is_what_it_was_after_reopening()
    {
        await Budgets.ReserveAsync(Hold("a1", 300, (Parent, 1000), (Child, 400)), Ct);
        await Budgets.SettleAsync(Of("a1", 200, "run_a/run_b"), Ct);
        await Budgets.ReserveAsync(Hold("a2", 50, (Parent, 1000)), Ct);

        (Budgets, Usage) = await ReopenAsync();

        Assert.Null((await Budgets.ReserveAsync(Hold("a3", 751, (Parent, 1000)), Ct)).Granted);
        Assert.Equal(((200, 50), (200, 0)), (await StandingAsync(Parent), await StandingAsync(Child)));
        Assert.True(await Budgets.SettleAsync(Of("a2", 40, "run_a"), Ct));
        Assert.Equal((240, 0), await StandingAsync(Parent));
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task Retention_drops_attempts_and_no_envelope_forgets_them()
    {
        var late = new RunId("run_late");
        foreach (var (attempt, run, at) in new[] { ("a1", "run_a", Now.AddDays(-40)), ("a2", "run_a", Now), ("a3", "run_late", Now) })
        {
            var hold = Hold(attempt, 100, (new RunId(run), 250));
            await Budgets.ReserveAsync(hold with { Unsettled = hold.Unsettled with { At = at } }, Ct);
            await Budgets.SettleAsync(Of(attempt, 100, run) with { At = at }, Ct);
        }

        while (await Usage.DropAsync(Now.AddDays(-10), Ct) > 0)
        {
        }

        Assert.Equal(2, (await Usage.ListAsync(Acme, new UsageQuery(), 10, Ct)).Count);
        Assert.Equal(((200, 0), (100, 0)), (await StandingAsync(Parent), await StandingAsync(late)));
        Assert.Null((await Budgets.ReserveAsync(Hold("a4", 51, (Parent, 250)), Ct)).Granted);
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_runs_budget_is_never_stored()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Budgets.PutAsync(Budget.OfRun(Acme, Parent, new Money(1)), Ct));

        await Budgets.ReserveAsync(Hold("a1", 600, (Parent, 1000)), Ct);
        Assert.Empty(await Budgets.ListAsync(Acme, Now, Ct));
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    public async Task Of_64_who_reserve_at_once_none_passes_an_envelope(ulong seed)
    {
        const long parents = 20_000;
        const long childs = 7_000;
        await Task.WhenAll(Enumerable.Range(0, 64).Select(worker => Task.Run(() => WorkAsync(new SeededSource((seed * 1_000) + (ulong)worker), worker, parents, childs), Ct)));
        await Budgets.ExpireAsync(Now.AddHours(2), Ct);

        var entries = await EntriesAsync(Acme);
        var parent = Fold(entries, Parent, parents);
        var child = Fold(entries, Child, childs);
        Assert.Equal((parent, child), (await StandingAsync(Parent), await StandingAsync(Child)));
        Assert.InRange(parent.Spent, parents / 2, parents);
        Assert.InRange(child.Spent, childs / 2, childs);
        Assert.Empty(await Budgets.VerifyAsync(Ct));
    }

    private async Task WorkAsync(SeededSource source, int worker, long parents, long childs)
    {
        for (var i = 0; i < 8; i++)
        {
            var ofChild = source.OneIn(2);
            var wanted = 1 + source.Below(400);
            var hold = ofChild ? Hold($"{worker}-{i}", wanted, source.Pick(wanted, wanted / 2), (Parent, parents), (Child, childs)) : Hold($"{worker}-{i}", wanted, (Parent, parents));
            if ((await Budgets.ReserveAsync(hold, Ct)).Granted is not { } granted || source.OneIn(9)) continue;
            Assert.True(await Budgets.SettleAsync(hold.Unsettled with { Cost = new Money(source.Below((int)granted.NanoDollars + 1)), Outcome = AttemptOutcome.Completed }, Ct));
        }
    }

    /// <summary>What the entries leave the run with; at none of them did it pass its envelope.</summary>
    private static (long Spent, long Held) Fold(IReadOnlyList<LedgerEntry> entries, RunId run, long limit)
    {
        var (spent, held) = (0L, 0L);
        foreach (var entry in entries.Where(entry => BudgetScope.Over(entry.Row).Contains(new BudgetScope(BudgetScopeKind.Run, run.Value))))
        {
            (spent, held) = (spent + entry.Spent.NanoDollars, held + entry.Held.NanoDollars);
            Assert.True(spent + held <= limit, $"Entry {entry.Number} passes the envelope of {run}: {spent} spent and {held} held.");
        }

        return (spent, held);
    }

    /// <summary>An attempt of these runs, from the outermost, under their envelopes.</summary>
    private static HoldRequest Hold(string attempt, long wanted, params (RunId Run, long Limit)[] envelopes) => Hold(attempt, wanted, wanted, envelopes);

    private static HoldRequest Hold(string attempt, long wanted, long least, params (RunId Run, long Limit)[] envelopes) =>
        Request(Row(attempt) with { Run = string.Join('/', envelopes.Select(envelope => envelope.Run)) }, wanted, least) with
        {
            Implied = [.. envelopes.Select(envelope => Budget.OfRun(Acme, envelope.Run, new Money(envelope.Limit)))],
        };

    private static LedgerRow Of(string attempt, long cost, string run) => Row(attempt, cost) with { Run = run };

    private async Task<(long Spent, long Held)> StandingAsync(RunId run)
    {
        var status = Assert.Single(await Budgets.StatusAsync(Acme, [], [Budget.OfRun(Acme, run, new Money(1))], Now, Ct));
        return (status.Spent.NanoDollars, status.Held.NanoDollars);
    }
}
