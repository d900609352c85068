using Penstock.Usage;

namespace Penstock.Sqlite.Usage;

/// <summary>Histograms as they are stored: for each bucket that is not empty, in order, its distance from the one before and its count, in groups of 7 bits.</summary>
internal static class BucketBytes
{
    /// <summary>Highest bucket of a 64-bit number is below it.</summary>
    private const int Buckets = 2_048;

    /// <summary>What is stored and what comes, added up in one pass over both, which are in order.</summary>
    public static byte[] Add(ReadOnlySpan<byte> stored, LogHistogram added)
    {
        using var bytes = new MemoryStream(stored.Length + (added.Buckets.Count * 4));
        var (at, last) = (0, 0);
        var next = ReadBucket(stored, ref at, 0);
        foreach (var (bucket, count) in added.Buckets)
        {
            while (next.Bucket < bucket)
            {
                Write(bytes, next.Bucket, next.Count, ref last);
                next = ReadBucket(stored, ref at, next.Bucket);
            }

            var together = next.Bucket == bucket ? next.Count : 0;
            if (next.Bucket == bucket) next = ReadBucket(stored, ref at, bucket);
            Write(bytes, bucket, together + count, ref last);
        }

        for (; next.Bucket < int.MaxValue; next = ReadBucket(stored, ref at, next.Bucket)) Write(bytes, next.Bucket, next.Count, ref last);
        return bytes.ToArray();
    }

    public static void AddTo(long[] counts, ReadOnlySpan<byte> stored)
    {
        var (at, bucket) = (0, 0);
        while (at < stored.Length)
        {
            bucket += (int)ReadNumber(stored, ref at);
            counts[bucket] += ReadNumber(stored, ref at);
        }
    }

    public static long[] NewCounts() => new long[Buckets];

    public static void AddTo(LogHistogram histogram, long[] counts)
    {
        for (var bucket = 0; bucket < counts.Length; bucket++)
        {
            if (counts[bucket] != 0) histogram.AddBucket(bucket, counts[bucket]);
        }
    }

    /// <summary>A bucket past all others at the end.</summary>
    private static (int Bucket, long Count) ReadBucket(ReadOnlySpan<byte> stored, ref int at, int last) =>
        at < stored.Length ? (last + (int)ReadNumber(stored, ref at), ReadNumber(stored, ref at)) : (int.MaxValue, 0);

    private static void Write(MemoryStream bytes, int bucket, long count, ref int last)
    {
        if (count == 0) return;
        WriteNumber(bytes, bucket - last);
        WriteNumber(bytes, count);
        last = bucket;
    }

    private static long ReadNumber(ReadOnlySpan<byte> bytes, ref int at)
    {
        var (number, shift) = (0UL, 0);
        while (true)
        {
            var next = bytes[at++];
            number |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return (long)number;
            shift += 7;
        }
    }

    private static void WriteNumber(MemoryStream bytes, long number)
    {
        var rest = (ulong)number;
        for (; rest >= 0x80; rest >>= 7) bytes.WriteByte((byte)(rest | 0x80));
        bytes.WriteByte((byte)rest);
    }
}
