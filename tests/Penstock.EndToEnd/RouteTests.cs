using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd;

/// <summary>What single routes promise beyond their shapes.</summary>
public sealed class RouteTests(Platform platform, ITestOutputHelper output) : IClassFixture<Platform>
{
    [Fact]
    public async Task Health_answers_without_a_key_and_fast()
    {
        using var anyone = platform.Client(null);
        Assert.Equal("ok", (await anyone.GetAsync("/v1/health")).GetProperty("status").GetString());
        Assert.Equal("ready", (await anyone.GetAsync("/health/ready")).GetProperty("status").GetString());
        await IsFastAsync("/health P99", 0.99, 20, 1_000, () => anyone.GetAsync("/health"));
    }

    [Theory]
    [InlineData("/v1/suggest")]
    [InlineData("/v1/complete")]
    [InlineData("/v1/chat/completions")]
    public async Task The_gateway_adds_little_to_an_instant_provider(string route)
    {
        var (_, text) = await platform.Admin.NewKeyAsync("ai:complete", "\"requestsPerSecond\":100000,\"burst\":100000");
        using var api = platform.Client(text);
        await IsFastAsync($"{route} P95", 0.95, 300, 200, () => api.JsonAsync(HttpMethod.Post, route, Samples.Body(route)));
    }

    [Fact]
    public async Task A_hundred_inputs_are_embedded_in_their_order()
    {
        var inputs = Enumerable.Range(0, 100).Select(i => $"text number {i * 7919 % 101}").ToArray();
        var answer = await platform.Admin.JsonAsync(HttpMethod.Post, "/v1/embed", JsonSerializer.Serialize(new { input = inputs, model = "text-embedding-3-small" }));
        var vectors = answer.GetProperty("embeddings").EnumerateArray().Select(vector => vector.GetRawText()).ToArray();
        Assert.Equal((100, 100), (vectors.Length, vectors.Distinct().Count()));
        foreach (var i in new[] { 0, 1, 42, 98, 99 })
        {
            var alone = await platform.Admin.JsonAsync(HttpMethod.Post, "/v1/embed", JsonSerializer.Serialize(new { input = inputs[i], model = "text-embedding-3-small" }));
            Assert.Equal(alone.GetProperty("embeddings")[0].GetRawText(), vectors[i]);
        }
    }

    [Fact]
    public async Task A_stream_ends_with_its_usage_and_then_done()
    {
        using var answer = await platform.Admin.PostAsync("/v1/stream", Samples.Chat("/v1/stream", "one two three"));
        var events = (await answer.Content.ReadAsStringAsync(Wait.Token)).TrimEnd('\n').Split("\n\n");
        Assert.Equal("data: [DONE]", events[^1]);
        var last = JsonElement.Parse(events[^2]["data: ".Length..]);
        Assert.Equal("done", last.GetProperty("type").GetString());
        var usage = last.GetProperty("usage");
        Assert.True(usage.GetProperty("outputTokens").GetInt32() > 0 && usage.GetProperty("cost").GetDecimal() > 0);
        Assert.Equal(usage.GetProperty("totalTokens").GetInt32(), usage.GetProperty("inputTokens").GetInt32() + usage.GetProperty("outputTokens").GetInt32());
        var text = string.Concat(events[..^2].Select(line => JsonElement.Parse(line["data: ".Length..])).Where(json => json.GetProperty("type").GetString() == "text").Select(json => json.GetProperty("text").GetString()));
        Assert.Equal("You said: one two three", text);
    }

    [Fact]
    public async Task Metrics_name_no_key_and_count_what_was_booked()
    {
        var (id, text) = await platform.Admin.NewKeyAsync("ai:complete");
        using var api = platform.Client(text);
        await api.JsonAsync(HttpMethod.Post, "/v1/complete", Samples.Chat("/v1/complete", "hi", model: "openai/gpt-4o-mini"));
        using var answer = await api.SendAsync(HttpMethod.Get, "/metrics");
        var metrics = await answer.Content.ReadAsStringAsync(Wait.Token);
        Assert.DoesNotContain(id, metrics, StringComparison.Ordinal);
        Assert.Contains("gen_ai_client_token_usage_count{", metrics, StringComparison.Ordinal);
        Assert.Contains("gen_ai_provider_name=\"openai\"", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_route_or_no_method_of_it_says_so()
    {
        using var nowhere = await platform.Admin.SendAsync(HttpMethod.Get, "/v1/nowhere");
        using var wrong = await platform.Admin.SendAsync(HttpMethod.Delete, "/v1/complete");
        Assert.Equal("route_not_found", JsonElement.Parse(await nowhere.Content.ReadAsStringAsync(Wait.Token)).GetProperty("code").GetString());
        Assert.Equal("method_not_allowed", JsonElement.Parse(await wrong.Content.ReadAsStringAsync(Wait.Token)).GetProperty("code").GetString());
    }

    /// <summary>The best of three: other work on the machine may disturb one measurement, not all.</summary>
    private async Task IsFastAsync(string what, double share, double limit, int calls, Func<Task> call)
    {
        var measured = new List<double>();
        for (var round = 0; round < 3; round++)
        {
            var times = new double[calls];
            for (var i = 0; i < calls; i++)
            {
                var started = Stopwatch.GetTimestamp();
                await call();
                times[i] = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
            }

            Array.Sort(times);
            measured.Add(times[(int)(share * (calls - 1))]);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {measured[^1]:0.0} ms, median {times[calls / 2]:0.00} ms"));
            if (measured[^1] < limit) return;
        }

        Assert.Fail($"{what} is {string.Join(", ", measured)} ms; the limit is {limit} ms");
    }
}
