using System.Collections.Frozen;

namespace Penstock.Providers.Local;

/// <summary>Words of a text, in lower case, and what little of English is needed to compare them.</summary>
internal static class Words
{
    private const int Longest = 64;

    private static readonly FrozenSet<string> Stops = """
        a about above after again against all also am an and any are as at be because been before being below between both but by can cannot could did do does doing
        down during each either few for from further get give had has have having he her here hers him his how i if in into is it its itself just let like made make may me
        might more most much must my no nor not now of off on once one only or other our ours out over own per please same shall she should so some such tell than that the
        their theirs them then there these they this those through to too under until up us use very want was we were what when where which while who whom whose why will
        with within without would write yes yet you your yours s t d m ll ve re
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet();

    public static bool IsStop(string word) => Stops.Contains(word);

    /// <summary>Runs of letters and digits in lower case; a longer run than any word is cut.</summary>
    public static IEnumerable<string> Of(string text)
    {
        for (int at = 0, end; at < text.Length; at = end)
        {
            end = at;
            while (end < text.Length && end - at < Longest && IsWordCharacter(text, end)) end++;
            if (end > at) yield return text[at..end].ToLowerInvariant();
            else end++;
        }
    }

    /// <summary>Stems of the words that carry meaning.</summary>
    public static IEnumerable<string> Stems(string text) => Of(text).Where(word => !IsStop(word)).Select(Stem);

    /// <summary>Takes the commonest English endings off, so that <c>refunds</c>, <c>refunded</c> and <c>refund</c> are one.</summary>
    public static string Stem(string word)
    {
        if (word.Length <= 3 || !char.IsAsciiLetterLower(word[^1])) return word;
        if (word.EndsWith("ies", StringComparison.Ordinal) && word.Length > 4) return word[..^3] + "y";
        if (word.EndsWith("sses", StringComparison.Ordinal)) return word[..^2];
        if (word.EndsWith("ing", StringComparison.Ordinal) && word.Length > 5) return Undouble(word[..^3]);
        if (word.EndsWith("ed", StringComparison.Ordinal) && word.Length > 4) return Undouble(word[..^2]);
        if (word.EndsWith("ly", StringComparison.Ordinal) && word.Length > 5) return word[..^2];
        if (word[^1] == 's' && word[^2] is not ('s' or 'u' or 'i')) return word[..^1];
        return word[^1] == 'e' && word.Length > 4 ? word[..^1] : word;
    }

    /// <summary><c>orderNumber</c>, <c>order_number</c> and <c>Order-Number</c> as the words <c>order</c>, <c>number</c>.</summary>
    public static IReadOnlyList<string> OfName(string name)
    {
        var spaced = new System.Text.StringBuilder(name.Length + 8);
        for (var i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsUpper(name[i]) && char.IsLower(name[i - 1])) spaced.Append(' ');
            spaced.Append(name[i] == '_' ? ' ' : name[i]);
        }

        return [.. Of(spaced.ToString()).Take(12)];
    }

    private static string Undouble(string stem) => stem.Length > 3 && stem[^1] == stem[^2] && stem[^1] is not ('l' or 's') ? stem[..^1] : stem;

    private static bool IsWordCharacter(string text, int at) => char.IsLetterOrDigit(text[at]) || char.IsSurrogate(text[at])
        || (at > 0 && char.GetUnicodeCategory(text[at]) is System.Globalization.UnicodeCategory.NonSpacingMark or System.Globalization.UnicodeCategory.SpacingCombiningMark);
}
