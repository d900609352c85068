using System.Text.Json;
using Penstock.Contracts;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Budgets;

public sealed class BudgetEndpointsTests : IAsyncLifetime
{
    // Ten days into November.
    private readonly ManualTime _time = new(new DateTimeOffset(2026, 11, 11, 0, 0, 0, TimeSpan.Zero));
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync(_time);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_budget_says_how_much_is_used_and_where_it_is_heading()
    {
        await PutAsync("""{"scope": "tenant", "limit": 0.00045}""");
        for (var i = 0; i < 4; i++) await _host.ChatAsync();

        var budget = (await _host.GetAsync("/v1/usage/budget")).Json;

        // Four calls at $0.0000045 in a third of the month.
        Assert.Equal((0.000018m, 0.04m, 0.333333m, 0.000054m), Numbers(budget));
        Assert.Equal(Numbers(budget), Numbers(budget.GetProperty("budgets")[0]));
        _host.Advance(TimeSpan.FromDays(5));
        Assert.Equal((0.000018m, 0.04m, 0.5m, 0.000036m), Numbers((await _host.GetAsync("/v1/usage/budget")).Json));
    }

    [Fact]
    public async Task A_budget_is_projected_over_its_own_period()
    {
        await PutAsync("""{"scope": "tenant", "limit": 1, "period": "day", "timeZone": "Asia/Tokyo"}""");
        await _host.ChatAsync();

        var budget = (await _host.GetAsync("/v1/usage/budget")).Json;

        // Midnight in UTC is nine in the morning in Tokyo.
        Assert.Equal((0.375m, 0.000012m), (budget.GetProperty("elapsed").GetDecimal(), budget.GetProperty("projected").GetDecimal()));
    }

    [Fact]
    public async Task What_cannot_be_said_is_not_there()
    {
        var total = await PutAsync("""{"scope": "tenant", "limit": 1, "period": "total"}""");
        var fresh = await PutAsync("""{"scope": "tenant", "limit": 0, "period": "day"}""");

        foreach (var member in new[] { "resetsAt", "elapsed", "projected" }) Assert.False(total.TryGetProperty(member, out _), member);
        Assert.Equal(0m, total.GetProperty("utilization").GetDecimal());
        foreach (var member in new[] { "utilization", "projected" }) Assert.False(fresh.TryGetProperty(member, out _), member);
        Assert.Equal(0m, fresh.GetProperty("elapsed").GetDecimal());
    }

    private static (decimal Spent, decimal Utilization, decimal Elapsed, decimal Projected) Numbers(JsonElement budget) => (
        budget.GetProperty("spent").GetDecimal(),
        budget.GetProperty("utilization").GetDecimal(),
        budget.GetProperty("elapsed").GetDecimal(),
        budget.GetProperty("projected").GetDecimal());

    private async Task<JsonElement> PutAsync(string body)
    {
        var answer = await _host.SendAsync(HttpMethod.Put, "/v1/usage/budget", body);
        Assert.Equal(200, answer.Status);
        return answer.Json;
    }
}
