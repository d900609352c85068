namespace Penstock.Providers.Local;

/// <summary>Cuts a text into sentences. Bounded: no more than <see cref="Most"/>, none longer than <see cref="Longest"/>.</summary>
internal static class Sentences
{
    public const int Most = 20_000;

    private const int Longest = 2_000;

    private static readonly string[] Abbreviations = ["e.g", "i.e", "mr", "mrs", "ms", "dr", "prof", "st", "no", "vs", "etc", "approx", "inc", "ltd", "fig", "cf"];

    public static List<string> Of(string text, CancellationToken ct)
    {
        var sentences = new List<string>();
        var from = 0;
        for (var at = 0; at < text.Length && sentences.Count < Most; at++)
        {
            if (!EndsAt(text, from, at)) continue;
            Add(sentences, text.AsSpan(from, at + 1 - from), ct);
            from = at + 1;
        }

        if (sentences.Count < Most) Add(sentences, text.AsSpan(from), ct);
        return sentences;
    }

    private static bool EndsAt(string text, int from, int at)
    {
        var next = at + 1 < text.Length ? text[at + 1] : '\n';
        switch (text[at])
        {
            case '。' or '！' or '？':
                return true;
            case '!' or '?':
                return char.IsWhiteSpace(next);
            case '.':
                return char.IsWhiteSpace(next) && !IsAbbreviation(text.AsSpan(from, at - from));
            case '\n':
                return next is '\n' or '\r' or '-' or '*' or '•' or '#' || char.IsAsciiDigit(next);
            default:
                return at - from >= Longest && char.IsWhiteSpace(text[at]);
        }
    }

    private static bool IsAbbreviation(ReadOnlySpan<char> before)
    {
        var word = before[(before.LastIndexOfAny(' ', '\n', '(') + 1)..];
        if (word.Length == 1 && char.IsUpper(word[0])) return true;
        foreach (var abbreviation in Abbreviations)
        {
            if (word.Equals(abbreviation, StringComparison.OrdinalIgnoreCase)) return true;
        }

        return false;
    }

    private static void Add(List<string> sentences, ReadOnlySpan<char> piece, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var trimmed = piece.Trim().TrimStart("-*•# ").Trim();
        if (trimmed.Length == 0) return;
        if (trimmed.Length > Longest) trimmed = trimmed[..Longest];
        if (char.IsHighSurrogate(trimmed[^1])) trimmed = trimmed[..^1];
        sentences.Add(OneLine(trimmed));
    }

    private static string OneLine(ReadOnlySpan<char> text) => text.IndexOfAny("\r\n\t") < 0
        ? text.ToString()
        : string.Join(' ', text.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
