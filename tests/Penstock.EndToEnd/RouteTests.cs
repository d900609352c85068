using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd;

public sealed class RouteTests(Platform platform) : IClassFixture<Platform>
{
    [Fact]
    public async Task Health_needs_no_key()
    {
        using var anyone = platform.Client(null);
        Assert.Equal("ok", (await anyone.GetAsync("/health")).GetProperty("status").GetString());
        Assert.Equal("ok", (await anyone.GetAsync("/v1/health")).GetProperty("status").GetString());
        Assert.Equal("ready", (await anyone.GetAsync("/health/ready")).GetProperty("status").GetString());
    }
}
