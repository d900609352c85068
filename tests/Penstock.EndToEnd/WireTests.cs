using System.Diagnostics;
using System.Net;
using System.Text;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd;

/// <summary>Clients that leave, send too much, too slowly, or no HTTP at all.</summary>
public sealed class WireTests(WireTests.SmallBodies platform) : IClassFixture<WireTests.SmallBodies>
{
    private const int MaxBody = 65_536;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    public sealed class SmallBodies : Platform
    {
        internal override string? Config => $$"""{ "gateway": { "maxBodyBytes": {{MaxBody}} } }""";
    }

    [Theory]
    [InlineData("/v1/chat/completions", "claude-haiku-4-5", true)]
    [InlineData("/v1/messages", "claude-haiku-4-5", false)]
    [InlineData("/v1/messages", "gpt-4o-mini", true)]
    [InlineData("/v1/stream", "gpt-4o-mini", false)]
    public async Task A_client_that_leaves_mid_stream_is_gone_upstream_within_a_second_and_booked(string route, string model, bool reset)
    {
        var conversation = Guid.NewGuid().ToString();
        var json = Samples.Chat(route, $"[[slow:tokens=2000:ms=10]] {conversation}", stream: true, model: model);
        using var connection = await RawConnection.OpenAsync(platform.Server.Address);
        await connection.SendAsync(RawConnection.Post(route, platform.Server.Options.AdminKey, json, $"x-penstock-conversation: {conversation}\r\n"));
        await connection.ReadUntilAsync(" w5");

        await GoneAsync(connection, conversation, reset);
        var row = await RowAsync(conversation);
        Assert.Equal(("client_gone", true, true), (row.Outcome, row.Estimated, row.Streamed));
        Assert.True(row.Output >= 5 && row.Input > 0 && row.Cost > 0, $"{row}");
    }

    [Theory]
    [InlineData("/v1/chat/completions", true)]
    [InlineData("/v1/messages", false)]
    [InlineData("/v1/complete", false)]
    [InlineData("/v1/stream", true)]
    public async Task A_client_that_leaves_before_the_first_byte_is_gone_upstream_within_a_second(string route, bool stream)
    {
        var conversation = Guid.NewGuid().ToString();
        using var connection = await RawConnection.OpenAsync(platform.Server.Address);
        await connection.SendAsync(RawConnection.Post(route, platform.Server.Options.AdminKey, Samples.Chat(route, $"[[silent:30000]] {conversation}", stream), $"x-penstock-conversation: {conversation}\r\n"));
        await platform.Upstream.Seen.WaitForAsync(call => Is(call, conversation), TimeSpan.FromSeconds(5), Wait.Token);

        await GoneAsync(connection, conversation, reset: false);
        var row = await RowAsync(conversation);
        Assert.Equal(("client_gone", 0), (row.Outcome, row.Output));
    }

    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/messages")]
    [InlineData("/v1/embed")]
    [InlineData("/ai")]
    [InlineData("/v1/auth/keys")]
    public async Task A_body_over_the_limit_is_refused_while_it_comes(string route)
    {
        using var connection = await RawConnection.OpenAsync(platform.Server.Address);
        await connection.SendAsync(RawConnection.Head(route, platform.Server.Options.AdminKey, "Transfer-Encoding: chunked\r\n"));
        var chunk = new string('a', 8 * 1024);
        // Never the end of the body: an answer can only come before it.
        for (var sent = 0; sent <= MaxBody; sent += chunk.Length) await connection.SendAsync($"{chunk.Length:x}\r\n{chunk}\r\n");
        var answer = await connection.ReadUntilAsync("\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 413 ", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close", answer, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_length_over_the_limit_is_refused_before_any_of_the_body()
    {
        using var connection = await RawConnection.OpenAsync(platform.Server.Address);
        await connection.SendAsync(RawConnection.Head("/v1/complete", platform.Server.Options.AdminKey, "Content-Length: 1000000000000\r\nExpect: 100-continue\r\n"));
        Assert.StartsWith("HTTP/1.1 413 ", await connection.ReadUntilAsync("\r\n\r\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(8_000_000)]
    public async Task A_client_that_sends_all_before_it_reads_sees_the_refusal(int size)
    {
        var body = Encoding.UTF8.GetBytes(new string('a', size));
        for (var i = 0; i < 20; i++)
        {
            using var chunked = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = Api.Body(body) };
            chunked.Headers.TransferEncodingChunked = i % 2 == 0;
            using var answer = await platform.Admin.SendAsync(chunked);
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
        }
    }

    [Fact]
    public async Task Slow_uploads_hold_nobody_up_and_may_end_well()
    {
        var json = Samples.Body("/v1/complete");
        var text = RawConnection.Post("/v1/complete", platform.Server.Options.AdminKey, json);
        var slow = new List<RawConnection>();
        for (var i = 0; i < 50; i++)
        {
            slow.Add(await RawConnection.OpenAsync(platform.Server.Address));
            await slow[^1].SendAsync(text[..^(i % 40 + 1)]);
        }

        var started = Stopwatch.GetTimestamp();
        await platform.Admin.JsonAsync(HttpMethod.Post, "/v1/complete", json);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(2), "other clients wait for the slow ones");
        await slow[0].SendAsync(text[^1..]);
        Assert.StartsWith("HTTP/1.1 200 ", await slow[0].ReadUntilAsync("\r\n\r\n"), StringComparison.Ordinal);
        foreach (var connection in slow) connection.Dispose();
        await Wait.UntilAsync(() => Vitals.Of(platform.Server.Id, platform.Server.Address.Port, 0).ClientSockets <= 10, TimeSpan.FromSeconds(5), "their sockets are closed");
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400")]
    [InlineData("nonsense\r\n\r\n", "HTTP/1.1 400")]
    [InlineData("GET /health HTTP/9.9\r\nHost: a\r\n\r\n", "HTTP/1.1 505")]
    [InlineData("POST /v1/complete HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", "HTTP/1.1 400")]
    [InlineData("POST /v1/complete HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 400")]
    [InlineData("POST /v1/complete HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400")]
    [InlineData("GET /health HTTP/1.1\r\nHost: a\r\nx y: 1\r\n\r\n", "HTTP/1.1 400")]
    [InlineData("GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404")]
    [InlineData("TRACE /v1/usage HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405")]
    public async Task What_is_no_good_http_is_refused(string text, string status)
    {
        using var connection = await RawConnection.OpenAsync(platform.Server.Address);
        await connection.SendAsync(text);
        var answer = await connection.ReadUntilAsync("\r\n\r\n");
        Assert.StartsWith(status, answer, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broken_chunk_is_refused_in_the_routes_shape()
    {
        using var connection = await RawConnection.OpenAsync(platform.Server.Address);
        await connection.SendAsync(RawConnection.Head("/v1/chat/completions", platform.Server.Options.AdminKey, "Transfer-Encoding: chunked\r\n") + "zz\r\n{}\r\n0\r\n\r\n");
        Assert.Contains("\"error\":{\"message\":", await connection.ReadUntilAsync("}}"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 400 ", connection.Received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_beyond_measure_are_refused()
    {
        using var connection = await RawConnection.OpenAsync(platform.Server.Address);
        await connection.SendAsync($"GET /health HTTP/1.1\r\nHost: a\r\nx: {new string('a', 40_000)}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 431 ", await connection.ReadUntilAsync("\r\n\r\n"), StringComparison.Ordinal);
    }

    private async Task GoneAsync(RawConnection connection, string conversation, bool reset)
    {
        var left = TimeProvider.System.GetUtcNow();
        if (reset) connection.Reset();
        else connection.Dispose();
        var call = await platform.Upstream.Seen.WaitForAsync(call => Is(call, conversation) && call.Outcome != SeenOutcome.Open, TimeSpan.FromSeconds(5), Wait.Token);
        Assert.Equal(SeenOutcome.Aborted, call.Outcome);
        Assert.True(call.AbortedAt - left <= Second, $"the provider was left after {call.AbortedAt - left}");
    }

    private static bool Is(SeenCall call, string conversation) => call.Model is not null && call.BodyText.Contains(conversation, StringComparison.Ordinal);

    private async Task<Entry> RowAsync(string conversation)
    {
        Entry[] rows = [];
        await Wait.UntilAsync(async () => (rows = [.. (await Entry.AllAsync(platform.Admin)).Where(row => row.Conversation == conversation)]).Length > 0, TimeSpan.FromSeconds(3), () => "the call is booked");
        return Assert.Single(rows);
    }
}
