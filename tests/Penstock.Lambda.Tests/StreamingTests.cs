using System.Text;
using System.Text.Json;
using Penstock.LambdaFront;
using Penstock.Upstream;

namespace Penstock.Lambda.Tests;

/// <summary>A function whose answers go out while they are made.</summary>
public sealed class StreamingTests(StreamingFunction function) : IClassFixture<StreamingFunction>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/messages")]
    public async Task The_first_chunk_leaves_before_the_last_one_is_made(string route)
    {
        var name = Guid.NewGuid().ToString();
        var invocation = function.Lambda.Send(function.Url("POST", route, Body(route, $"[[slow:tokens=40:ms=50]] {name}"), name));
        Assert.True(await invocation.Begun.WaitAsync(Patience, Wait.Token));
        var seen = await ReadUntilAsync(invocation, "w3");

        // The vendor has not said the rest yet, and the client has the beginning.
        Assert.Equal(SeenOutcome.Open, Assert.Single(function.Upstream.Seen.All(), call => call.BodyText.Contains(name, StringComparison.Ordinal)).Outcome);
        var gap = seen.AsSpan().IndexOf(new byte[8]);
        var prelude = JsonDocument.Parse(seen.AsMemory(0, gap)).RootElement;
        Assert.Equal(200, prelude.GetProperty("statusCode").GetInt32());
        Assert.StartsWith("text/event-stream", prelude.GetProperty("headers").GetProperty("content-type").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("content-length", prelude.GetRawText(), StringComparison.Ordinal);

        var end = await invocation.Ended.WaitAsync(Patience, Wait.Token);
        Assert.Null(end.ErrorType);
        Assert.Contains("w40", end.Text, StringComparison.Ordinal);
        Assert.Contains(route == "/v1/messages" ? "content_block_delta" : "[DONE]", end.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_leaves_is_gone_upstream_within_a_second_and_booked()
    {
        var name = Guid.NewGuid().ToString();
        var invocation = function.Lambda.Send(function.Url("POST", "/v1/chat/completions", Body("/v1/chat/completions", $"[[slow:tokens=2000:ms=10]] {name}"), name));
        await ReadUntilAsync(invocation, "w5");
        var asked = function.Lambda.Asked;
        invocation.Leave();

        await function.Upstream.Seen.WaitForAsync(call => call.BodyText.Contains(name, StringComparison.Ordinal) && call.Outcome == SeenOutcome.Aborted, TimeSpan.FromSeconds(1), Wait.Token);
        await function.AskedAsync(asked + 1);
        var row = Assert.Single(await function.RowsAsync(name));
        Assert.Equal("client_gone", row.GetProperty("outcome").GetString());
        Assert.True(row.GetProperty("outputTokens").GetInt64() >= 5, row.GetRawText());
    }

    [Fact]
    public async Task A_stream_that_the_deadline_cuts_ends_in_a_trailer_that_says_so()
    {
        var name = Guid.NewGuid().ToString();
        var asked = function.Lambda.Asked;
        var end = await function.InvokeAsync(function.Url("POST", "/v1/chat/completions", Body("/v1/chat/completions", $"[[slow:tokens=2000:ms=10]] {name}"), name), TimeSpan.FromSeconds(6));
        await function.AskedAsync(asked + 1);

        Assert.Equal("Penstock.DeadlineExceeded", end.ErrorType);
        Assert.Contains("Penstock.DeadlineExceeded", Encoding.UTF8.GetString(Convert.FromBase64String(end.ErrorBody!)), StringComparison.Ordinal);
        Assert.Equal("client_gone", Assert.Single(await function.RowsAsync(name)).GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task A_short_answer_streams_too_and_an_error_has_its_status()
    {
        var (status, body) = await function.CallAsync("GET", "/v1/nothing");

        Assert.Equal(404, status);
        Assert.Equal("route_not_found", body.GetProperty("code").GetString());
    }

    [Fact]
    public async Task What_is_no_request_is_handed_in_whole()
    {
        var end = await function.InvokeAsync("""{"warmup":true}""");

        Assert.False(end.Streamed);
        Assert.Equal("\"warm\"", end.Text);
    }

    private static string Body(string route, string prompt) => route == "/v1/messages"
        ? JsonSerializer.Serialize(new { model = "claude-haiku-4-5", max_tokens = 4000, stream = true, messages = new[] { new { role = "user", content = prompt } } })
        : Function.Chat(prompt, stream: true);

    private static async Task<byte[]> ReadUntilAsync(Invocation invocation, string text)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Wait.Token);
        patience.CancelAfter(Patience);
        using var seen = new MemoryStream();
        await foreach (var piece in invocation.Pieces.ReadAllAsync(patience.Token))
        {
            seen.Write(piece);
            if (Encoding.UTF8.GetString(seen.GetBuffer(), 0, (int)seen.Length).Contains(text, StringComparison.Ordinal)) return seen.ToArray();
        }

        throw new InvalidOperationException($"The answer ended without '{text}': {Encoding.UTF8.GetString(seen.ToArray())}");
    }
}
