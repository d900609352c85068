namespace Penstock.Usage;

/// <summary>
/// How often whole numbers fell into buckets that grow by a fixed factor, so that a quantile read from it is within
/// <see cref="RelativeError"/> of the true one whatever the spread. Two histograms add up bucket by bucket. The bucket numbers are stored.
/// </summary>
/// <remarks>The scheme of DDSketch (Masson, Rim, Lee; VLDB 2019).</remarks>
public sealed class LogHistogram
{
    /// <summary>Largest |estimate − truth| ÷ truth of a quantile.</summary>
    public const double RelativeError = 0.02;

    private const double Growth = (1 + RelativeError) / (1 - RelativeError);

    private static readonly double LogGrowth = Math.Log(Growth);

    private readonly SortedDictionary<int, long> _buckets = [];

    /// <summary>Counts by bucket, in order; none is zero.</summary>
    public IReadOnlyDictionary<int, long> Buckets => _buckets;

    public long Count { get; private set; }

    /// <summary>0 for the value 0; else n where growth^(n−2) &lt; value ≤ growth^(n−1).</summary>
    public static int BucketOf(long value) => value <= 0 ? 0 : 1 + (int)Math.Ceiling(Math.Log(value) / LogGrowth);

    /// <param name="count">Below zero takes back.</param>
    public void AddBucket(int bucket, long count)
    {
        var sum = _buckets.GetValueOrDefault(bucket) + count;
        if (sum == 0) _buckets.Remove(bucket);
        else _buckets[bucket] = sum;
        Count += count;
    }

    public void Add(long value) => AddBucket(BucketOf(value), 1);

    public void Add(LogHistogram other)
    {
        foreach (var (bucket, count) in other._buckets) AddBucket(bucket, count);
    }

    /// <summary>How many were at most <paramref name="value"/>, and perhaps some that were larger by up to twice <see cref="RelativeError"/>.</summary>
    public long CountUpTo(long value)
    {
        var last = BucketOf(value);
        return _buckets.TakeWhile(bucket => bucket.Key <= last).Sum(bucket => bucket.Value);
    }

    /// <summary>The value at rank ⌈q·n⌉ (nearest rank), within <see cref="RelativeError"/>; null where nothing was counted.</summary>
    public double? Quantile(double q)
    {
        if (Count <= 0) return null;
        var rank = Math.Max(1, (long)Math.Ceiling(q * Count));
        foreach (var (bucket, count) in _buckets)
        {
            rank -= count;
            // The middle of a bucket in which every value differs from it by the same ratio.
            if (rank <= 0) return bucket == 0 ? 0 : 2 * Math.Pow(Growth, bucket - 1) / (Growth + 1);
        }

        throw new InvalidOperationException("The buckets hold fewer than the count says.");
    }
}
