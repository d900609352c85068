using System.Text.Json;
using Penstock.EndToEnd.Crash;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Regressions;

/// <summary>
/// Failures of other gateways that became public: what a provider said it metered, and what was charged. Each is named after its report, and each runs
/// whole and streamed, from the provider's wire to the ledger.
/// </summary>
public sealed class MeterFailureTests(Platform platform) : IClassFixture<Platform>
{
    private const long NanosPerDollar = 1_000_000_000;

    /// <summary>https://github.com/BerriAI/litellm/issues/37992: a provider's zero is taken for none, and an estimate is charged in its place.</summary>
    [Theory]
    [MemberData(nameof(Wires))]
    public async Task Explicit_zero_usage_replaced_by_an_estimate(string route, string model, bool stream)
    {
        var (row, _) = await CallAsync(route, model, "[[zero-usage]] say something", stream);

        Assert.Equal((0, 0, 0m, false, "completed"), (row.Input, row.Output, row.Cost, row.Estimated, row.Outcome));
    }

    /// <summary>https://github.com/QuantumNous/new-api/issues/5235: a stream ends without its usage, and the whole reservation is given back.</summary>
    [Theory]
    [MemberData(nameof(Wires))]
    public async Task Missing_usage_refunded(string route, string model, bool stream)
    {
        var (row, spent) = await CallAsync(route, model, "[[no-usage]] say something of some length", stream);

        Assert.True(row is { Estimated: true, Input: > 0, Output: > 0, Cost: > 0 }, $"{row}");
        Assert.Equal(row.Cost, spent);
    }

    /// <summary>https://github.com/BerriAI/litellm/issues/9812: cached tokens are charged as cached, and once more as input.</summary>
    [Theory]
    [MemberData(nameof(Wires))]
    public async Task Cached_tokens_charged_twice(string route, string model, bool stream)
    {
        var (row, spent) = await CallAsync(route, model, "[[cached:10000]] hi", stream);

        var (input, read, output) = model == "gpt-4o-mini" ? (150, 75, 600) : (1000, 100, 5000);
        Assert.Equal(10_000, row.CacheRead);
        Assert.Equal(((row.Input - row.CacheRead) * input) + (10_000 * read) + (row.Output * output), Nanos(row.Cost));
        Assert.InRange(row.Input, 10_001, 10_020);
        Assert.Equal(row.Cost, spent);
    }

    /// <summary>https://github.com/earendil-works/pi/issues/5737: what a cache keeps for an hour costs 2 × input, and is charged as five minutes, 1.25 ×.</summary>
    [Theory]
    [InlineData("/v1/messages", false)]
    [InlineData("/v1/messages", true)]
    [InlineData("/v1/chat/completions", false)]
    [InlineData("/v1/chat/completions", true)]
    public async Task Cache_write_1h_at_the_5m_price(string route, bool stream)
    {
        var (row, spent) = await CallAsync(route, "claude-haiku-4-5", "[[cache-write-1h:10000]] [[cache-write:1000]] hi", stream);

        Assert.Equal(11_000, row.CacheWrite);
        Assert.Equal(((row.Input - row.CacheWrite) * 1000) + (1_000 * 1250) + (10_000 * 2000) + (row.Output * 5000), Nanos(row.Cost));
        Assert.Equal(row.Cost, spent);
    }

    /// <summary>https://github.com/BerriAI/litellm/issues/34805 and 38157: what was spent and not yet written is lost where the server is asked to stop.</summary>
    [Fact]
    public async Task Spend_lost_on_sigterm()
    {
        await using var run = new CrashRun(kills: 0, seed: 5, TestContext.Current.SendDiagnosticMessage);
        await run.StopUnderLoadAsync();
    }

    public static TheoryData<string, string, bool> Wires()
    {
        var wires = new TheoryData<string, string, bool>();
        foreach (var route in new[] { "/v1/chat/completions", "/v1/messages" })
        {
            foreach (var model in new[] { "gpt-4o-mini", "claude-haiku-4-5" })
            {
                wires.Add(route, model, false);
                wires.Add(route, model, true);
            }
        }

        return wires;
    }

    /// <returns>The ledger's row, and what a budget of that key says it spent.</returns>
    private async Task<(Entry Row, decimal Spent)> CallAsync(string route, string model, string text, bool stream)
    {
        var (id, key) = await platform.Admin.NewKeyAsync("ai:complete", "\"monthlyBudget\":100");
        using var api = platform.Client(key);
        using var answer = await api.PostAsync(route, Samples.Chat(route, text, stream, model));
        var body = await answer.Content.ReadAsStringAsync(Wait.Token);
        Assert.True(answer.IsSuccessStatusCode, body);
        var row = Assert.Single(await Entry.AllAsync(platform.Admin), row => row.Key == id);
        var budget = await api.GetAsync("/v1/usage/budget");
        Assert.Equal(0, Money(budget, "held"));
        return (row, Money(budget, "spent"));
    }

    private static decimal Money(JsonElement of, string name) => of.GetProperty(name).GetDecimal();

    private static long Nanos(decimal usd) => (long)(usd * NanosPerDollar);
}
