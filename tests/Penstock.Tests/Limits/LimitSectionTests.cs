using System.Text;
using Penstock.Configuration;
using Penstock.Kernel;
using Penstock.Limits;
using Xunit;

namespace Penstock.Tests.Limits;

public sealed class LimitSectionTests
{
    private readonly LimitSection _section = new();

    [Theory]
    [InlineData("""{"limits": {"burst": 0}}""", "'limits.burst'")]
    [InlineData("""{"limits": {"burst": 1.5}}""", "'limits.burst'")]
    [InlineData("""{"limits": {"requestsPerSecond": 0}}""", "'limits.requestsPerSecond'")]
    [InlineData("""{"limits": {"requestsPerSecond": "50"}}""", "'limits.requestsPerSecond'")]
    [InlineData("""{"limits": {"brust": 5}}""", "'limits.brust'")]
    [InlineData("""{"limits": []}""", "'limits'")]
    [InlineData("""{"limits": {"tokensPerMinute": 0}}""", "'limits.tokensPerMinute'")]
    [InlineData("""{"limits": {"concurrency": 0}}""", "'limits.concurrency'")]
    [InlineData("""{"limits": {"leaseMinutes": 0}}""", "'limits.leaseMinutes'")]
    [InlineData("""{"limits": {"keys": []}}""", "'limits.keys'")]
    [InlineData("""{"limits": {"keys": {"a": 5}}}""", "'limits.keys.a'")]
    [InlineData("""{"limits": {"keys": {"a": {"rps": 5}}}}""", "'limits.keys.a.rps'")]
    [InlineData("""{"limits": {"keys": {"a": {"keys": {}}}}}""", "'limits.keys.a.keys'")]
    [InlineData("""{"limits": {"projects": {"a": {"burst": 5}}}}""", "'limits.projects.a'")]
    [InlineData("""{"limits": {"tenants": {"a": {"burst": 5}}}}""", "'limits.tenants.a'")]
    [InlineData("""{"limits": {"routes": {"/v1/chat": {"concurrency": 5}}}}""", "'limits.routes./v1/chat'")]
    public void A_bad_limit_is_named(string json, string field)
    {
        var read = new ConfigRead(JsonView.Parse(Encoding.UTF8.GetBytes(json)));
        var before = _section.Current;
        _section.Read(read);

        Assert.StartsWith(field, Assert.Single(read.Errors.Distinct()), StringComparison.Ordinal);
        Assert.Same(before, _section.Current);
    }

    [Fact]
    public void Everything_that_can_be_set_is_read()
    {
        var read = new ConfigRead(JsonView.Parse("""
            {"limits": {"requestsPerSecond": 1, "burst": 2, "tokensPerMinute": 3, "concurrency": 4, "leaseMinutes": 5,
              "keys": {"k": {"requestsPerSecond": 6}}, "projects": {"p": {"requestsPerSecond": 7.5}}, "tenants": {"t": {"tokensPerMinute": 8}}, "routes": {"/ai": {"concurrency": 9}}}}
            """u8.ToArray()));
        _section.Read(read)();

        Assert.Empty(read.Errors);
        var now = _section.Current;
        Assert.Equal(new Allowance { RequestsPerSecond = 1, Burst = 2, TokensPerMinute = 3, Concurrency = 4 }, now.EachKey);
        Assert.Equal(TimeSpan.FromMinutes(5), now.LeaseFor);
        Assert.Equal(new Allowance { RequestsPerSecond = 6 }, now.Keys["k"]);
        // What stands over many has a second's worth at once where nothing else is said.
        Assert.Equal(new Allowance { RequestsPerSecond = 7.5, Burst = 8 }, now.Projects["p"]);
        Assert.Equal(new Allowance { TokensPerMinute = 8 }, now.Tenants["t"]);
        Assert.Equal(new Allowance { Concurrency = 9 }, now.Routes["/ai"]);
    }

    [Fact]
    public void Without_a_section_a_key_has_fifty_a_second_and_two_hundred_at_once()
    {
        _section.Read(new ConfigRead(JsonView.Parse("{}"u8.ToArray())))();

        Assert.Equal(new Allowance { RequestsPerSecond = 50, Burst = 200 }, _section.Current.EachKey);
    }
}
