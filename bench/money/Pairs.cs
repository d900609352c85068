using System.Diagnostics;
using Penstock.Budgets;
using Penstock.Kernel;

namespace Penstock.Bench.Money;

/// <summary>Reserve and settle over three budgets (tenant, project, key), each durable before its task completes.</summary>
internal static class Pairs
{
    private const int Keys = 16;
    private static readonly TimeSpan Each = TimeSpan.FromSeconds(4);

    public static async Task RunAsync(string root)
    {
        var synced = SyncsPerSecond(root);
        Console.WriteLine($"{"disk: write + fsync of 4 KiB",-44}{synced,10:N0} /s");
        foreach (var inFlight in new[] { 16, 64, 256, 1024 })
        {
            var (pairs, micros) = await MeasureAsync(Path.Combine(root, $"pairs-{inFlight}"), inFlight);
            Console.WriteLine($"{$"reserve+settle pairs, {inFlight} in flight",-44}{pairs,10:N0} /s  {pairs / synced:N1} a sync of the disk, {micros:N0} µs of CPU each");
        }
    }

    private static double SyncsPerSecond(string root)
    {
        using var file = File.OpenHandle(Path.Combine(root, "sync"), FileMode.Create, FileAccess.Write);
        var page = new byte[4096];
        var clock = Stopwatch.StartNew();
        var count = 0;
        for (; clock.Elapsed < TimeSpan.FromSeconds(2); count++)
        {
            RandomAccess.Write(file, page, count * page.Length);
            RandomAccess.FlushToDisk(file);
        }

        return count / clock.Elapsed.TotalSeconds;
    }

    private static async Task<(double PerSecond, double MicrosEach)> MeasureAsync(string folder, int inFlight)
    {
        await using var store = new Store(folder);
        var at = new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
        foreach (var scope in Enumerable.Range(0, Keys).SelectMany(key => BudgetScope.Over(Store.Row("", key, at))).Where(scope => scope.Kind <= BudgetScopeKind.Key).Distinct())
        {
            await store.Budgets.PutAsync(new Budget { Tenant = TenantId.Default, Scope = scope, Period = BudgetPeriod.Month, Limit = Kernel.Money.FromUsd(1_000_000) }, default);
        }

        await RunForAsync(store, inFlight, at, TimeSpan.FromSeconds(2));
        var (clock, cpu) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        var done = await RunForAsync(store, inFlight, at, Each);
        var (seconds, micros) = (clock.Elapsed.TotalSeconds, (Environment.CpuUsage.TotalTime - cpu).TotalMicroseconds);
        foreach (var difference in await store.Budgets.VerifyAsync(default)) Console.WriteLine($"WRONG: {difference}");
        return (done / seconds, micros / done);
    }

    private static async Task<long> RunForAsync(Store store, int inFlight, DateTimeOffset at, TimeSpan time)
    {
        var ids = new IdSource();
        var clock = Stopwatch.StartNew();
        var counts = await Task.WhenAll(Enumerable.Range(0, inFlight).Select(worker => Task.Run(async () =>
        {
            var count = 0L;
            for (; clock.Elapsed < time; count++)
            {
                var row = Store.Row(ids.NextAttempt().Value, worker % Keys, at.AddMilliseconds(clock.ElapsedMilliseconds));
                var wanted = new Kernel.Money(1_000_000);
                var request = new HoldRequest { Unsettled = row, Wanted = wanted, Least = wanted, ExpiresAt = at.AddHours(1) };
                if ((await store.Budgets.ReserveAsync(request, default)).Granted is null) throw new InvalidOperationException("Refused.");
                await store.Budgets.SettleAsync(row, default);
            }

            return count;
        })));
        return counts.Sum();
    }
}
