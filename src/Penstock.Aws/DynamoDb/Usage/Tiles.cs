namespace Penstock.Aws.DynamoDb.Usage;

/// <summary>Stretches of time that are summed as they pass. All UTC.</summary>
internal enum Grain
{
    Quarter,
    Day,
    Month,
}

/// <summary>A part of a range, in Unix milliseconds, which is whole stretches of its grain; none where only the attempts themselves know it.</summary>
internal readonly record struct Tile(Grain? Grain, long From, long To);

/// <summary>Cuts a range into as few stretches as cover it.</summary>
internal static class Tiles
{
    public const long QuarterMs = 15 * 60 * 1000;
    public const long DayMs = 24 * 60 * 60 * 1000;

    /// <summary>In order of time; none where the range is empty.</summary>
    public static List<Tile> Over(long from, long to, Grain coarsest)
    {
        var tiles = new List<Tile>();
        Cut(tiles, from, to, coarsest);
        return tiles;
    }

    /// <summary>The first moment of the stretch that <paramref name="at"/> is in.</summary>
    public static long Floor(long at, Grain grain)
    {
        if (grain != Grain.Month) return Floor(at, grain == Grain.Day ? DayMs : QuarterMs);
        var time = DateTimeOffset.FromUnixTimeMilliseconds(at);
        return new DateTimeOffset(time.Year, time.Month, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();
    }

    /// <summary>Rounds down, before 1970 too.</summary>
    private static long Floor(long at, long stretch) => at - (((at % stretch) + stretch) % stretch);

    private static void Cut(List<Tile> tiles, long from, long to, Grain? grain)
    {
        if (from >= to) return;
        if (grain is not { } stretch)
        {
            tiles.Add(new Tile(null, from, to));
            return;
        }

        var finer = stretch == Grain.Quarter ? (Grain?)null : stretch - 1;
        var (first, last) = (Ceiling(from, stretch), Floor(to, stretch));
        if (first >= last)
        {
            Cut(tiles, from, to, finer);
            return;
        }

        Cut(tiles, from, first, finer);
        tiles.Add(new Tile(stretch, first, last));
        Cut(tiles, last, to, finer);
    }

    private static long Ceiling(long at, Grain grain)
    {
        var floor = Floor(at, grain);
        if (floor == at) return at;
        if (grain != Grain.Month) return floor + (grain == Grain.Day ? DayMs : QuarterMs);
        var time = DateTimeOffset.FromUnixTimeMilliseconds(floor);
        // No range ends after the calendar's last month.
        return time is { Year: 9999, Month: 12 } ? long.MaxValue : time.AddMonths(1).ToUnixTimeMilliseconds();
    }
}
