using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Cli;

/// <summary>
/// <c>penstock report --sla 5s</c>: how many calls were over within that time, window by window. A call is one attempt at one provider, as the ledger has it;
/// what is made of many calls, such as an agent's run, is none.
/// </summary>
internal static class SlaReport
{
    /// <param name="within">How long a call may take.</param>
    /// <param name="window">One line each; a day or an hour.</param>
    /// <param name="target">Percent of the calls; null only tells.</param>
    /// <returns>1 where the calls of all windows together stay under the target.</returns>
    public static async Task<int> RunAsync(IServiceProvider services, TenantId tenant, TimeSpan within, TimeSpan window, double? target, CancellationToken ct)
    {
        var store = services.GetRequiredService<IUsageStore>();
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var to = new DateTimeOffset(((now.UtcTicks / window.Ticks) + 1) * window.Ticks, TimeSpan.Zero);
        var from = to - TimeSpan.FromDays(7);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Calls that were over within {within.TotalSeconds:0.###} s, tenant '{tenant}', times in UTC"));
        Console.WriteLine($"{"window",-18}{"calls",10}{"within",10}{"met",9}{"P99",11}{"failed",9}");
        var (all, failed) = (new LogHistogram(), 0L);
        for (var at = from; at < to; at += window)
        {
            var report = await store.SumAsync(tenant, new UsageQuery { From = at, To = at + window }, ct);
            if (report.Spread.Latency.Count > 0) Print(at.ToString(window < TimeSpan.FromDays(1) ? "yyyy-MM-dd HH:mm" : "yyyy-MM-dd", CultureInfo.InvariantCulture), report.Spread.Latency, report.Total.Failed, within);
            all.Add(report.Spread.Latency);
            failed += report.Total.Failed;
        }

        Print("all", all, failed, within);
        if (target is not { } wanted) return 0;
        var met = Met(all, within) >= wanted;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{wanted:0.###} % are wanted: {(met ? "met" : "not met")}"));
        return met ? 0 : 1;
    }

    private static double Met(LogHistogram latency, TimeSpan within) => latency.Count == 0 ? 100 : 100.0 * latency.CountUpTo((long)within.TotalMilliseconds) / latency.Count;

    private static void Print(string window, LogHistogram latency, long failed, TimeSpan within) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"{window,-18}{latency.Count,10}{latency.CountUpTo((long)within.TotalMilliseconds),10}{Met(latency, within),7:0.00} %{latency.Quantile(0.99) ?? 0,8:0} ms{failed,9}"));
}
