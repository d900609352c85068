using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

/// <summary>
/// Whatever happens, in whatever order and at once: a store of budgets and the plain model say the same. The cases follow from a seed;
/// <c>PENSTOCK_PROPERTY_CASES</c> and <c>PENSTOCK_PROPERTY_SEED</c> ask for more and for others. An adapter's tests derive from this.
/// </summary>
public abstract class BudgetProperties(ITestOutputHelper output) : LedgerContract
{
    private const ulong OddGamma = 0x9E3779B97F4A7C15;

    private int _tenants;

    /// <summary>How many lists of commands are tried; an adapter on a slow store may ask for fewer.</summary>
    protected virtual int Cases => 150;

    protected virtual int ConcurrentCases => 25;

    /// <summary>How often a budget may be changed, made and removed under one running call; a store whose transactions are bounded says how often.</summary>
    protected virtual int MostChanges => int.MaxValue;

    /// <summary>How a store that many nodes share gives up a reservation among too many others; nothing may be held then. Most never do.</summary>
    protected virtual bool IsTooBusy(Exception e) => false;

    [Fact]
    public Task Any_interleaving_of_reserve_settle_expire_reprice_and_limits_ends_where_the_model_ends() => CheckAsync(Cases, BudgetCommands.Any, async commands =>
    {
        var run = new BudgetRun(Budgets, Usage, NextTenant(), IsTooBusy, MostChanges, Ct);
        await run.CleanedUpAsync(async () =>
        {
            foreach (var command in commands) await run.DoAsync(command);
            await run.BooksAreRightAsync();
        });
    });

    [Fact]
    public Task Whatever_runs_at_once_no_reservation_passes_a_cap_and_every_balance_is_the_fold_of_the_ledger() => CheckAsync(ConcurrentCases, BudgetRace.Any, async race =>
    {
        var run = new BudgetRun(Budgets, Usage, NextTenant(), IsTooBusy, MostChanges, Ct);
        await run.CleanedUpAsync(() => race.RunAsync(run));
    });

    /// <summary>A tenant for each case: a store is too dear to be made anew for each.</summary>
    private TenantId NextTenant() => new($"t{Interlocked.Increment(ref _tenants)}");

    private async Task CheckAsync<T>(int cases, Arbitrary<T> any, Func<T, Task> holds)
    {
        var (count, seed) = (Setting("PENSTOCK_PROPERTY_CASES", cases), Setting("PENSTOCK_PROPERTY_SEED", 1));
        output.WriteLine($"{count} cases from seed {seed}");
        var config = Config.QuickThrowOnFailure.WithMaxTest(count).WithEndSize(60).WithReplay(FSharpOption<Replay>.Some(new Replay(new Rnd((ulong)seed, OddGamma), FSharpOption<int>.None)));
        // FsCheck waits for the tasks of a property; a thread of the pool may.
        await Task.Run(() => Check.One(config, Prop.ForAll(any, holds)), Ct);
    }

    private static int Setting(string name, int otherwise) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var set) ? set : otherwise;
}
