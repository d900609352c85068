using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Penstock.Bench.Gateway;

/// <summary>Time to the microsecond, and sleep that ends on it.</summary>
internal static unsafe partial class Clock
{
    private const int TimerSlack = 29;

    public static TimeSpan Now => Stopwatch.GetElapsedTime(0);

    public static Task RestAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System, CancellationToken.None);

    /// <summary>This thread's sleeps end within a microsecond of what they ask for, not 50.</summary>
    public static void Precise() => _ = ProcessControl(TimerSlack, 1, 0, 0, 0);

    public static void SleepUntil(TimeSpan moment)
    {
        var left = (moment - Now).Ticks * 100;
        if (left <= 0) return;
        var wait = stackalloc long[2] { left / 1_000_000_000, left % 1_000_000_000 };
        _ = NanoSleep(wait, null);
    }

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    private static partial int NanoSleep(long* wait, long* left);

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int ProcessControl(int what, nuint value, nuint third, nuint fourth, nuint fifth);
}
