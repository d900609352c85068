using System.Diagnostics;
using System.Text.Json;
using Penstock.Upstream;

namespace Penstock.Lambda.Tests;

/// <summary>A function whose answers are handed in whole.</summary>
public sealed class BufferedTests(Function function) : IClassFixture<Function>
{
    [Fact]
    public async Task A_warm_up_is_answered_at_once_and_books_nothing()
    {
        await function.InvokeAsync("""{"warmup":true}""");
        var fastest = TimeSpan.MaxValue;
        for (var i = 0; i < 20; i++)
        {
            var started = Stopwatch.GetTimestamp();
            var end = await function.InvokeAsync("""{"warmup":true}""");
            if (Stopwatch.GetElapsedTime(started) < fastest) fastest = Stopwatch.GetElapsedTime(started);
            Assert.Equal("\"warm\"", end.Text);
        }

        Assert.True(fastest < TimeSpan.FromMilliseconds(5), $"{fastest.TotalMilliseconds} ms");
        var (_, usage) = await function.CallAsync("GET", "/v1/usage/attempts");
        Assert.DoesNotContain(usage.GetProperty("attempts").EnumerateArray(), row => row.GetRawText().Contains("warm", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_call_goes_through_and_is_booked_before_the_next_event_is_asked_for()
    {
        var asked = function.Lambda.Asked;
        var end = await function.InvokeAsync(function.Url("POST", "/v1/chat/completions", Function.Chat("hello there", stream: false), "through"));
        await function.AskedAsync(asked + 1);

        var answer = JsonDocument.Parse(end.Body).RootElement;
        Assert.Equal(200, answer.GetProperty("statusCode").GetInt32());
        Assert.False(answer.GetProperty("isBase64Encoded").GetBoolean());
        Assert.Contains("You said: hello there", answer.GetProperty("body").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("application/json", answer.GetProperty("headers").GetProperty("content-type").GetString(), StringComparison.Ordinal);
        await function.LoggedAsync(answer.GetProperty("headers").GetProperty("x-request-id").GetString()!);
        // Metrics too: the process may be frozen for good.
        await function.LoggedAsync("\"_aws\":{\"Timestamp\":");
        var row = Assert.Single(await function.RowsAsync("through"));
        Assert.Equal("completed", row.GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task Server_sent_events_come_whole_where_nothing_streams()
    {
        var invocation = function.Lambda.Send(function.Url("POST", "/v1/chat/completions", Function.Chat("[[slow:tokens=5:ms=20]]", stream: true)));
        var end = await invocation.Ended.WaitAsync(TimeSpan.FromSeconds(30), Wait.Token);

        Assert.False(end.Streamed);
        Assert.DoesNotContain(function.Upstream.Seen.All(), call => call.Outcome == SeenOutcome.Open);
        Assert.EndsWith("data: [DONE]\n\n", JsonDocument.Parse(end.Body).RootElement.GetProperty("body").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_not_done_by_the_deadline_is_cut_off_and_booked_and_said_so()
    {
        var end = await function.InvokeAsync(function.Url("POST", "/v1/chat/completions", Function.Chat("[[silent:30000]] late", stream: false), "late"), TimeSpan.FromSeconds(6));

        var answer = JsonDocument.Parse(end.Body).RootElement;
        Assert.Equal(504, answer.GetProperty("statusCode").GetInt32());
        Assert.Contains("deadline_exceeded", answer.GetProperty("body").GetString(), StringComparison.Ordinal);
        await function.Upstream.Seen.WaitForAsync(call => call.BodyText.Contains("late", StringComparison.Ordinal) && call.Outcome == SeenOutcome.Aborted, TimeSpan.FromSeconds(1), Wait.Token);
        var row = Assert.Single(await function.RowsAsync("late"));
        Assert.Equal("client_gone", row.GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task Work_that_would_go_on_without_its_client_ends_at_the_deadline_too()
    {
        var payload = function.Url("POST", "/v1/chat/completions", Function.Chat("[[silent:30000]] named", stream: false)).Replace("\"content-type\"", "\"idempotency-key\":\"named-1\",\"content-type\"", StringComparison.Ordinal);
        var asked = function.Lambda.Asked;
        await function.InvokeAsync(payload, TimeSpan.FromSeconds(6));
        await function.AskedAsync(asked + 1);

        await function.Upstream.Seen.WaitForAsync(call => call.BodyText.Contains("named", StringComparison.Ordinal) && call.Outcome == SeenOutcome.Aborted, TimeSpan.FromSeconds(1), Wait.Token);
    }

    [Theory]
    [InlineData("""{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"secret"}}]}""", "aws:sns")]
    [InlineData("""{"colour":"blue","size":"secret"}""", "'colour', 'size'")]
    [InlineData("""[1]""", "Array")]
    public async Task An_event_that_nobody_knows_is_refused_by_name(string payload, string named)
    {
        var end = await function.InvokeAsync(payload);

        Assert.True(end.Failed);
        Assert.Equal("Penstock.UnknownEvent", end.ErrorType);
        Assert.Contains(named, end.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", end.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_that_nothing_takes_is_an_error_that_names_it()
    {
        var end = await function.InvokeAsync("""{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"papers"},"object":{"key":"a+b%2Fc.pdf","size":7}}}]}""");

        Assert.Equal("Penstock.UnhandledEvent", end.ErrorType);
        Assert.Contains("ObjectCreated:Put in the bucket 'papers'", end.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_a_batch_only_what_was_not_done_comes_back()
    {
        var end = await function.InvokeAsync("""
            {"Records":[
              {"messageId":"m-1","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:penstock.fifo","body":"{\"kind\":\"upkeep\"}","attributes":{"ApproximateReceiveCount":"2","MessageGroupId":"a"}},
              {"messageId":"m-2","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:penstock.fifo","body":"no JSON","attributes":{"MessageGroupId":"b"}},
              {"messageId":"m-3","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:penstock.fifo","body":"{\"kind\":\"upkeep\"}","attributes":{"MessageGroupId":"b"}},
              {"messageId":"m-4","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:penstock.fifo","body":"{\"kind\":\"upkeep\"}","attributes":{"MessageGroupId":"a"}}]}
            """);

        Assert.False(end.Failed);
        // The third is in order, and stands behind one of its group that failed.
        Assert.Equal("""{"batchItemFailures":[{"itemIdentifier":"m-2"},{"itemIdentifier":"m-3"}]}""", end.Text);
    }

    [Fact]
    public async Task A_schedule_does_what_a_server_does_between_requests()
    {
        var asked = function.Lambda.Asked;
        var end = await function.InvokeAsync("""{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012","time":"2026-01-01T00:00:00Z","region":"us-east-1","resources":[],"detail":{}}""");
        await function.AskedAsync(asked + 1);

        Assert.Equal("null", end.Text);
        await function.LoggedAsync("upkeep is done: 6 parts");
    }

    [Fact]
    public async Task A_bug_in_one_event_is_not_the_next_ones()
    {
        var broken = await function.InvokeAsync("""{"version":"2.0","requestContext":{"http":{"method":"GET"}}}""");
        var (status, _) = await function.CallAsync("GET", "/v1/health");

        Assert.Equal("Penstock.BrokenEvent", broken.ErrorType);
        Assert.Equal(200, status);
    }
}
