namespace Penstock.Providers.Local;

/// <summary>
/// What the in-process providers count as tokens: a word of up to 16 letters or digits, or any other character,
/// with the white space before it. Theirs alone, and exact for them.
/// </summary>
internal static class Pieces
{
    private const int LongestWord = 16;

    public static long Count(string text)
    {
        long count = 0;
        for (var at = 0; at < text.Length; at = End(text, at)) count++;
        return count;
    }

    public static IEnumerable<string> Of(string text)
    {
        for (int at = 0, end; at < text.Length; at = end)
        {
            end = End(text, at);
            yield return text[at..end];
        }
    }

    private static int End(string text, int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at])) at++;
        if (at == text.Length) return at;
        var end = at;
        while (end < text.Length && end - at < LongestWord && char.IsLetterOrDigit(text[end])) end++;
        if (end > at) return end;
        return char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? at + 2 : at + 1;
    }
}
