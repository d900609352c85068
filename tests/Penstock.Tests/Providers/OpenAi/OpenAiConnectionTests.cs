using System.Diagnostics;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Providers.Http;
using Xunit;

namespace Penstock.Tests.Providers.OpenAi;

/// <summary>What goes over the connection beside the body, and when it closes.</summary>
public sealed class OpenAiConnectionTests
{
    private const string Chunk = "data: {\"id\":\"1\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    private const string Done = "data: {\"id\":\"1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    private static readonly ChatCall Streamed = OpenAiCalls.Hello with { Stream = true };
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(1);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, "text/event-stream")]
    [InlineData(false, "application/json")]
    public async Task A_request_carries_its_key_and_the_attempts_id(bool stream, string accept)
    {
        await using var server = new ReplayServer(stream ? ReplayServer.Events(Done) : ReplayServer.Json("{\"choices\":[{\"message\":{}}]}"));
        using var connections = new UpstreamConnections();

        await OpenAiCalls.FramesAsync(OpenAiCalls.Provider(server.Url, connections), OpenAiCalls.Hello with { Stream = stream }, Ct);

        var request = Assert.Single(server.Requests);
        Assert.Equal("POST /v1/chat/completions HTTP/1.1", request.Line);
        Assert.Equal($"Bearer {OpenAiCalls.Key}", request.Headers["Authorization"]);
        Assert.Equal("att_1", request.Headers["x-client-request-id"]);
        Assert.Equal(accept, request.Headers["Accept"]);
        Assert.Equal("application/json", request.Headers["Content-Type"]);
        Assert.Equal(["Accept", "Authorization", "Content-Length", "Content-Type", "Host", "x-client-request-id"], request.Headers.Keys.Order(StringComparer.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_server_without_a_key_gets_none()
    {
        await using var server = new ReplayServer(ReplayServer.Events(Done));
        using var connections = new UpstreamConnections();

        await OpenAiCalls.FramesAsync(OpenAiCalls.Provider(server.Url, connections, key: null), Streamed, Ct);

        Assert.DoesNotContain("Authorization", Assert.Single(server.Requests).Headers.Keys);
    }

    [Theory]
    [InlineData("sk-a\r\nx-evil: 1")]
    [InlineData("sk-a b")]
    [InlineData("sk-ü")]
    public void A_key_that_would_break_the_header_is_refused_without_being_shown(string key)
    {
        using var connections = new UpstreamConnections();

        var refused = Assert.Throws<ArgumentException>(() => OpenAiCalls.Provider(new Uri("http://127.0.0.1:1"), connections, key: key));

        Assert.Contains("provider 'openai'", refused.Message);
        Assert.DoesNotContain(key, refused.Message);
    }

    [Theory]
    [InlineData(true, "", "first byte")]
    [InlineData(false, "", "idle")]
    [InlineData(true, Chunk, "idle")]
    [InlineData(true, Chunk, "total")]
    public async Task A_call_that_takes_longer_than_it_may_ends_in_a_time_out(bool stream, string sent, string piece)
    {
        var allowed = new CallTimeouts(Seconds("connect"), Seconds("first byte"), Seconds("idle"), Seconds("total"));
        await using var server = new ReplayServer(sent.Length > 0 ? ReplayServer.Events(sent, end: StreamEnd.Open) : (_, _) => Task.CompletedTask);
        using var connections = new UpstreamConnections();
        var call = (OpenAiCalls.Hello with { Stream = stream }).To() with { Timeouts = allowed };

        var clock = Stopwatch.StartNew();
        var fault = await Assert.ThrowsAsync<ProviderException>(async () =>
        {
            await foreach (var _ in OpenAiCalls.Provider(server.Url, connections).ChatAsync(call, Ct)) Assert.NotEmpty(sent);
        });

        Assert.Equal(ProviderFault.TimedOut, fault.Fault);
        Assert.Contains(piece == "total" ? "did not finish within 0.3 s" : "was silent for 0.3 s", fault.Message, StringComparison.Ordinal);
        Assert.InRange(clock.Elapsed, TimeSpan.FromSeconds(0.29), TimeSpan.FromSeconds(10));

        TimeSpan Seconds(string name) => TimeSpan.FromSeconds(name == piece ? 0.3 : 60);
    }

    [Fact]
    public async Task A_stream_that_goes_on_is_ended_by_the_time_of_the_whole_call_and_by_nothing_else()
    {
        var time = new ManualTime();
        var silence = new Silence(new CallTimeouts(default, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(9)), stream: true, time, Ct);
        for (var i = 0; i < 8; i++)
        {
            time.Advance(TimeSpan.FromSeconds(0.99));
            silence.Heard();
        }

        time.Advance(TimeSpan.FromSeconds(1.07));
        Assert.False(silence.TimedOut);
        time.Advance(TimeSpan.FromSeconds(0.02));
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, silence.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        Assert.True(silence.TimedOut);
        Assert.Contains("did not finish within 9 s", silence.Fault("openai").Message, StringComparison.Ordinal);
        silence.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cancellation_closes_the_connection_within_a_second(bool stream)
    {
        var silent = (ReplayServer.Answer)((_, _) => Task.CompletedTask);
        await using var server = new ReplayServer(stream ? ReplayServer.Events(Chunk, end: StreamEnd.Open) : silent);
        using var connections = new UpstreamConnections();
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var frames = OpenAiCalls.Provider(server.Url, connections).ChatAsync((OpenAiCalls.Hello with { Stream = stream }).To(), gone.Token).GetAsyncEnumerator(gone.Token);
        if (stream) Assert.True(await frames.MoveNextAsync());
        var next = frames.MoveNextAsync().AsTask();
        await WaitAsync(() => !server.Requests.IsEmpty);

        var clock = Stopwatch.StartNew();
        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
        await server.Closed.WaitAsync(Bound, Ct);
        Assert.True(clock.Elapsed < Bound, $"took {clock.Elapsed}");
        await frames.DisposeAsync();
    }

    [Fact]
    public async Task Cancellation_between_two_frames_closes_the_connection_within_a_second()
    {
        await using var server = new ReplayServer(ReplayServer.Events(Chunk, end: StreamEnd.Open));
        using var connections = new UpstreamConnections();
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var frames = OpenAiCalls.Provider(server.Url, connections).ChatAsync(Streamed.To(), gone.Token).GetAsyncEnumerator(gone.Token);
        Assert.True(await frames.MoveNextAsync());

        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await frames.MoveNextAsync());
        await frames.DisposeAsync();
        await server.Closed.WaitAsync(Bound, Ct);
    }

    [Fact]
    public async Task An_answer_given_up_closes_the_connection_within_a_second()
    {
        await using var server = new ReplayServer(ReplayServer.Events(Chunk, end: StreamEnd.Open));
        using var connections = new UpstreamConnections();

        await foreach (var _ in OpenAiCalls.Provider(server.Url, connections).ChatAsync(Streamed.To(), Ct)) break;

        await server.Closed.WaitAsync(Bound, Ct);
    }

    [Fact]
    public async Task A_connection_serves_one_answer_after_the_other()
    {
        await using var server = new ReplayServer(ReplayServer.Events(Chunk + Done));
        using var connections = new UpstreamConnections();
        var provider = OpenAiCalls.Provider(server.Url, connections);

        for (var i = 0; i < 3; i++) await OpenAiCalls.FramesAsync(provider, Streamed, Ct);

        Assert.Equal(3, server.Requests.Count);
        Assert.Equal(1, server.Connections);
    }

    [Fact]
    public async Task Silence_is_not_waited_out()
    {
        await using var server = new ReplayServer(ReplayServer.Events(Chunk, end: StreamEnd.Open));
        using var connections = new UpstreamConnections();
        var time = new ManualTime();
        var frames = OpenAiCalls.Provider(server.Url, connections, time, idle: TimeSpan.FromMinutes(5)).ChatAsync(Streamed.To(), Ct).GetAsyncEnumerator(Ct);
        Assert.True(await frames.MoveNextAsync());
        var next = frames.MoveNextAsync().AsTask();

        time.Advance(TimeSpan.FromMinutes(6));

        Assert.Equal(ProviderFault.TimedOut, (await Assert.ThrowsAsync<ProviderException>(() => next)).Fault);
        await frames.DisposeAsync();
    }

    [Fact]
    public async Task Nobody_there_is_unreachable()
    {
        var server = new ReplayServer((_, _) => Task.CompletedTask);
        var url = server.Url;
        await server.DisposeAsync();
        using var connections = new UpstreamConnections();

        var failure = await Assert.ThrowsAsync<ProviderException>(() => OpenAiCalls.FramesAsync(OpenAiCalls.Provider(url, connections), Streamed, Ct));

        Assert.Equal(ProviderFault.Unreachable, failure.Fault);
    }

    private static async Task WaitAsync(Func<bool> condition)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        bound.CancelAfter(TimeSpan.FromSeconds(10));
        while (!condition()) await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, bound.Token);
    }
}
