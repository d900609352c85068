using System.Collections.Concurrent;
using System.Diagnostics;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Keys;
using Xunit;

namespace Penstock.Tests.Gateway;

/// <summary>The order of the steps, as their spans show it; each failure has a status of its own and nothing after it happens.</summary>
public sealed class PipelineOrderTests : IAsyncLifetime
{
    private readonly ConcurrentQueue<(ActivityTraceId Trace, string Step)> _started = [];
    private readonly ActivityListener _listener;
    private GatewayHost _host = null!;

    public PipelineOrderTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is Steps.SourceName or "Microsoft.AspNetCore",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStarted = activity =>
            {
                if (activity.Source.Name == Steps.SourceName) _started.Enqueue((activity.TraceId, activity.OperationName));
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync(config: """{"gateway": {"maxBodyBytes": 2000}}""");

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_call_that_is_answered_takes_every_step_in_order(bool stream)
    {
        var (answer, steps) = await SendAsync(GatewayHost.Chat(stream: stream));

        Assert.Equal(200, answer.Status);
        Assert.Equal("authenticate limit validate route reserve call settle", steps);
    }

    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/messages")]
    [InlineData("/v1/complete")]
    [InlineData("/v1/stream")]
    public async Task Every_dialect_takes_the_same_steps(string path)
    {
        var body = path == "/v1/messages" ? """{"model": "gpt-4o-mini", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}""" : """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]}""";

        var (answer, steps) = await SendAsync(body, path: path);

        Assert.True(answer.Status == 200, answer.Body);
        Assert.Equal("authenticate limit validate route reserve call settle", steps);
    }

    [Fact]
    public Task Nobody_is_401_before_anything_else() => FailsAsync(401, "authenticate", "{nonsense", key: null);

    [Fact]
    public async Task A_key_without_the_scope_is_403_before_its_limit() => await FailsAsync(403, "authenticate", "{nonsense", await _host.AddKeyAsync("embeds", Scopes.Embed));

    [Fact]
    public async Task Too_often_is_429_before_the_body_is_read()
    {
        var key = await _host.AddKeyAsync("slow", Scopes.Complete, record => record with { RequestsPerSecond = 1, Burst = 1 });
        await FailsAsync(400, "authenticate limit validate", "{nonsense", key);

        var answer = await FailsAsync(429, "authenticate limit", "{nonsense", key);

        Assert.Equal(("1", "1000"), (answer.Headers["Retry-After"], answer.Headers["retry-after-ms"]));
    }

    [Fact]
    public Task A_body_that_is_no_request_is_400_before_it_is_routed() => FailsAsync(400, "authenticate limit validate", """{"model": "nobody"}""");

    [Fact]
    public Task A_body_too_large_is_413_before_it_is_routed() => FailsAsync(413, "authenticate limit validate", new string(' ', 2001));

    [Fact]
    public async Task A_spent_budget_is_402_before_the_provider_is_called() =>
        await FailsAsync(402, "authenticate limit validate route reserve", GatewayHost.Chat("gpt-4"), await _host.AddKeyAsync("poor", Scopes.Complete, record => record with { MonthlyBudget = new Money(1) }));

    [Fact]
    public Task A_model_that_is_nobodys_is_404_before_it_is_called() => FailsAsync(404, "authenticate limit validate route", GatewayHost.Chat("nobody"));

    [Fact]
    public async Task A_model_the_key_may_not_use_is_403_before_it_is_called() =>
        await FailsAsync(403, "authenticate limit validate route", GatewayHost.Chat("gpt-4"), await _host.AddKeyAsync("listed", Scopes.Complete, record => record with { Models = ["fast"] }));

    [Fact]
    public async Task What_cannot_cross_is_400_before_it_is_called()
    {
        _host.Script.Objects = _ => Refusal.CannotCross("seed", "Scripted");

        var answer = await FailsAsync(400, "authenticate limit validate route", GatewayHost.Chat());

        Assert.Equal("seed", answer.Text("error", "param"));
    }

    [Fact]
    public async Task A_vendors_refusal_is_settled_too()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Overloaded, "busy", 529));

        var (answer, steps) = await SendAsync(GatewayHost.Chat());

        Assert.Equal(503, answer.Status);
        Assert.StartsWith("authenticate limit validate route reserve call", steps, StringComparison.Ordinal);
        Assert.Single(await _host.RowsAsync());
    }

    private async Task<Answer> FailsAsync(int status, string steps, string body, string? key = GatewayHost.OperatorKey)
    {
        var (answer, taken) = await SendAsync(body, key);

        Assert.True(status == answer.Status, $"{answer.Status} {answer.Body}");
        Assert.Equal(steps, taken);
        Assert.Empty(_host.Script.Calls);
        Assert.Empty(await _host.RowsAsync());
        return answer;
    }

    private async Task<(Answer Answer, string Steps)> SendAsync(string body, string? key = GatewayHost.OperatorKey, string path = "/v1/chat/completions")
    {
        var trace = ActivityTraceId.CreateRandom();
        var answer = await _host.SendAsync(HttpMethod.Post, path, body, key, ("traceparent", $"00-{trace}-0000000000000001-01"));
        return (answer, string.Join(' ', _started.Where(step => step.Trace == trace).Select(step => step.Step)));
    }
}
