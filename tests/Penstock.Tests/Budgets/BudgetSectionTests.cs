using Penstock.Budgets;
using Penstock.Tests.Configuration;
using Xunit;

namespace Penstock.Tests.Budgets;

public sealed class BudgetSectionTests
{
    private readonly BudgetSection _section = new();

    [Theory]
    [InlineData("{}", 3600)]
    [InlineData("""{"budgets": {}}""", 3600)]
    [InlineData("""{"budgets": {"holdMinutes": 5}}""", 300)]
    [InlineData("""{"budgets": {"holdSeconds": 5}}""", 5)]
    public void A_hold_lasts_as_long_as_is_said(string json, int seconds)
    {
        Assert.Empty(_section.Read(json));

        Assert.Equal(TimeSpan.FromSeconds(seconds), _section.Current.HoldFor);
    }

    [Theory]
    [InlineData("""{"holdMinutes": 0}""", "budgets.holdMinutes")]
    [InlineData("""{"holdSeconds": 0.5}""", "budgets.holdSeconds")]
    [InlineData("""{"holdSeconds": 90000}""", "budgets.holdSeconds")]
    [InlineData("""{"holdSeconds": 5, "holdMinutes": 1}""", "budgets.holdSeconds")]
    [InlineData("""{"holdHours": 1}""", "budgets.holdHours")]
    public void A_bad_setting_is_refused_by_name(string budgets, string field)
    {
        var error = Assert.Single(_section.Read($$"""{"budgets": {{budgets}}}"""));

        Assert.Contains($"'{field}'", error, StringComparison.Ordinal);
    }
}
