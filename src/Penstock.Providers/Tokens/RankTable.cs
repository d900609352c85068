using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Numerics;

namespace Penstock.Providers.Tokens;

/// <summary>
/// A byte-pair vocabulary: which byte sequences are tokens, and their rank, which is also their id.
/// One flat table without an object per token, so that 200,000 tokens load in milliseconds and cost the collector nothing.
/// </summary>
internal sealed class RankTable
{
    private const ulong Mix = 0x9E3779B97F4A7C15;

    private readonly byte[] _bytes;
    private readonly int[] _starts;

    /// <summary>Open addressing; high half the hash, low half the rank + 1, 0 where free.</summary>
    private readonly ulong[] _slots;

    private RankTable(byte[] bytes, int[] starts)
    {
        _bytes = bytes;
        _starts = starts;
        _slots = new ulong[BitOperations.RoundUpToPowerOf2((uint)Count * 2)];
        for (var rank = 0; rank < Count; rank++) Insert(rank);
    }

    public int Count => _starts.Length - 1;

    /// <summary>Length in bytes of the longest token; nothing longer is worth looking up.</summary>
    public int Longest { get; private set; }

    /// <summary>
    /// Reads lines of <c>base64 rank</c> with ranks 0, 1, 2…
    /// Throws <see cref="InvalidDataException"/> where the file is anything else or does not hold <paramref name="count"/> tokens.
    /// </summary>
    public static RankTable Load(string path, int count)
    {
        var file = File.ReadAllBytes(path);
        var bytes = new byte[file.Length];
        var starts = new int[count + 1];
        var rest = file.AsSpan();
        for (var rank = 0; rank < count; rank++)
        {
            var line = TakeLine(ref rest);
            var gap = line.IndexOf((byte)' ');
            if (gap <= 0 || !Utf8Parser.TryParse(line[(gap + 1)..], out int given, out var used) || given != rank || used != line.Length - gap - 1
                || Base64.DecodeFromUtf8(line[..gap], bytes.AsSpan(starts[rank]), out _, out var written) != OperationStatus.Done)
            {
                throw new InvalidDataException($"Line {rank + 1} of {path} is not a token and its rank.");
            }

            starts[rank + 1] = starts[rank] + written;
        }

        if (rest.ContainsAnyExcept((byte)'\n', (byte)'\r')) throw new InvalidDataException($"{path} holds more than {count} tokens.");
        return new RankTable(bytes.AsSpan(0, starts[count]).ToArray(), starts);
    }

    /// <summary>The rank of <paramref name="token"/>, −1 where it is none.</summary>
    public int Find(ReadOnlySpan<byte> token)
    {
        if (token.Length > Longest) return -1;
        var hash = Hash(token);
        for (var slot = (int)hash & (_slots.Length - 1); ; slot = (slot + 1) & (_slots.Length - 1))
        {
            var entry = _slots[slot];
            if (entry == 0) return -1;
            if (entry >> 32 == hash && Token((int)(uint)entry - 1).SequenceEqual(token)) return (int)(uint)entry - 1;
        }
    }

    private static Span<byte> TakeLine(ref Span<byte> rest)
    {
        var end = rest.IndexOf((byte)'\n');
        var line = end < 0 ? rest : rest[..end];
        rest = end < 0 ? default : rest[(end + 1)..];
        return line.TrimEnd((byte)'\r');
    }

    private ReadOnlySpan<byte> Token(int rank) => _bytes.AsSpan(_starts[rank].._starts[rank + 1]);

    private void Insert(int rank)
    {
        var token = Token(rank);
        Longest = Math.Max(Longest, token.Length);
        var hash = Hash(token);
        var slot = (int)hash & (_slots.Length - 1);
        while (_slots[slot] != 0) slot = (slot + 1) & (_slots.Length - 1);
        _slots[slot] = ((ulong)hash << 32) | (uint)(rank + 1);
    }

    private static uint Hash(ReadOnlySpan<byte> token)
    {
        var hash = (ulong)token.Length * Mix;
        for (; token.Length >= 8; token = token[8..]) hash = BitOperations.RotateLeft((hash ^ BinaryPrimitives.ReadUInt64LittleEndian(token)) * Mix, 29);
        var tail = 0UL;
        foreach (var value in token) tail = (tail << 8) | value;
        hash = (hash ^ tail) * Mix;
        return (uint)(hash >> 32);
    }
}
