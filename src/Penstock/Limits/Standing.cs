namespace Penstock.Limits;

/// <summary>How a bucket stands.</summary>
/// <param name="PerSecond">Refill.</param>
internal readonly record struct Standing(double Size, double Left, double PerSecond)
{
    /// <summary>What rounding may lack of a whole one.</summary>
    private const double Rounding = 1e-6;

    public long Limit => (long)Size;

    public long Remaining => (long)Math.Clamp(Left + Rounding, 0, Size);

    /// <summary>Until it is full.</summary>
    public TimeSpan Reset => TimeSpan.FromTicks((long)(Math.Max(0, Size - Left) / PerSecond * TimeSpan.TicksPerSecond));

    /// <summary>The one with the least left; null where there is none.</summary>
    public static Standing? Tightest(BucketTake[] buckets, Func<int, double> left)
    {
        Standing? tightest = null;
        for (var i = 0; i < buckets.Length; i++)
        {
            var standing = new Standing(buckets[i].Size, left(i), buckets[i].PerSecond);
            if (tightest is null || standing.Left < tightest.Value.Left) tightest = standing;
        }

        return tightest;
    }
}
