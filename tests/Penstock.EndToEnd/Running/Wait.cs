using System.Diagnostics;

namespace Penstock.EndToEnd.Running;

/// <summary>Waits on a condition of another process, with a bound.</summary>
internal static class Wait
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(20);

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public static Task UntilAsync(Func<bool> holds, TimeSpan within, string what) => UntilAsync(() => Task.FromResult(holds()), within, () => what);

    public static async Task UntilAsync(Func<Task<bool>> holds, TimeSpan within, Func<string> what)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(started) > within) throw new TimeoutException($"Not within {within.TotalSeconds} s: {what()}");
            await PauseAsync(Step);
        }
    }

    /// <summary>For clients that are slow or leave: time is what they do.</summary>
    public static Task PauseAsync(TimeSpan pause) => Task.Delay(pause, TimeProvider.System, Token);
}
