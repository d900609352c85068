namespace Penstock.Guards;

/// <summary>
/// Payment card numbers: an issuer's first digits, a length that issuer gives, and a valid check digit (ISO/IEC 7812-1, Luhn). Digits stand together or in groups
/// of three and more that one space or one dash separates, the first of four or six.
/// </summary>
internal static class CardNumbers
{
    private const int Longest = 19;
    private const int LeastGroup = 3;

    public static int Find(in Window window)
    {
        var symbols = window.Symbols;
        if (!char.IsAsciiDigit(symbols[0]) || Fold.IsWord(window.Previous)) return Finding.None;
        // The digits of a fraction. Behind a comma they are more likely the next field of a line.
        if (window.Previous is '.' && char.IsAsciiDigit(window.Before)) return Finding.None;

        Span<char> digits = stackalloc char[Longest];
        Span<int> ends = stackalloc int[Longest + 1];
        ends.Clear();
        var cursor = new Cursor(window);
        var count = ReadGroups(ref cursor, digits, ends);
        if (!CouldBegin(digits[..count])) return Finding.None;
        if (cursor.Waits) return Finding.Wait;
        for (var length = count; length >= 12; length--)
        {
            if (ends[length] > 0 && HasLength(digits[..length]) && IsChecked(digits[..length])) return ends[length];
        }

        return Finding.None;
    }

    /// <returns>How many digits; <paramref name="ends"/> has, for each count at which a number could end, how many symbols that are.</returns>
    private static int ReadGroups(ref Cursor cursor, scoped Span<char> digits, scoped Span<int> ends)
    {
        var (count, group, separator) = (0, 0, '\0');
        while (true)
        {
            var symbol = cursor.Peek();
            if (char.IsAsciiDigit(symbol))
            {
                if (count == Longest) return count;
                digits[count++] = symbol;
                group++;
                cursor.Skip();
                continue;
            }

            if (!Fold.IsWord(symbol) && (separator == '\0' || group >= LeastGroup)) ends[count] = cursor.At;
            if (!Separates(symbol, separator) || !MayEndGroup(separator, group)) return count;
            if (!char.IsAsciiDigit(cursor.Peek(1))) return count;
            (separator, group) = (symbol, 0);
            cursor.Skip();
        }
    }

    private static bool Separates(char symbol, char separator) => separator == '\0' ? symbol is ' ' or '-' : symbol == separator;

    private static bool MayEndGroup(char separator, int group) => separator == '\0' ? group is 4 or 6 : group >= LeastGroup;

    private static bool CouldBegin(ReadOnlySpan<char> digits) => digits switch
    {
        ['2'] or ['2', >= '2' and <= '7', ..] => true,
        ['3'] or ['3', '0' or >= '4' and <= '9', ..] => true,
        ['4' or '5' or '6', ..] => true,
        ['8'] or ['8', '1', ..] => true,
        _ => false,
    };

    private static bool HasLength(ReadOnlySpan<char> digits)
    {
        var prefix = int.Parse(digits[..6], System.Globalization.CultureInfo.InvariantCulture);
        var length = digits.Length;
        return prefix switch
        {
            >= 220000 and <= 220499 => length is >= 16 and <= 19,                                            // Mir
            >= 222100 and <= 272099 or >= 510000 and <= 559999 => length == 16,                              // Mastercard
            >= 400000 and <= 499999 => length is 13 or 16 or 19,                                             // Visa
            >= 340000 and <= 349999 or >= 370000 and <= 379999 => length == 15,                              // American Express
            >= 300000 and <= 305999 or >= 309500 and <= 309599 or >= 360000 and <= 369999 or >= 380000 and <= 399999 => length is >= 14 and <= 19, // Diners Club
            >= 352800 and <= 358999 => length is >= 16 and <= 19,                                            // JCB
            >= 601100 and <= 601199 or >= 622126 and <= 622925 or >= 644000 and <= 659999 => length is >= 16 and <= 19, // Discover
            >= 620000 and <= 629999 or >= 810000 and <= 817199 => length is >= 16 and <= 19,                 // UnionPay
            >= 508500 and <= 508999 or >= 606985 and <= 607984 => length == 16,                              // RuPay
            >= 501800 and <= 501899 or >= 502000 and <= 502099 or >= 503800 and <= 503899 or >= 589300 and <= 589399 => length is >= 12 and <= 19, // Maestro
            >= 630400 and <= 630499 or >= 675900 and <= 675999 or >= 676100 and <= 676399 => length is >= 12 and <= 19,
            _ => false,
        };
    }

    private static bool IsChecked(ReadOnlySpan<char> digits)
    {
        var sum = 0;
        for (var i = 0; i < digits.Length; i++)
        {
            var digit = digits[digits.Length - 1 - i] - '0';
            if (i % 2 == 1) digit = digit > 4 ? (digit * 2) - 9 : digit * 2;
            sum += digit;
        }

        return sum % 10 == 0;
    }
}
