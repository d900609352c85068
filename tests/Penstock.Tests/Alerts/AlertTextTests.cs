using Penstock.Alerts;
using Penstock.Budgets;
using Xunit;

namespace Penstock.Tests.Alerts;

public sealed class AlertTextTests
{
    [Fact]
    public void A_title_says_which_budget_and_how_far()
    {
        Assert.Equal("50 % of the monthly budget of project 'search' is spent", AlertText.Title(Alert.Of(50)));
        Assert.Equal("80 % of the daily budget of project 'search' is spent", AlertText.Title(Alert.Of(80, period: BudgetPeriod.Day)));
        Assert.Equal("The weekly budget of project 'search' is spent: calls are refused", AlertText.Title(Alert.Of(100, period: BudgetPeriod.Week)));
        Assert.Equal("The total budget of project 'search' is passed", AlertText.Title(Alert.Of(100, hard: false, period: BudgetPeriod.Total)));
    }

    [Fact]
    public void What_is_spent_is_exact_and_stands_beside_the_limit()
    {
        Assert.Equal("40.12 of 50.00 USD (80.2 %)", AlertText.Spent(Alert.Of()));
        Assert.Equal("0.000000001 of 0.00 USD", AlertText.Spent(Alert.Of(spent: 0.000000001m, limit: 0)));
    }

    [Fact]
    public void The_day_it_resets_is_that_of_the_budgets_own_zone()
    {
        // 23:00 UTC on the 30th is midnight in Zurich.
        Assert.Equal("Resets on 2026-12-01 (Europe/Zurich)", AlertText.Resets(Alert.Of(zone: "Europe/Zurich")));
        Assert.Equal("Does not reset", AlertText.Resets(Alert.Of(period: BudgetPeriod.Total)));
    }

    [Theory]
    [InlineData("a\r\nBcc: x@y.test", "a  Bcc: x@y.test")]
    [InlineData("a\u2028b\u2029c\u0085d\u001b[2J", "a b c d [2J")]
    public void A_name_cannot_end_its_line(string name, string shown) => Assert.Contains($"'{shown}'", AlertText.Title(Alert.Of(name: name)), StringComparison.Ordinal);

    [Fact]
    public void A_long_name_is_cut_between_characters()
    {
        var name = string.Concat(Enumerable.Repeat("\U0001F600", 101));

        var title = AlertText.Title(Alert.Of(name: name));

        Assert.Contains($"'{string.Concat(Enumerable.Repeat("\U0001F600", 100))}…'", title, StringComparison.Ordinal);
        Assert.DoesNotContain("…", AlertText.Title(Alert.Of(name: name[2..])), StringComparison.Ordinal);
    }
}
