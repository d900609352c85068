using System.Globalization;
using System.Text;

namespace Penstock.Tools.Search;

/// <param name="Id">Of the document, as the caller names it.</param>
internal sealed record SearchedText(string Id, string? Title, string? Uri, string Text);

/// <param name="Number">Of the piece within its document, from 0.</param>
internal sealed record FoundPiece(SearchedText Document, int Number, string Snippet, double Score);

/// <summary>Ranks pieces of texts by BM25; the title counts with every piece. Nothing is kept.</summary>
/// <seealso href="https://doi.org/10.1561/1500000019"/>
internal sealed class TextIndex
{
    private const double Saturation = 1.2;
    private const double LengthWeight = 0.75;
    private const int PieceLength = 600;

    private readonly List<Piece> _pieces = [];
    private readonly Dictionary<string, int> _holders = new(StringComparer.Ordinal);
    private readonly double _averageLength;

    public TextIndex(IEnumerable<SearchedText> texts, CancellationToken ct)
    {
        foreach (var text in texts)
        {
            var number = 0;
            foreach (var piece in Split(text.Text))
            {
                ct.ThrowIfCancellationRequested();
                _pieces.Add(new Piece(text, number++, piece));
            }
        }

        foreach (var term in _pieces.SelectMany(piece => piece.Counts.Keys)) _holders[term] = _holders.GetValueOrDefault(term) + 1;
        _averageLength = _pieces.Count == 0 ? 1 : Math.Max(1, _pieces.Average(piece => (double)piece.Length));
    }

    /// <summary>Best first, none without a word of the query; equal scores in the order of the texts.</summary>
    public IReadOnlyList<FoundPiece> Find(string query, int most)
    {
        var terms = Terms(query).Distinct(StringComparer.Ordinal).ToArray();
        return [.. _pieces
            .Select(piece => new FoundPiece(piece.Document, piece.Number, piece.Text, Math.Round(terms.Sum(term => Weight(piece, term)), 4)))
            .Where(found => found.Score > 0)
            .OrderByDescending(found => found.Score)
            .Take(most)];
    }

    private double Weight(Piece piece, string term)
    {
        if (!piece.Counts.TryGetValue(term, out var count)) return 0;
        var holders = _holders[term];
        var rarity = Math.Log(1 + ((_pieces.Count - holders + 0.5) / (holders + 0.5)));
        return rarity * count * (Saturation + 1) / (count + (Saturation * (1 - LengthWeight + (LengthWeight * piece.Length / _averageLength))));
    }

    /// <summary>Words in lower case without a plural's end; signs of scripts without blanks stand alone.</summary>
    internal static IEnumerable<string> Terms(string text)
    {
        var word = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            var category = Rune.GetUnicodeCategory(rune);
            if (category == UnicodeCategory.OtherLetter)
            {
                if (word.Length > 0) yield return Ended(word);
                yield return rune.ToString();
                continue;
            }

            if (Rune.IsLetterOrDigit(rune) || (word.Length > 0 && category == UnicodeCategory.NonSpacingMark)) word.Append(Rune.ToLowerInvariant(rune).ToString());
            else if (word.Length > 0) yield return Ended(word);
        }

        if (word.Length > 0) yield return Ended(word);
    }

    private static string Ended(StringBuilder word)
    {
        var text = word.ToString();
        word.Clear();
        return text.Length > 3 && text[^1] == 's' && text[^2] != 's' ? text[..^1] : text;
    }

    /// <summary>Pieces of about <see cref="PieceLength"/> characters that end where a sentence or a word does.</summary>
    private static IEnumerable<string> Split(string text)
    {
        for (var start = 0; start < text.Length;)
        {
            var end = text.Length - start <= PieceLength ? text.Length : End(text, start);
            var piece = text[start..end].Trim();
            if (piece.Length > 0) yield return piece;
            start = end;
        }
    }

    private static int End(string text, int start)
    {
        var window = text.AsSpan(start, PieceLength);
        var line = window.LastIndexOf('\n');
        if (line >= PieceLength / 2) return start + line + 1;
        var sentence = Math.Max(window.LastIndexOf(". "), Math.Max(window.LastIndexOf("? "), window.LastIndexOf("! ")));
        if (sentence >= PieceLength / 2) return start + sentence + 2;
        var blank = window.LastIndexOf(' ');
        if (blank > 0) return start + blank + 1;
        return start + (char.IsHighSurrogate(window[^1]) ? PieceLength - 1 : PieceLength);
    }

    private sealed class Piece
    {
        public Piece(SearchedText document, int number, string text)
        {
            (Document, Number, Text) = (document, number, text);
            foreach (var term in Terms(text).Concat(Terms(document.Title ?? "")))
            {
                Counts[term] = Counts.GetValueOrDefault(term) + 1;
                Length++;
            }
        }

        public SearchedText Document { get; }

        public int Number { get; }

        public string Text { get; }

        public Dictionary<string, int> Counts { get; } = new(StringComparer.Ordinal);

        public int Length { get; }
    }
}
