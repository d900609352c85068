using System.Buffers;
using System.Text;
using Penstock.Gateway;

namespace Penstock.Providers.Tokens;

/// <summary>Counts as OpenAI's models do. Text that reads like a special token (<c>&lt;|endoftext|&gt;</c>) is text.</summary>
internal sealed class Tokenizer(RankTable ranks, SplitRules rules)
{
    /// <summary>
    /// Bytes of one piece that are merged at once. Only text without any break, as no one writes it, is longer;
    /// it is merged in stretches of this length, which bounds memory, and its count is then no longer exact.
    /// </summary>
    private const int LongestPiece = 32 * 1024;

    public TokenCount Count(ReadOnlySpan<char> text) => Walk(text, null);

    public IReadOnlyList<int> Encode(ReadOnlySpan<char> text)
    {
        var ids = new List<int>();
        Walk(text, ids);
        return ids;
    }

    private TokenCount Walk(ReadOnlySpan<char> text, List<int>? ids)
    {
        var splitter = new PieceSplitter(text, rules);
        Span<byte> small = stackalloc byte[512];
        long tokens = 0;
        var exact = true;
        for (int at = 0, end; at < text.Length; at = end)
        {
            end = splitter.End(at);
            var piece = text[at..end];
            if (piece.Length * 3 <= small.Length)
            {
                tokens += PairMerge.Merge(ranks, small[..Encoding.UTF8.GetBytes(piece, small)], ids);
                continue;
            }

            tokens += Long(piece, ids, ref exact);
        }

        return new TokenCount(tokens, exact);
    }

    private long Long(ReadOnlySpan<char> piece, List<int>? ids, ref bool exact)
    {
        var rented = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(piece.Length));
        var bytes = rented.AsSpan(0, Encoding.UTF8.GetBytes(piece, rented));
        exact &= bytes.Length <= LongestPiece;
        long tokens = 0;
        for (; bytes.Length > LongestPiece; bytes = bytes[LongestPiece..]) tokens += PairMerge.Merge(ranks, bytes[..LongestPiece], ids);
        tokens += PairMerge.Merge(ranks, bytes, ids);
        ArrayPool<byte>.Shared.Return(rented);
        return tokens;
    }
}
