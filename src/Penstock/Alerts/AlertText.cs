using System.Globalization;
using Penstock.Budgets;
using Penstock.Kernel;

namespace Penstock.Alerts;

/// <summary>An alert in words. A name that a client chose cannot end a line here.</summary>
internal static class AlertText
{
    private const int LongestName = 100;

    /// <summary>Such as <c>80 % of the monthly budget of project 'search' is spent</c>.</summary>
    public static string Title(BudgetAlert alert)
    {
        var budget = $"the {Period(alert.Budget.Period)} budget of {Scope(alert.Budget.Scope)}";
        if (alert.Threshold < 100) return string.Create(CultureInfo.InvariantCulture, $"{alert.Threshold} % of {budget} is spent");
        return alert.Budget.Hard ? $"T{budget[1..]} is spent: calls are refused" : $"T{budget[1..]} is passed";
    }

    /// <summary>Such as <c>40.12 of 50.00 USD (80.2 %)</c>.</summary>
    public static string Spent(BudgetAlert alert)
    {
        var spent = $"{Usd(alert.Spent)} of {Usd(alert.Budget.Limit)} USD";
        return Percent(alert) is { } percent ? string.Create(CultureInfo.InvariantCulture, $"{spent} ({percent:0.0} %)") : spent;
    }

    public static string Resets(BudgetAlert alert) => alert.Window.End is { } end
        ? string.Create(CultureInfo.InvariantCulture, $"Resets on {TimeZoneInfo.ConvertTimeBySystemTimeZoneId(end, alert.Budget.TimeZone):yyyy-MM-dd} ({alert.Budget.TimeZone})")
        : "Does not reset";

    /// <summary>Of the limit; null where the limit is nothing.</summary>
    public static decimal? Percent(BudgetAlert alert) => alert.Budget.Limit > Money.Zero ? Math.Round(alert.Spent.Usd / alert.Budget.Limit.Usd * 100, 2) : null;

    private static string Period(BudgetPeriod period) => period switch
    {
        BudgetPeriod.Day => "daily",
        BudgetPeriod.Week => "weekly",
        BudgetPeriod.Month => "monthly",
        _ => "total",
    };

    private static string Scope(BudgetScope scope) => (scope with { Name = Clean(scope.Name) }).ToString();

    private static string Clean(string name)
    {
        var text = string.Concat(name.EnumerateRunes().Take(LongestName).Select(rune => Breaks(rune) ? " " : rune.ToString()));
        return JsonView.CountUpTo(name, LongestName) <= LongestName ? text : text + "…";
    }

    private static bool Breaks(System.Text.Rune rune) => System.Text.Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static string Usd(Money money) => money.Usd.ToString("0.00#######", CultureInfo.InvariantCulture);
}
