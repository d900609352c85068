using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Load;

/// <summary>
/// Providers that fail, under load, on real sockets: what the client sees, how often they are called for it, and that the books hold. Each test has targets of
/// its own, as their states are the server's.
/// </summary>
public sealed class FailoverTests(FailoverTests.Failing platform, ITestOutputHelper output) : IClassFixture<FailoverTests.Failing>
{
    private const int InFlight = 16;
    private const double MostCallsPerItem = 1.2;

    [Theory]
    [InlineData("shy", "gpt-4o-mini", "[[flaky:429:percent=50:on=gpt-4o-mini]]", MostCallsPerItem)]
    [InlineData("timed", "gpt-4.1-mini", "[[flaky:429:percent=50:retry-after=1:on=gpt-4.1-mini]]", MostCallsPerItem)]
    // A circuit opens at five failures in a row, which chance brings now and then; while it is closed, half of the items take a second call, to the other target.
    [InlineData("torn", "gpt-4.1", "[[flaky:500:percent=50:on=gpt-4.1]]", 1.6)]
    public async Task A_provider_that_fails_every_other_call_is_covered_by_another_and_is_not_stormed(string alias, string model, string marker, double most)
    {
        var (results, calls) = await RunAsync(alias, marker, 600);

        var answered = results.Count(result => result == HttpStatusCode.OK);
        output.WriteLine($"{alias}: {answered} of {results.Count} answered, {calls.Count} calls, {calls.Count(call => call.Model == model)} of them at the first target, {calls.Count(call => call.Status >= 400)} failed");
        Assert.True(answered >= results.Count * 0.99, $"{answered} of {results.Count} answered");
        Assert.InRange(calls.Count(call => call.Model == model), 1, results.Count * MostCallsPerItem);
        Assert.InRange(calls.Count, results.Count, results.Count * most);
        Assert.Contains(calls, call => call is { Model: "claude-haiku-4-5", Path: "/v1/messages", Status: 200 });
    }

    [Theory]
    [InlineData("gpt-4o", "[[flaky:429:percent=50]]", 0.4)]
    [InlineData("gpt-4.1-nano", "[[flaky:503:percent=50]]", 0)]
    [InlineData("gpt-5-mini", "[[status:429]]", 0)]
    public async Task A_provider_that_is_alone_is_not_stormed_either(string model, string marker, double least)
    {
        var (results, calls) = await RunAsync(model, marker, 300);

        output.WriteLine($"{model}: {results.Count(result => result == HttpStatusCode.OK)} of {results.Count} answered, {calls.Count} calls");
        Assert.InRange(calls.Count, 1, results.Count * MostCallsPerItem);
        Assert.True(results.Count(result => result == HttpStatusCode.OK) >= least * results.Count, "what it would have answered was not asked");
        Assert.All(results, result => Assert.Contains(result, new[] { HttpStatusCode.OK, HttpStatusCode.TooManyRequests, HttpStatusCode.ServiceUnavailable }));
    }

    [Fact]
    public async Task A_provider_that_is_down_costs_nobody_an_answer()
    {
        var (results, calls) = await RunAsync("down", "[[status:500:on=gpt-5]]", 600);

        var answered = results.Count(result => result == HttpStatusCode.OK);
        output.WriteLine($"down: {answered} of {results.Count} answered, {calls.Count(call => call.Model == "gpt-5")} calls at the one that is down");
        Assert.True(answered >= results.Count * 0.99, $"{answered} of {results.Count} answered");
        // Five open it, beside those that were under way then; after that one probes it each second.
        Assert.InRange(calls.Count(call => call.Model == "gpt-5"), 5, 5 + InFlight + 60);
    }

    [Fact]
    public async Task A_circuit_opens_fails_fast_probes_and_closes()
    {
        const string Model = "o4-mini";
        using var api = platform.Client(platform.Server.Options.AdminKey);
        var failed = 0;
        for (; failed < 10 && await StateAsync(Model) == "closed"; failed++) Assert.NotEqual(HttpStatusCode.OK, (await AskAsync(api, "once-o4", "[[status:500]] x")).Status);
        Assert.InRange(failed, 1, 5);
        Assert.Equal("open", await StateAsync(Model));

        var seen = platform.Upstream.Seen.Count;
        var times = new List<double>();
        for (var i = 0; i < 50; i++)
        {
            var began = Stopwatch.GetTimestamp();
            var (status, retryAfter) = await AskAsync(api, "once-o4", "x");
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            Assert.Equal((HttpStatusCode.ServiceUnavailable, true), (status, retryAfter is not null));
            if (await StateAsync(Model) != "open") break;
        }

        times.Sort();
        output.WriteLine(FormattableString.Invariant($"refused in {times[times.Count / 2]:0.0} ms (median), {times[^1]:0.0} ms (most) of {times.Count}"));
        Assert.True(times[times.Count / 2] < 10, $"{times[times.Count / 2]} ms");
        Assert.Equal(seen, platform.Upstream.Seen.Count);

        await Wait.UntilAsync(async () => await StateAsync(Model) == "half_open", TimeSpan.FromSeconds(10), () => "its time is up");
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(api, "once-o4", "x")).Status);
        Assert.Equal("closed", await StateAsync(Model));
    }

    private async Task<(IReadOnlyList<HttpStatusCode> Results, IReadOnlyList<SeenCall> Calls)> RunAsync(string model, string marker, int items)
    {
        var seen = platform.Upstream.Seen.Count;
        var results = new ConcurrentBag<HttpStatusCode>();
        using var api = platform.Client(platform.Server.Options.AdminKey);
        await Parallel.ForEachAsync(Enumerable.Range(0, items), new ParallelOptions { MaxDegreeOfParallelism = InFlight, CancellationToken = Wait.Token }, async (item, _) =>
            results.Add((await AskAsync(api, model, $"{marker} item {item}", stream: item % 2 == 0)).Status));
        var calls = platform.Upstream.Seen.All();
        // Every call is booked once, and nothing else is.
        Assert.Equal(calls.Select(call => call.ClientRequestId).Order(StringComparer.Ordinal), (await Entry.AllAsync(platform.Admin)).Select(row => row.Attempt).Order(StringComparer.Ordinal));
        return ([.. results], [.. calls.Skip(seen)]);
    }

    private static async Task<(HttpStatusCode Status, string? RetryAfter)> AskAsync(Api api, string model, string text, bool stream = false)
    {
        using var answer = await api.PostAsync("/v1/chat/completions", $$"""{"model":"{{model}}","stream":{{(stream ? "true" : "false")}},"messages":[{"role":"user","content":"{{text}}"}]}""");
        var body = await answer.Content.ReadAsStringAsync(Wait.Token);
        // A stream that broke is no answer.
        if (stream && answer.IsSuccessStatusCode && body.Contains("\"error\"", StringComparison.Ordinal)) return (HttpStatusCode.BadGateway, null);
        return (answer.StatusCode, answer.Headers.TryGetValues("Retry-After", out var after) ? after.Single() : null);
    }

    private async Task<string?> StateAsync(string model) => (await platform.Admin.GetAsync("/v1/admin/targets")).GetProperty("targets").EnumerateArray()
        .Where(target => target.GetProperty("target").GetString() == $"openai/{model}").Select(target => target.GetProperty("state").GetString()).Single();

    public sealed class Failing : Platform
    {
        internal override string? Config => """
            {
              "models": {
                "shy": { "targets": ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"] },
                "timed": { "targets": ["openai/gpt-4.1-mini", "anthropic/claude-haiku-4-5"] },
                "torn": { "targets": ["openai/gpt-4.1", "anthropic/claude-haiku-4-5"] },
                "down": { "targets": ["openai/gpt-5", "anthropic/claude-haiku-4-5"] },
                "once-o4": { "target": "openai/o4-mini" }
              },
              "routing": { "openSeconds": 1, "longestOpenSeconds": 1, "retryWithinSeconds": 5, "backoffSeconds": 0.1 },
              "limits": { "requestsPerSecond": 1000000, "burst": 1000000 }
            }
            """;
    }
}
