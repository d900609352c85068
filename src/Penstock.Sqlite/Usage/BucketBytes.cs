using Penstock.Usage;

namespace Penstock.Sqlite.Usage;

/// <summary>Histograms as they are stored: for each bucket that is not empty, in order, its distance from the one before and its count, in groups of 7 bits.</summary>
internal static class BucketBytes
{
    /// <summary>Highest bucket of a 64-bit number is below it.</summary>
    private const int Buckets = 2_048;

    private const int LongestNumber = 10;

    /// <summary>What is stored and what comes, added up.</summary>
    public static byte[] Add(ReadOnlySpan<byte> stored, LogHistogram added)
    {
        var counts = new long[Buckets];
        AddTo(counts, stored);
        foreach (var (bucket, count) in added.Buckets) counts[bucket] += count;
        return Write(counts);
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

    private static byte[] Write(long[] counts)
    {
        Span<byte> number = stackalloc byte[2 * LongestNumber];
        using var bytes = new MemoryStream();
        var last = 0;
        for (var bucket = 0; bucket < counts.Length; bucket++)
        {
            if (counts[bucket] == 0) continue;
            var length = WriteNumber(number, 0, bucket - last);
            length = WriteNumber(number, length, counts[bucket]);
            bytes.Write(number[..length]);
            last = bucket;
        }

        return bytes.ToArray();
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

    private static int WriteNumber(Span<byte> bytes, int at, long number)
    {
        var rest = (ulong)number;
        for (; rest >= 0x80; rest >>= 7) bytes[at++] = (byte)(rest | 0x80);
        bytes[at++] = (byte)rest;
        return at;
    }
}
