namespace Penstock.Guards;

/// <summary>
/// Telephone numbers: international ones (ITU-T E.164, <c>+</c> or <c>00</c>, 8 to 15 digits), those of North America with its rules for area and exchange, and national
/// ones with a leading 0 (9 to 12 digits in groups). Ten digits without a separator are an id as often as a number, and are left alone.
/// </summary>
internal static class PhoneNumbers
{
    private const int LeastDigits = 8;
    private const int MostDigits = 15;
    private const int NorthAmerican = 11;

    public static int Find(in Window window)
    {
        var first = window.Symbols[0];
        if (first is not ('+' or '(') && !char.IsAsciiDigit(first)) return Finding.None;
        if (Fold.IsWord(window.Previous) || window.Previous is '+') return Finding.None;
        if (window.Previous is '-' or '.' or ',' && Fold.IsWord(window.Before)) return Finding.None;

        if (first == '+') return International(window, prefix: 1);
        var found = NorthAmerica(window);
        if (found == Finding.None && first is '0' or '(') found = Trunk(window);
        return found == Finding.None && first == '0' ? International(window, prefix: 2) : found;
    }

    /// <param name="prefix">Symbols before the country's code: <c>+</c>, or <c>00</c>, which counts only with separators after it.</param>
    private static int International(in Window window, int prefix)
    {
        var cursor = new Cursor(window);
        if (prefix == 2 && !(cursor.Peek() == '0' && cursor.Peek(1) == '0')) return cursor.Failed;
        cursor.Skip(prefix);
        if (prefix == 2 && cursor.Peek() == ' ') cursor.Skip();
        var country = cursor.Peek();
        if (country is not (>= '1' and <= '9')) return cursor.Failed;

        var (digits, separated, found) = (0, false, 0);
        var most = country == '1' ? NorthAmerican : MostDigits;
        while (digits <= most)
        {
            if (char.IsAsciiDigit(cursor.Peek()))
            {
                digits++;
                cursor.Skip();
                continue;
            }

            if (digits >= (country == '1' ? NorthAmerican : LeastDigits) && digits <= most && !Fold.IsWord(cursor.Peek()) && (separated || prefix == 1)) found = cursor.At;
            if (digits == most || !TakeSeparators(ref cursor)) break;
            separated = true;
        }

        return cursor.Found(found);
    }

    /// <summary>One or two signs between digits, such as <c>) </c>; nothing is taken where no digit follows.</summary>
    private static bool TakeSeparators(ref Cursor cursor)
    {
        var count = 0;
        while (count < 3 && cursor.Peek(count) is ' ' or '-' or '.' or '(' or ')' or '/') count++;
        if (count is 0 or 3 || !char.IsAsciiDigit(cursor.Peek(count))) return false;
        cursor.Skip(count);
        return true;
    }

    /// <summary><c>(AAA) EEE-NNNN</c>, <c>AAA-EEE-NNNN</c>, with or without <c>1</c> before it: area and exchange begin with 2 to 9, and no area is N11 or N9X.</summary>
    private static int NorthAmerica(in Window window)
    {
        var cursor = new Cursor(window);
        if (cursor.Peek() == '1')
        {
            if (cursor.Peek(1) is not (' ' or '-' or '.')) return cursor.Failed;
            cursor.Skip(2);
        }

        var bracketed = cursor.Take('(');
        if (!IsArea(cursor.Peek(), cursor.Peek(1), cursor.Peek(2)) || !cursor.TakeDigits(3)) return cursor.Failed;
        if (bracketed && !cursor.Take(')')) return cursor.Failed;
        var separator = cursor.Peek();
        if (separator is ' ' or '-' or '.') cursor.Skip();
        else if (!bracketed) return cursor.Failed;
        if (cursor.Peek() is not (>= '2' and <= '9') || !cursor.TakeDigits(3)) return cursor.Failed;
        if (bracketed ? cursor.Peek() is not (' ' or '-' or '.') : cursor.Peek() != separator) return cursor.Failed;
        cursor.Skip();
        return cursor.TakeDigits(4) && cursor.Ends() ? cursor.Found(cursor.At) : cursor.Failed;
    }

    private static bool IsArea(char first, char second, char third) => first is >= '2' and <= '9' && second != '9' && !(second == '1' && third == '1');

    /// <summary><c>020 7946 0958</c>, <c>(030) 123456</c>, <c>01 23 45 67 89</c>: after the first group every separator is the same.</summary>
    private static int Trunk(in Window window)
    {
        var cursor = new Cursor(window);
        var bracketed = cursor.Take('(');
        if (cursor.Peek() != '0' || cursor.Peek(1) is not (>= '1' and <= '9')) return cursor.Failed;

        var (digits, group, groups, pairs, found) = (0, 0, 0, true, 0);
        var separator = '\0';
        while (digits <= 12)
        {
            var symbol = cursor.Peek();
            if (char.IsAsciiDigit(symbol))
            {
                digits++;
                group++;
                cursor.Skip();
                continue;
            }

            if (group < 2) break;
            groups++;
            pairs &= group == 2;
            if (groups > 1 && digits is >= 9 and <= 12 && !Fold.IsWord(symbol) && (separator != '.' || (pairs && digits == 10))) found = cursor.At;
            if (!TakeSeparator(ref cursor, groups, bracketed, ref separator)) break;
            group = 0;
        }

        return cursor.Found(found);
    }

    private static bool TakeSeparator(ref Cursor cursor, int groups, bool bracketed, ref char separator)
    {
        var symbol = cursor.Peek();
        if (groups == 1 && bracketed)
        {
            if (symbol != ')') return false;
            var blank = cursor.Peek(1) == ' ' ? 2 : 1;
            if (!char.IsAsciiDigit(cursor.Peek(blank))) return false;
            cursor.Skip(blank);
            return true;
        }

        // A slash separates the area alone.
        var free = separator == '\0' ? symbol is ' ' or '-' or '.' or '/' : separator == '/' && symbol is ' ' or '-';
        if ((!free && symbol != separator) || (symbol == '/' && groups > 1)) return false;
        if (!char.IsAsciiDigit(cursor.Peek(1))) return false;
        separator = symbol;
        cursor.Skip();
        return true;
    }
}
