using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Agents;
using Penstock.Tests.Configuration;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class AgentSectionTests
{
    private readonly AgentSection _section = new(new AgentCatalog(NullLogger<AgentCatalog>.Instance));

    [Fact]
    public void What_is_not_configured_is_as_documented()
    {
        foreach (var json in new[] { "{}", """{"agents": {}}""" })
        {
            Assert.Empty(_section.Read(json));
            Assert.Equal(
                (15, 15, 30d, 10d, 20d, 5, 90d, 25d),
                (_section.Current.MaxRuns, _section.Current.MaxRunsPerTenant, _section.Current.Lease.TotalSeconds, _section.Current.Renew.TotalSeconds, _section.Current.Fence.TotalSeconds,
                    _section.Current.MaxCrashes, _section.Current.Retention.TotalDays, _section.Current.Wait.TotalSeconds));
        }
    }

    [Fact]
    public void What_is_configured_is_in_force()
    {
        Assert.Empty(_section.Read("""
            {"agents": {"maxRuns": 40, "maxRunsPerTenant": 4, "leaseSeconds": 3, "renewSeconds": 0.5, "fenceSeconds": 1.5, "maxCrashes": 2, "retentionDays": 3650, "waitSeconds": 0}}
            """));

        Assert.Equal(
            new AgentOptions
            {
                MaxRuns = 40, MaxRunsPerTenant = 4, Lease = TimeSpan.FromSeconds(3), Renew = TimeSpan.FromSeconds(0.5), Fence = TimeSpan.FromSeconds(1.5), MaxCrashes = 2,
                Retention = TimeSpan.FromDays(3_650), Wait = TimeSpan.Zero,
            },
            _section.Current);
    }

    [Fact]
    public void Every_error_is_told_at_once_and_changes_nothing()
    {
        var errors = _section.Read("""{"agents": {"maxRuns": 0, "maxRunsPerTenant": "4", "maxCrashes": 1.5, "retentionDays": 3651, "waitSeconds": -1, "runs": 3}}""");

        Assert.Equal(6, errors.Count);
        foreach (var name in new[] { "maxRuns", "maxRunsPerTenant", "maxCrashes", "retentionDays", "waitSeconds", "runs" })
            Assert.Contains(errors, error => error.Contains($"'agents.{name}'", StringComparison.Ordinal));
        Assert.Equal(new AgentOptions(), _section.Current);
    }

    [Theory]
    [InlineData(10, 10, 30)]
    [InlineData(21, 20, 30)]
    [InlineData(10, 30, 30)]
    public void A_worker_must_know_that_it_lost_a_run_before_another_takes_it(int renew, int fence, int lease)
    {
        var error = Assert.Single(_section.Read($$"""{"agents": {"renewSeconds": {{renew}}, "fenceSeconds": {{fence}}, "leaseSeconds": {{lease}} } }"""));

        Assert.Contains("renewSeconds < fenceSeconds < leaseSeconds", error, StringComparison.Ordinal);
    }
}
