using System.Collections.Frozen;
using System.Globalization;

namespace Penstock.Guards;

/// <summary>
/// What a character counts as when rules look at it: lower case, without marks, full-width forms and digits of any script as ASCII's, dashes as <c>-</c>.
/// One character gives one symbol or none, so that a text folds the same however it is cut.
/// </summary>
internal static class Fold
{
    /// <summary>Nothing that is seen: zero-width characters, marks, controls. Rules look through it.</summary>
    public const char Invisible = '\0';

    /// <summary>Scripts from here on are written without spaces between words.</summary>
    private const char Unspaced = '\u2E80';

    private const char Other = '\uE000';

    private static readonly FrozenDictionary<char, char> Plain = FoldTable.Lines.SelectMany(line => line[1..].Select(marked => (marked, line[0]))).ToFrozenDictionary(pair => pair.marked, pair => pair.Item2);

    public static char Of(char c)
    {
        if (c < 0x80) return Ascii(c);
        // Full-width forms stand in the order of ASCII.
        if (c is >= '\uFF01' and <= '\uFF5E') return Ascii((char)(c - 0xFEE0));
        if (c is >= '\u3400' and <= '\u9FFF' or >= '\uAC00' and <= '\uD7A3') return c;
        if (Plain.TryGetValue(c, out var plain)) return plain;
        return c switch
        {
            '\u2028' or '\u2029' or '\u0085' => '\n',
            '\uFE6B' => '@',
            '\uFE62' => '+',
            '\u3002' or '\uFF61' or '\uFE52' => '.',
            '\u2019' or '\u02BC' => '\'',
            >= '\u2010' and <= '\u2015' or '\u2212' or '\uFE58' or '\uFE63' => '-',
            '\u115F' or '\u1160' or '\u3164' or '\uFFA0' => Invisible,
            _ => ByCategory(c),
        };
    }

    /// <summary>A character beyond the first plane.</summary>
    public static char Of(char high, char low)
    {
        var code = char.ConvertToUtf32(high, low);
        // Letters for formulas: bold, italic and so on, 52 at a time.
        if (code is >= 0x1D400 and <= 0x1D6A3) return (char)('a' + ((code - 0x1D400) % 26));
        var category = CharUnicodeInfo.GetUnicodeCategory(code);
        if (category == UnicodeCategory.DecimalDigitNumber) return Digit(CharUnicodeInfo.GetDecimalDigitValue(char.ConvertFromUtf32(code), 0));
        return IsInvisible(category) ? Invisible : Other;
    }

    /// <summary>Part of a word that ends where a space or a sign begins.</summary>
    public static bool IsWord(char symbol) => symbol < Unspaced && (char.IsLetterOrDigit(symbol) || symbol == '_');

    public static bool IsBlank(char symbol) => symbol is ' ' or '\t' or '\n';

    private static char Ascii(char c) => c switch
    {
        >= 'A' and <= 'Z' => (char)(c | 0x20),
        '\r' => '\n',
        < ' ' and not ('\n' or '\t') or '\x7f' => Invisible,
        _ => c,
    };

    private static char ByCategory(char c)
    {
        var category = CharUnicodeInfo.GetUnicodeCategory(c);
        if (category == UnicodeCategory.DecimalDigitNumber) return Digit(CharUnicodeInfo.GetDecimalDigitValue(c));
        if (category == UnicodeCategory.SpaceSeparator) return ' ';
        return IsInvisible(category) ? Invisible : char.ToLowerInvariant(c);
    }

    private static char Digit(int value) => (char)('0' + value);

    private static bool IsInvisible(UnicodeCategory category) =>
        category is UnicodeCategory.Format or UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Control;
}
