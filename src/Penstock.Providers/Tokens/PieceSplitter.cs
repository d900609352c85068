using System.Globalization;

namespace Penstock.Providers.Tokens;

/// <summary>Which of OpenAI's two pre-tokenizers cuts the text.</summary>
internal enum SplitRules
{
    Cl100k,
    O200k,
}

/// <summary>
/// Cuts text into the pieces that are merged into tokens one by one, as OpenAI's two patterns do
/// (https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py).
/// Written by hand because .NET's expressions see UTF-16 units, so that letters and digits beyond the first plane would be cut wrongly,
/// and because each step here looks at a character a bounded number of times: no text makes it slow.
/// </summary>
internal readonly ref struct PieceSplitter(ReadOnlySpan<char> text, SplitRules rules)
{
    [Flags]
    private enum Kind : byte
    {
        Other = 0,

        /// <summary>May stand in the upper-case run of a word: Lu, Lt, Lm, Lo, M.</summary>
        Upper = 1,

        /// <summary>May stand in the lower-case run of a word: Ll, Lm, Lo, M.</summary>
        Lower = 2,
        Letter = 4,
        Number = 8,
        Space = 16,
        LineBreak = 32,
    }

    private static readonly Kind[] Ascii = [.. Enumerable.Range(0, 128).Select(Classify)];

    private readonly ReadOnlySpan<char> _text = text;

    /// <summary>Where the piece that begins at <paramref name="at"/> ends; always past it.</summary>
    public int End(int at)
    {
        var first = KindAt(at, out var length);
        var end = rules == SplitRules.O200k ? CasedWord(at, first, length) : PlainWord(at, first, length);
        if (end < 0 && (first & Kind.Number) != 0) end = Digits(at);
        if (end < 0) end = Symbols(at);
        return end < 0 ? Blank(at) : end;
    }

    /// <summary><c>'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++</c></summary>
    private int PlainWord(int at, Kind first, int length)
    {
        var contraction = Contraction(at);
        if (contraction > at) return contraction;
        var from = MayLead(first) ? at + length : at;
        var end = Run(from, Kind.Letter);
        return end > from ? end : -1;
    }

    /// <summary>The first two alternatives of o200k: each with its optional leading character, then without.</summary>
    private int CasedWord(int at, Kind first, int length)
    {
        var led = MayLead(first) ? at + length : -1;
        var end = led >= 0 ? LowerWord(led) : -1;
        if (end < 0) end = LowerWord(at);
        if (end < 0 && led >= 0) end = UpperWord(led);
        return end < 0 ? UpperWord(at) : end;
    }

    /// <summary><c>[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|…)?</c></summary>
    private int LowerWord(int from)
    {
        var at = from;
        var lastOfBoth = -1;
        while (at < _text.Length && (KindAt(at, out var length) is var kind) && (kind & Kind.Upper) != 0)
        {
            at += length;
            if ((kind & Kind.Lower) != 0) lastOfBoth = at;
        }

        var end = Run(at, Kind.Lower);
        // Where no lower-case run follows, the pattern gives back as much of the first run as it must to have one.
        if (end == at) end = lastOfBoth;
        return end < 0 ? -1 : Contraction(end);
    }

    /// <summary><c>[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|…)?</c></summary>
    private int UpperWord(int from)
    {
        var end = Run(from, Kind.Upper);
        return end == from ? -1 : Contraction(Run(end, Kind.Lower));
    }

    /// <summary><c>\p{N}{1,3}</c></summary>
    private int Digits(int at)
    {
        for (var count = 0; count < 3 && at < _text.Length && (KindAt(at, out var length) & Kind.Number) != 0; count++) at += length;
        return at;
    }

    /// <summary><c> ?[^\s\p{L}\p{N}]+[\r\n]*</c>, with <c>/</c> in the last class for o200k.</summary>
    private int Symbols(int at)
    {
        var from = _text[at] == ' ' ? at + 1 : at;
        var end = from;
        while (end < _text.Length && (KindAt(end, out var length) & (Kind.Space | Kind.Letter | Kind.Number)) == 0) end += length;
        if (end == from) return -1;
        while (end < _text.Length && (_text[end] is '\r' or '\n' || (_text[end] == '/' && rules == SplitRules.O200k))) end++;
        return end;
    }

    /// <summary><c>\s*[\r\n]+|\s+(?!\S)|\s+</c>; cl100k has <c>\s++$</c> before it.</summary>
    private int Blank(int at)
    {
        var end = Run(at, Kind.Space);
        if (end == _text.Length && rules == SplitRules.Cl100k) return end;
        var lineBreak = _text[at..end].LastIndexOfAny('\r', '\n');
        if (lineBreak >= 0) return at + lineBreak + 1;
        return end == _text.Length || end == at + 1 ? end : end - 1;
    }

    /// <summary>Past a contraction's suffix at <paramref name="at"/>, or <paramref name="at"/>. Case folds as in Unicode: ſ is an s.</summary>
    private int Contraction(int at)
    {
        if (at + 1 >= _text.Length || _text[at] != '\'') return at;
        var first = char.ToLowerInvariant(_text[at + 1]);
        if (first is 's' or 'd' or 'm' or 't' or 'ſ') return at + 2;
        if (at + 2 >= _text.Length) return at;
        return (first, char.ToLowerInvariant(_text[at + 2])) is ('l', 'l') or ('v', 'e') or ('r', 'e') ? at + 3 : at;
    }

    private static bool MayLead(Kind kind) => (kind & (Kind.LineBreak | Kind.Letter | Kind.Number)) == 0;

    private int Run(int at, Kind wanted)
    {
        while (at < _text.Length && (KindAt(at, out var length) & wanted) != 0) at += length;
        return at;
    }

    private Kind KindAt(int at, out int length)
    {
        var unit = _text[at];
        length = 1;
        if (unit < 128) return Ascii[unit];
        if (!char.IsHighSurrogate(unit) || at + 1 >= _text.Length || !char.IsLowSurrogate(_text[at + 1])) return Classify(unit);
        length = 2;
        return Classify(char.ConvertToUtf32(unit, _text[at + 1]));
    }

    private static Kind Classify(int point)
    {
        if (point is '\r' or '\n') return Kind.Space | Kind.LineBreak;
        if (point <= char.MaxValue && char.IsWhiteSpace((char)point)) return Kind.Space;
        return CharUnicodeInfo.GetUnicodeCategory(point) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => Kind.Upper | Kind.Letter,
            UnicodeCategory.LowercaseLetter => Kind.Lower | Kind.Letter,
            UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Upper | Kind.Lower | Kind.Letter,
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => Kind.Upper | Kind.Lower,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Kind.Other,
        };
    }
}
