using System.Text.Json;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd;

/// <summary>What a collector is told of a request.</summary>
public sealed class TraceTests
{
    private const string Trace = "0af7651916cd43dd8448eb211c80319c";
    private const string Prompt = "a prompt that nobody else may read";

    [Fact]
    public async Task A_call_is_one_trace_with_a_span_of_each_step_and_no_text_of_its_own()
    {
        await using var collector = await SpanCollector.StartAsync(Wait.Token);
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        var environment = new Dictionary<string, string?>(ServerOptions.Reaching(upstream)) { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Address.ToString() };
        await using var server = await ServerProcess.StartAsync(new ServerOptions { Environment = environment });
        using var client = new HttpClient { BaseAddress = server.Address };
        using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions");
        ask.Headers.Authorization = new("Bearer", server.Options.AdminKey);
        ask.Headers.Add("traceparent", $"00-{Trace}-b7ad6b7169203331-01");
        ask.Headers.Add("x-penstock-cache", "on");
        ask.Content = new StringContent(JsonSerializer.Serialize(new { model = "gpt-4o-mini", messages = new[] { new { role = "user", content = Prompt } } }), null, "application/json");
        using var answer = await client.SendAsync(ask, Wait.Token);
        Assert.True(answer.IsSuccessStatusCode);
        await server.StopAsync();

        var spans = collector.Spans.Where(span => span.Trace == Trace).ToArray();
        var request = Assert.Single(spans, span => span.Parent == "b7ad6b7169203331");
        Assert.Equal("POST", request.Tags["http.request.method"]);
        Assert.Equal("/v1/chat/completions", request.Tags["url.path"]);
        foreach (var step in (string[])["authenticate", "limit", "validate", "route", "cache", "reserve", "call", "settle", "keep"]) Assert.Single(spans, span => span.Name == step);
        Assert.All(spans.Where(span => span.Name is "cache" or "call" or "keep"), span => Assert.Contains(spans, parent => parent.Id == span.Parent));
        var call = spans.Single(span => span.Name == "call");
        Assert.Equal(("openai", "gpt-4o-mini"), (call.Tags["gen_ai.provider.name"], call.Tags["gen_ai.request.model"]));
        Assert.DoesNotContain(spans, span => span.Tags.Values.Any(value => value.Contains(Prompt, StringComparison.Ordinal) || value.Contains(server.Options.AdminKey, StringComparison.Ordinal)));
    }
}
