using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Routing;

/// <summary>A target is asked again only after a wait, as long as it asked for, and no more often than its budget allows; the client's stream stays open meanwhile.</summary>
public sealed class RetryTests : IAsyncLifetime
{
    private const string First = "gpt-4o-mini";
    private const string Ping = ": ping\n\n";

    private readonly ManualTime _time = new();
    private readonly Queue<ProviderException?> _firsts = [];
    private readonly Queue<ProviderException?> _seconds = [];
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await StartAsync("{}");
        _host.Script.Chat = (call, _) => (call.Model == First ? _firsts : _seconds).TryDequeue(out var failure) && failure is not null
            ? Frames.Then(failure)
            : call.Call.Stream ? Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5))) : Frames.Of(Frames.End(TokenCounts.Of(10, 5)));
    }

    public async ValueTask DisposeAsync()
    {
        await GatewayHost.UntilAsync(() => _host.Script.Open == 0, "a vendor's answer was never left");
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData(ProviderFault.Broken, 500, "provider_failed")]
    [InlineData(ProviderFault.Limited, 429, "provider_rate_limited")]
    [InlineData(ProviderFault.Unreachable, null, "provider_unreachable")]
    public async Task What_passes_is_tried_again_after_a_wait(ProviderFault fault, int? status, string code)
    {
        _firsts.Enqueue(new ProviderException(fault, "no", status));
        var began = _time.GetUtcNow();

        var answer = await InTimeAsync(_host.ChatAsync());

        Assert.Equal((200, $"retry 1: {code}"), (answer.Status, answer.Headers["x-penstock-route"]));
        Assert.InRange(_time.GetUtcNow() - began, TimeSpan.FromSeconds(0.125), TimeSpan.FromSeconds(2));
        Assert.Equal([$"retry 1: {code}", null], (await _host.RowsAsync()).Select(row => row.Decision).OrderDescending());
    }

    [Theory]
    [InlineData(ProviderFault.Rejected, 400)]
    [InlineData(ProviderFault.ModelUnknown, 404)]
    [InlineData(ProviderFault.Unauthorized, 401)]
    [InlineData(ProviderFault.QuotaSpent, 402)]
    public async Task What_does_not_pass_is_told_at_once(ProviderFault fault, int status)
    {
        _firsts.Enqueue(new ProviderException(fault, "no", status));

        Assert.NotEqual(200, (await _host.ChatAsync()).Status);
        Assert.Single(_host.Script.Calls);
    }

    [Fact]
    public async Task A_provider_that_asks_for_a_little_time_gets_it_from_everybody()
    {
        _firsts.Enqueue(new ProviderException(ProviderFault.Limited, "slow down", 429, retryAfter: TimeSpan.FromSeconds(3)));
        var asked = new List<Task<Answer>> { _host.ChatAsync() };
        await GatewayHost.UntilAsync(async () => (await _host.RowsAsync()).Count == 1);
        for (var i = 0; i < 4; i++) asked.Add(_host.ChatAsync());

        // Long enough for all of them to have called, if they would.
        for (var i = 0; i < 29; i++) await TickAsync(TimeSpan.FromSeconds(0.1));
        Assert.Single(_host.Script.Calls);

        var answers = await InTimeAsync(Task.WhenAll(asked));
        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Equal(6, _host.Script.Calls.Count);
    }

    [Fact]
    public async Task A_provider_that_asks_for_more_than_we_wait_is_not_called_until_then_by_anybody()
    {
        _firsts.Enqueue(new ProviderException(ProviderFault.Limited, "slow down", 429, retryAfter: TimeSpan.FromSeconds(60)));

        var first = await _host.ChatAsync();
        _time.Advance(TimeSpan.FromSeconds(20));
        var second = await _host.ChatAsync();

        Assert.Equal((429, "60", 429, "40"), (first.Status, first.Headers["Retry-After"], second.Status, second.Headers["Retry-After"]));
        Assert.Single(_host.Script.Calls);
        _time.Advance(TimeSpan.FromSeconds(40));
        Assert.Equal(200, (await _host.ChatAsync()).Status);
    }

    [Fact]
    public async Task All_targets_are_tried_before_one_is_tried_again()
    {
        _firsts.Enqueue(new ProviderException(ProviderFault.Broken, "no", 500));
        _seconds.Enqueue(new ProviderException(ProviderFault.Overloaded, "no", 529));
        _firsts.Enqueue(new ProviderException(ProviderFault.Broken, "no", 500));

        var answer = await InTimeAsync(_host.ChatAsync("pair"));

        Assert.Equal((200, "retry 1: provider_overloaded"), (answer.Status, answer.Headers["x-penstock-route"]));
        Assert.Equal([First, "gpt-4.1", First, "gpt-4.1"], _host.Script.Calls.Select(call => call.Model));
        Assert.Equal(4, (await _host.RowsAsync()).Count);
    }

    [Fact]
    public async Task However_many_ask_a_target_that_always_fails_is_asked_again_no_more_than_its_budget_allows()
    {
        await using var host = await StartAsync("""{"failuresToOpen": 1000, "failurePercentToOpen": 100}""");
        host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Broken, "no", 500));
        for (var i = 0; i < 20; i++) Assert.Equal(502, (await InTimeAsync(host.ChatAsync())).Status);

        Assert.Equal(20 + 3, host.Script.Calls.Count);
    }

    [Fact]
    public async Task A_429_without_a_time_lets_others_be_asked_first_for_a_moment()
    {
        _firsts.Enqueue(new ProviderException(ProviderFault.Limited, "slow down", 429));
        for (var i = 0; i < 5; i++) Assert.Equal("gpt-4.1", (await _host.ChatAsync("pair")).Headers["x-penstock-model"]);
        Assert.Single(_host.Script.Calls, call => call.Model == First);

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(First, (await _host.ChatAsync("pair")).Headers["x-penstock-model"]);
    }

    [Fact]
    public async Task A_fallback_after_a_ping_is_one_stream_and_its_head_names_nobody()
    {
        var gate = new TaskCompletionSource();
        _host.Script.Chat = (call, _) => call.Model == First ? LateAsync(gate.Task) : Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5)));
        using var stream = await OpenAsync("pair");
        await stream.ReadUntilAsync(Ping);
        gate.SetResult();

        var text = await stream.ReadToEndAsync();

        Assert.Equal((null, null, null), (stream.Header("x-penstock-provider"), stream.Header("x-penstock-model"), stream.Header("x-penstock-route")));
        Assert.DoesNotContain("error", text, StringComparison.Ordinal);
        Assert.Equal((2, 2), (text.Split("\"role\":\"assistant\"").Length, text.Split("data: [DONE]\n\n").Length));
        Assert.Contains("Hello", text, StringComparison.Ordinal);
        Assert.Equal(["fallback from openai/gpt-4o-mini: provider_overloaded", null], (await _host.RowsAsync()).Select(row => row.Decision).OrderDescending());
    }

    [Fact]
    public async Task Where_nobody_else_could_answer_a_ping_names_who_will()
    {
        var gate = new TaskCompletionSource();
        _host.Script.Chat = (_, _) => LateAsync(gate.Task);
        using var stream = await OpenAsync(First);

        Assert.Equal(("openai", First), (stream.Header("x-penstock-provider"), stream.Header("x-penstock-model")));
        gate.SetResult();
        // The wait before the retry is a silence like any other.
        await InTimeAsync(stream.ReadUntilAsync("provider_overloaded"));
    }

    [Fact]
    public async Task If_all_fail_after_a_ping_the_stream_ends_with_an_error_of_its_dialect()
    {
        await using var host = await StartAsync("""{"retries": 0}""");
        var gate = new TaskCompletionSource();
        host.Script.Chat = (call, _) => call.Model == First ? LateAsync(gate.Task) : Frames.Then(new ProviderException(ProviderFault.Broken, "also", 500));
        using var stream = await OpenAsync("pair", host);
        await stream.ReadUntilAsync(Ping);
        gate.SetResult();

        Assert.EndsWith("""data: {"error":{"message":"busy","type":"server_error","param":null,"code":"provider_overloaded"}}""" + "\n\n", await stream.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(2, (await host.RowsAsync()).Count);
    }

    [Fact]
    public async Task The_wait_before_a_retry_is_bridged_by_pings()
    {
        _firsts.Enqueue(new ProviderException(ProviderFault.Limited, "slow down", 429, retryAfter: TimeSpan.FromSeconds(5)));
        using var stream = await OpenAsync(First);

        await InTimeAsync(stream.ReadUntilAsync(Ping + Ping + Ping));
        await InTimeAsync(stream.ReadUntilAsync("[DONE]"));
        Assert.Contains("Hello", stream.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_leaves_while_we_wait_is_the_end()
    {
        _firsts.Enqueue(new ProviderException(ProviderFault.Limited, "slow down", 429, retryAfter: TimeSpan.FromSeconds(5)));
        var stream = await OpenAsync(First);
        stream.Dispose();

        await GatewayHost.UntilAsync(
            async () => (await _host.GetAsync("/metrics", null)).Body.Contains("http_server_active_requests{url_scheme=\"http\",http_request_method=\"POST\"} 0", StringComparison.Ordinal), "the request is still active");
        for (var i = 0; i < 20; i++) await TickAsync(TimeSpan.FromSeconds(0.5));
        Assert.Single(_host.Script.Calls);
        Assert.Single(await _host.RowsAsync());
    }

    private static async IAsyncEnumerable<ProviderFrame> LateAsync(Task gate)
    {
        await gate;
        foreach (var none in Array.Empty<ProviderFrame>()) yield return none;
        throw new ProviderException(ProviderFault.Overloaded, "busy", 529);
    }

    private Task<GatewayHost> StartAsync(string routing) => GatewayHost.StartAsync(
        _time, $$"""{"models": {"pair": {"targets": ["openai/gpt-4o-mini", "openai/gpt-4.1"]} }, "routing": {{routing}}, "limits": {"burst": 10000, "requestsPerSecond": 10000} }""");

    private async Task<OpenStream> OpenAsync(string model, GatewayHost? host = null)
    {
        var opening = OpenStream.OpenAsync(host ?? _host, GatewayHost.Chat(model, stream: true));
        await InTimeAsync(opening);
        return await opening;
    }

    private async Task<T> InTimeAsync<T>(Task<T> task)
    {
        await InTimeAsync((Task)task);
        return await task;
    }

    private async Task InTimeAsync(Task task)
    {
        while (!task.IsCompleted) await TickAsync(TimeSpan.FromSeconds(0.05));
        await task;
    }

    /// <summary>Time passes here, and a moment outside for what that sets off.</summary>
    private async Task TickAsync(TimeSpan by)
    {
        _time.Advance(by);
        await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, CancellationToken.None);
    }
}
