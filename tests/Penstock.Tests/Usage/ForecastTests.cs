using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Usage;

public sealed class ForecastTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset End = Start.AddMonths(1);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 1)]
    [InlineData(240, 333_333_333)]
    [InlineData(719, 1_000_000_007)]
    [InlineData(720, 3)]
    public void On_a_flat_load_the_forecast_is_exact(int hours, long nanosAnHour) =>
        Assert.Equal(new Money(720 * nanosAnHour), Forecast.AtEnd(new Money(hours * nanosAnHour), Start, End, Start.AddHours(hours)));

    [Fact]
    public void A_month_is_as_long_as_it_is()
    {
        var february = new DateTimeOffset(2028, 2, 1, 0, 0, 0, TimeSpan.Zero);

        Assert.Equal((february, february.AddDays(29)), Forecast.MonthOf(february.AddDays(28).AddHours(23)));
        // 02:00 on the 1st in Zurich is still February in UTC.
        Assert.Equal(february, Forecast.MonthOf(new DateTimeOffset(2028, 3, 1, 0, 30, 0, TimeSpan.FromHours(1))).Start);
        Assert.Equal(new Money(2900), Forecast.AtEnd(new Money(1000), february, february.AddDays(29), february.AddDays(10)));
    }

    [Fact]
    public void Before_anything_has_passed_nothing_is_known_and_after_the_end_all_is()
    {
        Assert.Null(Forecast.AtEnd(new Money(5), Start, End, Start));
        Assert.Null(Forecast.AtEnd(new Money(5), Start, End, Start.AddDays(-1)));
        Assert.Equal(new Money(5), Forecast.AtEnd(new Money(5), Start, End, End));
        Assert.Equal(new Money(5), Forecast.AtEnd(new Money(5), Start, End, End.AddDays(9)));
        Assert.Equal((0m, 0.333333m, 1m), (Forecast.Elapsed(Start, End, Start.AddDays(-1)), Forecast.Elapsed(Start, End, Start.AddDays(10)), Forecast.Elapsed(Start, End, End.AddDays(1))));
    }

    [Fact]
    public void It_is_rounded_to_the_nearest_nano_dollar_and_never_overflows()
    {
        // 10 of 30 days: 1 → 3; 7 of 30: 2 → 8.57.
        Assert.Equal(new Money(9), Forecast.AtEnd(new Money(2), Start, End, Start.AddDays(7)));
        Assert.Equal(new Money(-9), Forecast.AtEnd(new Money(-2), Start, End, Start.AddDays(7)));
        Assert.Equal(new Money(long.MaxValue), Forecast.AtEnd(new Money(long.MaxValue), Start, End, Start.AddTicks(1)));
    }
}
