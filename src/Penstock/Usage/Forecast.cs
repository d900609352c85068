using Penstock.Kernel;

namespace Penstock.Usage;

/// <summary>What a period will have cost where the rest of it is like what has passed. Exact where calls come evenly.</summary>
internal static class Forecast
{
    /// <summary>Spent ÷ elapsed × period, to the nearest nano-dollar; null before anything of the period has passed.</summary>
    public static Money? AtEnd(Money spent, DateTimeOffset start, DateTimeOffset end, DateTimeOffset at)
    {
        var passed = Passed(start, end, at);
        if (passed == 0) return null;
        // A hundred years in ticks times the largest amount would pass 64 bits, and even decimal.
        var product = (Int128)spent.NanoDollars * (end - start).Ticks;
        var rounded = (product + (product < 0 ? -passed : passed) / 2) / passed;
        return new Money((long)Int128.Clamp(rounded, long.MinValue, long.MaxValue));
    }

    /// <summary>How much of the period has passed, from 0 to 1, to six places.</summary>
    public static decimal Elapsed(DateTimeOffset start, DateTimeOffset end, DateTimeOffset at) => Math.Round((decimal)Passed(start, end, at) / (end - start).Ticks, 6);

    /// <summary>The calendar month in UTC, as sums by day are.</summary>
    public static (DateTimeOffset Start, DateTimeOffset End) MonthOf(DateTimeOffset at)
    {
        var start = new DateTimeOffset(at.UtcDateTime.Year, at.UtcDateTime.Month, 1, 0, 0, 0, TimeSpan.Zero);
        return (start, start.AddMonths(1));
    }

    private static long Passed(DateTimeOffset start, DateTimeOffset end, DateTimeOffset at) => Math.Clamp((at - start).Ticks, 0, (end - start).Ticks);
}
