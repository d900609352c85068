using Penstock.Gateway;
using Xunit;

namespace Penstock.Tests.Gateway;

public sealed class LimitHeadersTests
{
    [Theory]
    [InlineData(0, "0s")]
    [InlineData(1, "1ms")]
    [InlineData(10_000, "1ms")]
    [InlineData(10_001, "2ms")]
    [InlineData(9_990_000, "999ms")]
    [InlineData(9_990_001, "1s")]
    [InlineData(15_000_000, "1.5s")]
    [InlineData(59_999 * 10_000L, "59.999s")]
    [InlineData(60_000 * 10_000L, "1m0s")]
    [InlineData(360_000 * 10_000L, "6m0s")]
    [InlineData(3_603_200 * 10_000L, "1h0m3.2s")]
    [InlineData(90_000_000 * 10_000L, "25h0m0s")]
    public void A_wait_is_written_as_OpenAI_writes_it(long ticks, string text) => Assert.Equal(text, LimitHeaders.Duration(TimeSpan.FromTicks(ticks)));
}
