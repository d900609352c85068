using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Kernel;

public sealed class RequestTimeTests
{
    [Theory]
    [InlineData("2026-11-30", "2026-11-30T00:00:00.0000000+00:00")]
    [InlineData("2026-11-30T12:00:00", "2026-11-30T12:00:00.0000000+00:00")]
    [InlineData("2026-11-30T12:00:00Z", "2026-11-30T12:00:00.0000000+00:00")]
    [InlineData("2026-11-30T12:00:00.25Z", "2026-11-30T12:00:00.2500000+00:00")]
    [InlineData("2026-11-30T12:00:00.1234567+02:30", "2026-11-30T09:30:00.1234567+00:00")]
    public void A_time_is_read_as_UTC(string text, string expected)
    {
        Assert.True(RequestTime.TryRead(text, out var time));
        Assert.Equal(expected, time.ToString("O"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("12:00")]
    [InlineData("1.5")]
    [InlineData("11/30/2026")]
    [InlineData("2026-02-30")]
    [InlineData("2026-11-30 12:00:00Z")]
    [InlineData("2026-11-30T12:00:00 02:00")]
    [InlineData("0001-01-01T00:00:00+13:00")]
    public void What_would_have_to_be_guessed_is_no_time(string text) => Assert.False(RequestTime.TryRead(text, out _));
}
