using System.Collections.Concurrent;
using FsCheck;
using FsCheck.Fluent;
using Penstock.Budgets;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

/// <summary>One call of a race.</summary>
/// <param name="Ends">How: settled, settled twice at once at two prices, given back, or left to the sweeper.</param>
/// <param name="Late">Its hold is due for the sweeper from the start.</param>
internal sealed record RacingCall(int Key, int User, int Model, int Wanted, int Least, RaceEnd Ends, int Cost, bool Late);

internal enum RaceEnd
{
    Settled,
    SettledTwice,
    Released,
    Left,
}

/// <summary>Callers that reserve and settle at once, while a sweeper expires and an admin changes limits under them.</summary>
internal sealed record BudgetRace(RacingCall[][] Callers, int[] Limits)
{
    private const int MostCallers = 8;
    private const int CallsEach = 12;

    private static readonly DateTimeOffset Now = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);

    public static Arbitrary<BudgetRace> Any => Arb.From(
        from callers in Calls.ArrayOf(CallsEach).ArrayOf(MostCallers)
        from limits in Gen.Choose(1_000, 20_000).ArrayOf(3)
        select new BudgetRace(callers, limits),
        race => [.. BudgetCommands.Shorter(race.Callers).Where(callers => callers.Length > 1).Select(callers => race with { Callers = callers })]);

    private static Gen<RacingCall> Calls =>
        from key in Gen.Choose(0, 1)
        from user in Gen.Choose(0, 1)
        from model in Gen.Choose(0, 1)
        from wanted in Gen.Choose(1, BudgetCommands.MostNanos)
        from least in Gen.Elements(1, 50, 100)
        from ends in Gen.Elements(Enum.GetValues<RaceEnd>())
        from cost in Gen.Choose(0, 100)
        from late in Gen.Elements(true, false)
        select new RacingCall(key, user, model, wanted, least, ends, cost, late);

    public override string ToString() => $"limits {string.Join(", ", Limits)}; {string.Join(" | ", Callers.Select(calls => string.Join(", ", calls.AsEnumerable())))}";

    /// <summary>Hard, and the same from the beginning to the end.</summary>
    private Budget[] Caps(TenantId tenant) =>
    [
        Cap(tenant, new(BudgetScopeKind.Tenant, tenant.Value), BudgetPeriod.Month, Limits[0] * 2),
        Cap(tenant, new(BudgetScopeKind.Key, "k0"), BudgetPeriod.Day, Limits[1]),
        Cap(tenant, new(BudgetScopeKind.Model, "m1"), BudgetPeriod.Total, Limits[2]),
    ];

    private static Budget Cap(TenantId tenant, BudgetScope scope, BudgetPeriod period, int limit) => new() { Tenant = tenant, Scope = scope, Period = period, Limit = new Money(limit) };

    public async Task RunAsync(BudgetRun run)
    {
        foreach (var cap in Caps(run.Tenant)) await run.Store.PutAsync(cap, run.Ct);
        var done = new ConcurrentBag<(HoldRequest Request, Money Granted, Money? Cost)>();
        using var over = new CancellationTokenSource();
        var others = new[] { Task.Run(() => SweepAsync(run, over.Token), run.Ct), Task.Run(() => ChangeLimitsAsync(run, over.Token), run.Ct) };
        var callers = Callers.Select((calls, caller) => Task.Run(() => CallAsync(run, caller, calls, done), run.Ct)).ToArray();
        try
        {
            await Task.WhenAll(callers);
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(others);
        }

        await BalancesAreTheFoldAsync(run, done);
        NoReservationPassedACap(await run.EntriesAsync(), Caps(run.Tenant));
        await WhatIsLeftCanBeHadAsync(run);
    }

    private static async Task CallAsync(BudgetRun run, int caller, RacingCall[] calls, ConcurrentBag<(HoldRequest, Money, Money?)> done)
    {
        for (var i = 0; i < calls.Length; i++)
        {
            var call = calls[i];
            var request = BudgetCommands.Request(run.Tenant, new BudgetCommand.Reserve((caller * 1000) + i, call.Key, call.User, call.Model, call.Wanted, call.Least, null), Now) with { ExpiresAt = call.Late ? Now : Now.AddDays(1) };
            if (await ReserveAsync(run, request) is not { } reservation) continue;
            Assert.All(reservation.Budgets.Where(status => status.Budget.Hard && reservation.Granted is not null), status => Assert.True(status.Remaining >= Money.Zero, $"{status} after {request.Wanted} was granted"));
            if (reservation.Granted is not { } granted)
            {
                Assert.True(reservation.Refusing!.Remaining < request.Least, $"{request.Least} was refused though {reservation.Refusing} leaves it");
                continue;
            }

            Assert.InRange(granted.NanoDollars, request.Least.NanoDollars, request.Wanted.NanoDollars);
            done.Add((request, granted, await EndAsync(run, request, granted, call)));
        }
    }

    /// <returns>Null where the store was too busy.</returns>
    private static async Task<Reservation?> ReserveAsync(BudgetRun run, HoldRequest request)
    {
        try
        {
            return await run.Store.ReserveAsync(request, run.Ct);
        }
        catch (Exception e) when (run.TooBusy(e))
        {
            return null;
        }
    }

    /// <returns>What it was settled at; null where it was left.</returns>
    private static async Task<Money?> EndAsync(BudgetRun run, HoldRequest request, Money granted, RacingCall call)
    {
        if (call.Ends == RaceEnd.Left) return null;
        var row = request.Unsettled with { Cost = call.Ends == RaceEnd.Released ? Money.Zero : new Money(granted.NanoDollars * call.Cost / 100) };
        if (call.Ends != RaceEnd.SettledTwice)
        {
            Assert.True(await run.Store.SettleAsync(row, run.Ct), $"{row.Attempt} was settled by nobody else");
            return row.Cost;
        }

        // Two at once, of which one counts; which, the store says.
        var rows = new[] { row, row with { Cost = granted } };
        var first = await Task.WhenAll(rows.Select(each => Task.Run(() => run.Store.SettleAsync(each, run.Ct), run.Ct)));
        Assert.Single(first, settled => settled);
        return rows[Array.IndexOf(first, true)].Cost;
    }

    private static async Task SweepAsync(BudgetRun run, CancellationToken over)
    {
        while (!over.IsCancellationRequested) await run.Store.ExpireAsync(Now, run.Ct);
    }

    /// <summary>Of budgets that refuse nothing, and come and go: their balances must be right whenever they are made.</summary>
    private static async Task ChangeLimitsAsync(BudgetRun run, CancellationToken over)
    {
        var scope = new BudgetScope(BudgetScopeKind.Project, "p1");
        for (var limit = 1; limit <= run.MostChanges && !over.IsCancellationRequested; limit++)
        {
            await run.Store.PutAsync(Cap(run.Tenant, scope, BudgetPeriod.Week, limit) with { Hard = false }, run.Ct);
            if (limit % 3 == 0) await run.Store.RemoveAsync(run.Tenant, scope, BudgetPeriod.Week, run.Ct);
            await run.Store.ListAsync(run.Tenant, Now, run.Ct);
        }

        await run.Store.PutAsync(Cap(run.Tenant, scope, BudgetPeriod.Week, 1) with { Hard = false }, run.Ct);
        run.Model.Put(Cap(run.Tenant, scope, BudgetPeriod.Week, 1) with { Hard = false });
    }

    private async Task BalancesAreTheFoldAsync(BudgetRun run, ConcurrentBag<(HoldRequest Request, Money Granted, Money? Cost)> done)
    {
        foreach (var cap in Caps(run.Tenant)) run.Model.Put(cap);
        foreach (var (request, granted, cost) in done)
        {
            run.Model.Hold(request, granted);
            if (cost is { } settled) run.Model.Settle(request.Unsettled with { Cost = settled });
        }

        // What the sweeper has done by now, and what it has not, is the same once it has done all it may.
        run.Model.Expire(Now);
        await run.Store.ExpireAsync(Now, run.Ct);
        await run.BooksAreRightAsync(Now);
    }

    /// <summary>The ledger tells every moment there was: at none of them did a reservation stand past its cap.</summary>
    private static void NoReservationPassedACap(IReadOnlyList<LedgerEntry> entries, Budget[] caps)
    {
        foreach (var cap in caps)
        {
            var (window, standing) = (cap.WindowAt(Now), Money.Zero);
            foreach (var entry in entries.Where(entry => BudgetScope.Over(entry.Row).Contains(cap.Scope)))
            {
                Assert.True(entry.Row.At >= window.Start, $"{entry} is in another period than its reservation");
                standing += entry.Held + entry.Spent;
                if (entry.Kind == LedgerEntryKind.Reserve) Assert.True(standing <= cap.Limit, $"{standing} of {cap.Limit} of {cap.Scope} at {entry}");
            }
        }
    }

    /// <summary>No hold is left that nobody sees: all that is left is granted, and not one nano-dollar more.</summary>
    private async Task WhatIsLeftCanBeHadAsync(BudgetRun run)
    {
        foreach (var (key, model) in new[] { (0, 0), (0, 1), (1, 0), (1, 1) })
        {
            var row = BudgetCommands.Row(run.Tenant, $"probe{key}{model}", key, 0, model, Now);
            var left = Caps(run.Tenant).Where(cap => BudgetScope.Over(row).Contains(cap.Scope)).Min(cap => run.Model.Status(cap, Now).Remaining);
            var more = left + new Money(1);
            var request = new HoldRequest { Unsettled = row, Wanted = more, Least = more, ExpiresAt = Now.AddDays(1) };
            Assert.Null((await run.Store.ReserveAsync(request, run.Ct)).Granted);
            if (left == Money.Zero) continue;
            Assert.Equal(left, (await run.Store.ReserveAsync(request with { Wanted = left, Least = left }, run.Ct)).Granted);
            await run.Store.SettleAsync(row, run.Ct);
        }
    }
}
