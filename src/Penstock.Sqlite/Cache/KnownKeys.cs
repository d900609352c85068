using System.Globalization;
using Penstock.Gateway.Cache;

namespace Penstock.Sqlite.Cache;

/// <summary>
/// Which keys may be in the cache: a Bloom filter (Bloom, CACM 1970), so that the usual answer to a new question, "never asked", needs no read. It errs only by
/// saying that a key may be there: about once in 1,500 with 250,000 keys, more with more.
/// </summary>
internal sealed class KnownKeys
{
    private const int Bits = 1 << 22;
    private const int Probes = 4;

    private readonly long[] _words = new long[Bits / 64];

    public void Add(CacheKey key)
    {
        var (at, step) = Hashes(key);
        for (var probe = 0; probe < Probes; probe++, at += step)
        {
            ref var word = ref _words[(at % Bits) / 64];
            var bit = 1L << (int)(at % 64);
            if ((Volatile.Read(ref word) & bit) == 0) Interlocked.Or(ref word, bit);
        }
    }

    public bool MayHold(CacheKey key)
    {
        var (at, step) = Hashes(key);
        for (var probe = 0; probe < Probes; probe++, at += step)
        {
            if ((Volatile.Read(ref _words[(at % Bits) / 64]) & (1L << (int)(at % 64))) == 0) return false;
        }

        return true;
    }

    /// <summary>The key is a hash already, in hexadecimal; any other text is as good as its own hash.</summary>
    private static (ulong At, ulong Step) Hashes(CacheKey key)
    {
        var text = key.Value.AsSpan();
        return text.Length >= 32
            && ulong.TryParse(text[..16], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var at)
            && ulong.TryParse(text[16..32], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var step)
            ? (at, step | 1)
            : ((ulong)string.GetHashCode(text, StringComparison.Ordinal) * 0x9E3779B97F4A7C15, (ulong)string.GetHashCode(text, StringComparison.OrdinalIgnoreCase) | 1);
    }
}
