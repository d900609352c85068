using Penstock.Gateway;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Http;

public sealed class MetricsTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync(config: """{"gateway": {"allowUnpriced": true}}""");

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task What_is_shown_is_Prometheus_text_and_adds_up()
    {
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(new TokenCounts(100, 20, 3, 4, 50, 60)));
        for (var i = 0; i < 3; i++) await _host.ChatAsync(stream: true);

        var answer = await _host.GetAsync("/metrics", key: null);

        Assert.Equal((200, "text/plain; version=0.0.4; charset=utf-8"), (answer.Status, answer.Headers["Content-Type"]));
        var samples = PrometheusText.Parse(answer.Body);
        Assert.Equal((3 * 127, 3), (Tokens(samples, "_sum", "input"), Tokens(samples, "_count", "input")));
        Assert.Equal(3 * 110, Tokens(samples, "_sum", "output"));
        // 100 × 150 + 20 × 75 + 7 × 150 + 110 × 600 nano-dollars, three times.
        Assert.Equal(0.00025065, Assert.Single(samples, sample => sample.Name == "penstock_cost_total").Value, 1e-12);
        Assert.Equal(3, Assert.Single(samples, sample => sample.Name == "gen_ai_client_operation_duration_seconds_count").Value);
        Assert.Equal(3, Assert.Single(samples, sample => sample.Name == "gen_ai_server_time_to_first_token_seconds_count").Value);
        Assert.Contains(samples, sample => sample.Name == "http_server_request_duration_seconds_count");
        Assert.Contains(samples, sample => sample.Name.StartsWith("dotnet_", StringComparison.Ordinal));
        Assert.Contains(samples, sample => sample.Name.StartsWith("kestrel_", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_clients_and_vendors_name_makes_no_labels_without_end()
    {
        for (var i = 0; i < 20; i++)
        {
            var (code, number) = ($"code\"\\\n{i}", i);
            _host.Script.Chat = (_, _) => number % 2 == 0 ? Frames.Of(Frames.End(TokenCounts.Of(1, 1))) : Frames.Then(new ProviderException(ProviderFault.Rejected, "no", 400, code));
            await _host.ChatAsync($"openai/made-up-{i / 2}");
            await _host.GetAsync($"/made-up-{i}");
            await _host.SendAsync(new HttpMethod($"MADEUP{i}"), "/health");
        }

        var answer = await _host.GetAsync("/metrics");

        var ours = PrometheusText.Parse(answer.Body).Where(sample => sample.Name.StartsWith("gen_ai", StringComparison.Ordinal)).ToArray();
        Assert.Equal(["other"], ours.Select(sample => sample.Labels["gen_ai_request_model"]).Distinct());
        Assert.Single(ours.Where(sample => sample.Labels.ContainsKey("error_type")).Select(sample => sample.Labels["error_type"]).Distinct());
        Assert.DoesNotContain("made-up", answer.Body, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("MADEUP", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_key_tenant_user_or_conversation_is_a_label()
    {
        await _host.AddKeyAsync("somekey");
        await _host.PostAsync("/v1/complete", """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}], "user": "someuser", "conversation": "someconversation"}""", Penstock.Tests.Keys.Callers.Text("somekey").Text);

        var answer = await _host.GetAsync("/metrics");

        Assert.DoesNotContain("some", answer.Body.Split('\n').Where(line => !line.StartsWith('#')).SelectMany(line => line.Split('"')));
        Assert.DoesNotContain("somekey", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("someuser", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("someconversation", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_servers_metrics_are_not_anothers()
    {
        await using var other = await GatewayHost.StartAsync();
        for (var i = 0; i < 5; i++) await other.ChatAsync();
        await _host.ChatAsync();

        Assert.Equal(1, Tokens(PrometheusText.Parse((await _host.GetAsync("/metrics")).Body), "_count", "input"));
        Assert.Equal(5, Tokens(PrometheusText.Parse((await other.GetAsync("/metrics")).Body), "_count", "input"));
    }

    [Theory]
    [InlineData("a 1\n")]
    [InlineData("# TYPE a gauge\n# TYPE a gauge\na 1\n")]
    [InlineData("# TYPE a gauge\nb 1\n")]
    [InlineData("# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n")]
    [InlineData("# TYPE a gauge\na{x=\"\"\"} 1\n")]
    [InlineData("# TYPE a gauge\na one\n")]
    [InlineData("# TYPE a counter\na 1\n")]
    [InlineData("# TYPE a gauge\na 1\na 1\n")]
    [InlineData("# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n")]
    [InlineData("# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n")]
    public void The_reader_itself_refuses_what_is_wrong(string text) => Assert.ThrowsAny<Exception>(() => PrometheusText.Parse(text));

    private static double Tokens(IReadOnlyList<Sample> samples, string suffix, string type) =>
        Assert.Single(samples, sample => sample.Name == "gen_ai_client_token_usage" + suffix && sample.Labels["gen_ai_token_type"] == type).Value;
}
