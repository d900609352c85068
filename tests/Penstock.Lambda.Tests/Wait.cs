using System.Diagnostics;

namespace Penstock.Lambda.Tests;

/// <summary>Waits on a condition of another process, with a bound.</summary>
internal static class Wait
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(10);

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task UntilAsync(Func<bool> holds, TimeSpan within, Func<string> what)
    {
        var started = Stopwatch.GetTimestamp();
        while (!holds())
        {
            if (Stopwatch.GetElapsedTime(started) > within) throw new TimeoutException($"Not within {within.TotalSeconds} s: {what()}");
            await Task.Delay(Step, TimeProvider.System, CancellationToken.None);
        }
    }
}
