using Penstock.Tests.Configuration;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Usage;

public sealed class UsageSectionTests
{
    private readonly UsageSection _section = new();

    [Fact]
    public void What_is_written_is_taken_and_taken_out_it_is_gone()
    {
        Assert.Equal((2m, 400), (_section.Current.MarkupPercent, _section.Current.KeepFor.TotalDays));
        Assert.Empty(_section.Read("""{"usage": {"markupPercent": 12.5, "keepDays": 30}}"""));
        Assert.Equal((12.5m, 30), (_section.Current.MarkupPercent, _section.Current.KeepFor.TotalDays));
        Assert.Empty(_section.Read("""{"usage": {"markupPercent": 0}}"""));
        Assert.Equal((0m, 400), (_section.Current.MarkupPercent, _section.Current.KeepFor.TotalDays));
        Assert.Empty(_section.Read("{}"));
        Assert.Equal(2m, _section.Current.MarkupPercent);
    }

    [Theory]
    [InlineData("""{"markupPercent": -1}""", "usage.markupPercent")]
    [InlineData("""{"markupPercent": "2"}""", "usage.markupPercent")]
    [InlineData("""{"markup": 2}""", "usage.markup")]
    [InlineData("""{"keepDays": 0}""", "usage.keepDays")]
    public void A_mistake_is_named(string usage, string named) => Assert.Contains(named, Assert.Single(_section.Read($$"""{"usage": {{usage}} }""")), StringComparison.Ordinal);
}
