namespace Penstock.Bench.Gateway;

/// <summary>What was measured of one contender, a value a round.</summary>
internal sealed class Results
{
    public List<Saturation> Saturation { get; } = [];

    /// <summary>Milliseconds at the constant rate.</summary>
    public List<(double P50, double P99, double CpuMicros)> Rate { get; } = [];

    /// <summary>Milliseconds to the first word of a stream.</summary>
    public List<(double P50, double P99)> First { get; } = [];

    public StreamMemory? Streams { get; set; }

    /// <summary>Milliseconds from nothing to the first answer, in order of size.</summary>
    public double[] Starts { get; set; } = [];

    /// <summary>Calls that were sent and answered, and those that wrk was still waiting for when its time was up.</summary>
    public long Asked { get; set; }

    public long CutOff { get; set; }

    /// <summary>Calls in the ledger.</summary>
    public long Booked { get; set; }

    /// <summary>Of the rounds, the middle one: a neighbour on the machine spoils some of them.</summary>
    public static double? Middle<T>(List<T> rounds, Func<T, double> value) => rounds.Count == 0 ? null : rounds.Select(value).Order().ElementAt(rounds.Count / 2);

    /// <summary>The middle of the differences to <paramref name="other"/> in the same round.</summary>
    public static double? Added<T>(List<T> rounds, List<T> other, Func<T, double> value) =>
        rounds.Count == 0 ? null : rounds.Zip(other, (mine, theirs) => value(mine) - value(theirs)).Order().ElementAt(rounds.Count / 2);

    /// <summary>The middle of the quotients by <paramref name="other"/> in the same round.</summary>
    public static double? Ratio<T>(List<T> rounds, List<T> other, Func<T, double> value) =>
        rounds.Count == 0 || other.Count == 0 ? null : rounds.Zip(other, (mine, theirs) => value(mine) / value(theirs)).Order().ElementAt(rounds.Count / 2);
}
