using System.Globalization;
using System.Text.RegularExpressions;

namespace Penstock.Providers.Local;

/// <summary>
/// Finds what has a shape of its own. Each pattern begins only where the run it reads begins and is bounded in length,
/// so that no text makes it slow; the first <see cref="Most"/> different finds of a kind are kept.
/// </summary>
internal static partial class Extraction
{
    public const int Most = 200;

    private const int Timeout = 10_000;

    private static readonly string[] Months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

    public static List<string> Emails(string text) => Distinct(Email().Matches(text).Select(match => match.Value.TrimEnd('.', '-')));

    public static List<string> Urls(string text) => Distinct(Url().Matches(text).Select(match => match.Value.TrimEnd('.', ',', ';', ':', '!', '?')));

    /// <summary>As <c>2026-11-30</c>. Of <c>3/4/2026</c> the first is the month unless it cannot be; of <c>3.4.2026</c> the day.</summary>
    public static List<string> Dates(string text) => Distinct(Date().Matches(text).Select(Iso).OfType<string>());

    /// <summary>Sums of money, with their currency as written.</summary>
    public static List<string> Amounts(string text) => Distinct(Amount().Matches(text).Select(match => match.Value));

    /// <summary>With at least seven digits, and a <c>+</c>, brackets or separators to tell them from other numbers.</summary>
    public static List<string> Phones(string text) =>
        Distinct(Phone().Matches(text).Select(match => match.Value).Where(IsPhone));

    public static List<string> Numbers(string text) => Distinct(Number().Matches(text).Select(match => match.Value));

    /// <summary>The number in an amount or number as written: <c>$1,234.50</c> is 1234.50, and <c>$2 million</c> 2000000.</summary>
    public static decimal? ToNumber(string written)
    {
        var match = Number().Match(written);
        return match.Success && decimal.TryParse(match.Value.Replace(",", "", StringComparison.Ordinal), NumberStyles.Number, CultureInfo.InvariantCulture, out var value) ? value * Scale(written) : null;
    }

    private static decimal Scale(string written) => Words.Of(written).Select(word => word switch
    {
        "thousand" => 1_000m,
        "million" => 1_000_000m,
        "billion" => 1_000_000_000m,
        "trillion" => 1_000_000_000_000m,
        _ => 1m,
    }).FirstOrDefault(scale => scale > 1, 1m);

    private static List<string> Distinct(IEnumerable<string> finds) => [.. finds.Distinct().Take(Most)];

    private static bool IsPhone(string find)
    {
        var digits = find.Count(char.IsAsciiDigit);
        var told = find[0] == '+' || find.AsSpan().ContainsAny(" ()-");
        return digits is >= 7 and <= 15 && told && !Date().IsMatch(find);
    }

    private static string? Iso(Match match)
    {
        if (match.Groups["y"].Success) return Iso(match.Groups["y"].Value, match.Groups["m"].Value, match.Groups["d"].Value);
        if (match.Groups["year"].Success) return Iso(match.Groups["year"].Value, MonthOf(match.Groups["month"].Value), match.Groups["day"].Value);
        var (first, second, year) = (match.Groups["a"].Value, match.Groups["b"].Value, match.Groups["c"].Value);
        var monthFirst = match.Groups["sep"].Value == "/" && int.Parse(first, CultureInfo.InvariantCulture) <= 12;
        return monthFirst ? Iso(year, first, second) : Iso(year, second, first);
    }

    private static string MonthOf(string name) => (Array.IndexOf(Months, name[..3].ToLowerInvariant()) + 1).ToString(CultureInfo.InvariantCulture);

    private static string? Iso(string year, string month, string day) =>
        DateOnly.TryParseExact($"{year}-{month}-{day}", "yyyy-M-d", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date)
            ? date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
            : null;

    [GeneratedRegex(@"(?<![\w.%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}", RegexOptions.CultureInvariant, Timeout)]
    private static partial Regex Email();

    [GeneratedRegex("""https?://[^\s<>"'()\[\]{}]{1,2000}""", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase, Timeout)]
    private static partial Regex Url();

    [GeneratedRegex(
        """
        (?<![\w.])(?:
          (?<y>[0-9]{4})-(?<m>[0-9]{2})-(?<d>[0-9]{2})
        | (?<a>[0-9]{1,2})(?<sep>[./])(?<b>[0-9]{1,2})\k<sep>(?<c>[0-9]{4})
        | (?<day>[0-9]{1,2})(?:st|nd|rd|th)?[ ](?:of[ ])?(?<month>(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6})\.?,?[ ](?<year>[0-9]{4})
        | (?<month>(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6})\.?[ ](?<day>[0-9]{1,2})(?:st|nd|rd|th)?,?[ ](?<year>[0-9]{4})
        )(?![0-9])
        """,
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.IgnorePatternWhitespace, Timeout)]
    private static partial Regex Date();

    [GeneratedRegex(
        """
        (?:[$€£¥₹]|(?<![A-Za-z])(?:USD|EUR|GBP|CHF|JPY|INR))[ ]?[0-9]{1,15}(?:,[0-9]{3}){0,5}(?:\.[0-9]{1,9})?(?:[ ](?:thousand|million|billion|trillion)(?![A-Za-z]))?
        | (?<![\w.,])[0-9]{1,15}(?:,[0-9]{3}){0,5}(?:\.[0-9]{1,9})?[ ]?(?:(?:thousand|million|billion|trillion)[ ])?(?:[€£]|(?:USD|EUR|GBP|CHF|JPY|INR|dollars?|euros?|pounds?)(?![A-Za-z]))
        """,
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.IgnorePatternWhitespace, Timeout)]
    private static partial Regex Amount();

    [GeneratedRegex(@"(?<![\w.+-])(?:\+|\()?[0-9][0-9 ()./-]{5,20}[0-9](?!\w)", RegexOptions.CultureInvariant, Timeout)]
    private static partial Regex Phone();

    [GeneratedRegex(@"(?<![\w.])-?[0-9]{1,15}(?:,[0-9]{3}){0,4}(?:\.[0-9]{1,9})?(?![\w])", RegexOptions.CultureInvariant, Timeout)]
    private static partial Regex Number();
}
