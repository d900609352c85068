using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Usage;

public sealed class MoneyTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("0.000000001", 1)]
    [InlineData("0.0000000001", 1)]
    [InlineData("1.0000000000000000000000001", 1_000_000_001)]
    [InlineData("9223372036.854775807", long.MaxValue)]
    [InlineData("-0.0000000019", -1)]
    public void Dollars_become_nanos_rounded_up(string usd, long nanos) =>
        Assert.Equal(nanos, Money.FromUsd(decimal.Parse(usd, System.Globalization.CultureInfo.InvariantCulture)).NanoDollars);

    [Fact]
    public void What_does_not_fit_is_an_error_and_never_wraps()
    {
        Assert.Throws<OverflowException>(() => Money.FromUsd(9223372036.854775808m));
        Assert.Throws<OverflowException>(() => Money.FromUsd(decimal.MaxValue / 10_000_000_000m));
        Assert.Throws<OverflowException>(() => new Money(long.MaxValue) + new Money(1));
        Assert.Throws<OverflowException>(() => new Money(long.MinValue) - new Money(1));
    }

    [Fact]
    public void Dollars_and_back_is_the_same_amount()
    {
        var seeded = new SeededSource(3);
        for (var i = 0; i < 10_000; i++)
        {
            var money = new Money((long)(seeded.NextBits() >> seeded.Below(64)));

            Assert.Equal(money, Money.FromUsd(money.Usd));
        }
    }

    [Fact]
    public void Amounts_compare_as_numbers()
    {
        var seeded = new SeededSource(4);
        for (var i = 0; i < 1_000; i++)
        {
            var (a, b) = (seeded.Below(100) - 50, seeded.Below(100) - 50);
            var (left, right) = (new Money(a), new Money(b));

            bool[] expected = [a < b, a > b, a <= b, a >= b];
            bool[] compared = [left < right, left > right, left <= right, left >= right];
            Assert.Equal(expected, compared);
            Assert.Equal(a.CompareTo(b), left.CompareTo(right));
            Assert.Equal((a + b, a - b), ((left + right).NanoDollars, (left - right).NanoDollars));
        }
    }

    [Theory]
    [InlineData(39_000_000, "0.039 USD")]
    [InlineData(1, "0.000000001 USD")]
    [InlineData(-1_500_000_000, "-1.5 USD")]
    [InlineData(0, "0 USD")]
    public void It_reads_as_dollars(long nanos, string text) => Assert.Equal(text, new Money(nanos).ToString());

    [Fact]
    public void Totals_are_sums_of_the_six_counts()
    {
        var counts = new TokenCounts(1, 20, 300, 4000, 50_000, 600_000);

        Assert.Equal(4321, counts.TotalInput);
        Assert.Equal(650_000, counts.TotalOutput);
        Assert.Equal(654_321, counts.Total);
        Assert.Equal(new TokenCounts(7, 0, 0, 0, 8, 0), TokenCounts.Of(7, 8));
    }
}
