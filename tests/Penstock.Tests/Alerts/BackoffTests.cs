using Penstock.Alerts;
using Xunit;

namespace Penstock.Tests.Alerts;

public sealed class BackoffTests
{
    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 10)]
    [InlineData(3, 20)]
    [InlineData(10, 2560)]
    [InlineData(11, 3600)]
    [InlineData(12, 3600)]
    [InlineData(1_000_000, 3600)]
    public void A_wait_doubles_up_to_an_hour(int tries, int seconds) =>
        Assert.InRange(Backoff.After(Alert.Of() with { Tries = tries }).TotalSeconds, seconds * 0.75 - 0.001, seconds);

    [Fact]
    public void Alerts_that_failed_together_do_not_come_back_together()
    {
        var waits = Enumerable.Range(0, 50).Select(number => Backoff.After(Alert.Of(name: $"p{number}"))).ToArray();

        Assert.True(waits.Distinct().Count() > 30, $"{waits.Distinct().Count()} different waits");
        Assert.Equal(waits[7], Backoff.After(Alert.Of(name: "p7")));
    }
}
