namespace Penstock.Guards;

/// <summary>US social security numbers: <c>AAA-GG-SSSS</c> with dashes or spaces, none of the numbers that were never given (area 000, 666 and 900 to 999, group 00, serial 0000).</summary>
internal static class SocialSecurityNumbers
{
    public static int Find(in Window window)
    {
        var symbols = window.Symbols;
        if (!char.IsAsciiDigit(symbols[0]) || Fold.IsWord(window.Previous)) return Finding.None;
        if (window.Previous is '-' or '.' && Fold.IsWord(window.Before)) return Finding.None;

        var cursor = new Cursor(window);
        if (!cursor.TakeDigits(3) || symbols[0] == '9' || symbols[..3] is "000" or "666") return cursor.Failed;
        var separator = cursor.Peek();
        if (separator is not ('-' or ' ')) return cursor.Failed;
        cursor.Skip();
        if (!cursor.TakeDigits(2) || symbols[4..6] is "00" || !cursor.Take(separator)) return cursor.Failed;
        if (!cursor.TakeDigits(4) || symbols[7..11] is "0000") return cursor.Failed;
        return cursor.Ends() ? cursor.Found(cursor.At) : cursor.Failed;
    }
}
