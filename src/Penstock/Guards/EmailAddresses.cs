namespace Penstock.Guards;

/// <summary>E-mail addresses: a local part of at most 64 characters (RFC 5321, 4.5.3.1.1), and a domain whose last part has letters only. Quoted local parts are not seen.</summary>
internal static class EmailAddresses
{
    private const int LongestLocal = 64;
    private const int LongestDomain = 253;

    public static int Find(in Window window)
    {
        var symbols = window.Symbols;
        if (!IsLocal(symbols[0])) return Finding.None;
        // Within a run, every earlier place was looked at: only one that stood too far from its '@' leaves something to find here.
        if (IsLocal(window.Previous) && symbols.Length > LongestLocal && symbols[LongestLocal] != '@') return Finding.None;

        var cursor = new Cursor(window);
        var named = false;
        while (cursor.At <= LongestLocal && IsLocal(cursor.Peek()))
        {
            named |= char.IsLetterOrDigit(cursor.Peek());
            cursor.Skip();
        }

        if (cursor.At > LongestLocal) return Finding.None;
        return cursor.Peek() == '@' && named ? Domain(ref cursor, symbols) : cursor.Failed;
    }

    /// <summary>The longest domain after the <c>@</c> that can be one.</summary>
    private static int Domain(ref Cursor cursor, ReadOnlySpan<char> symbols)
    {
        cursor.Skip();
        var (start, label, found) = (cursor.At, cursor.At, 0);
        while (cursor.At - start <= LongestDomain)
        {
            var symbol = cursor.Peek();
            if (char.IsLetterOrDigit(symbol) || symbol == '-')
            {
                cursor.Skip();
                continue;
            }

            if (label > start && IsTopLevel(symbols[label..cursor.At])) found = cursor.At;
            if (symbol != '.' || label == cursor.At) break;
            cursor.Skip();
            label = cursor.At;
        }

        return cursor.Found(found);
    }

    private static bool IsTopLevel(ReadOnlySpan<char> label)
    {
        if (label.StartsWith("xn--")) return true;
        foreach (var symbol in label)
        {
            if (!char.IsLetter(symbol)) return false;
        }

        return label.Length >= 2;
    }

    private static bool IsLocal(char symbol) => Fold.IsWord(symbol) || symbol is '.' or '%' or '+' or '-' or '\'';
}
