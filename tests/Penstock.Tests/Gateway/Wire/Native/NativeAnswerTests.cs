using System.Buffers;
using System.Text;
using Penstock.Gateway;
using Penstock.Gateway.Wire;
using Penstock.Gateway.Wire.Native;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.Native;

public sealed class NativeAnswerTests
{
    private static readonly ChatUpdate[] Answer =
    [
        new AnswerStarted("msg_1", "claude-haiku-4-5"), new ThinkingDelta("Hm."), new ThinkingSigned("s"), new TextDelta(0, "Grüß \"dich\" 😀"),
        new ToolCallStarted(0, 0, "t1", "f"), new ToolCallDelta(0, 0, "{\"a\":"), new ToolCallDelta(0, 0, "[1, 2]}"), new ToolCallStarted(0, 1, "t2", "g"),
        new Finished(0, FinishReason.ToolCalls),
    ];

    [Fact]
    public void A_whole_answer_is_one_object() => Assert.Equal(
        """
        {"id":"msg_1","content":"Grüß \"dich\" \uD83D\uDE00","model":"claude-haiku-4-5","provider":"anthropic","finishReason":"toolCalls",
        "toolCalls":[{"id":"t1","name":"f","arguments":{"a":[1, 2]}},{"id":"t2","name":"g","arguments":{}}],"thinking":"Hm.",
        "usage":{"inputTokens":16,"outputTokens":11,"totalTokens":27,"cachedInputTokens":2,"reasoningTokens":6,"cost":0.000000001},"latencyMs":12}
        """.ReplaceLineEndings(""),
        Whole(Answer));

    [Fact]
    public void A_stream_starts_goes_on_and_is_done_with_its_usage() => Assert.Equal(
        """
        data: {"type":"start","id":"msg_1","model":"claude-haiku-4-5","provider":"anthropic"}
        data: {"type":"thinking","text":"Hm."}
        data: {"type":"text","text":"Grüß \"dich\" \uD83D\uDE00"}
        data: {"type":"toolCall","index":0,"id":"t1","name":"f"}
        data: {"type":"toolCallDelta","index":0,"arguments":"{\"a\":"}
        data: {"type":"toolCallDelta","index":0,"arguments":"[1, 2]}"}
        data: {"type":"toolCall","index":1,"id":"t2","name":"g"}
        data: {"type":"toolCallDelta","index":1,"arguments":"{}"}
        data: {"type":"done","finishReason":"toolCalls","usage":{"inputTokens":16,"outputTokens":11,"totalTokens":27,"cachedInputTokens":2,"reasoningTokens":6,"cost":0.000000001},"latencyMs":12}
        data: [DONE]

        """.ReplaceLineEndings("\n\n"),
        Stream(Answer));

    [Fact]
    public void An_answer_without_id_has_the_request_id_and_the_stream_still_starts()
    {
        Assert.StartsWith("""{"id":"req_1","content":"","model":"asked","provider":"anthropic","finishReason":"length",""", Whole(new Finished(0, FinishReason.Length)));
        Assert.StartsWith("data: {\"type\":\"start\",\"id\":\"req_1\",\"model\":\"asked\",\"provider\":\"anthropic\"}\n\ndata: {\"type\":\"text\"", Stream(new TextDelta(0, "x")));
        Assert.Equal("req_1", Whole(new AnswerStarted("", ""), new TextDelta(0, "x")).Split('"')[3]);
    }

    [Theory]
    [InlineData("{\"a\":")]
    [InlineData("\"text\"")]
    public void Arguments_that_are_no_object_are_shown_as_text(string arguments)
    {
        var body = Whole(new ToolCallStarted(0, 0, "t", "f"), new ToolCallDelta(0, 0, arguments));
        Assert.Contains("\"argumentsText\":\"", body, StringComparison.Ordinal);
        Assert.DoesNotContain("\"arguments\":", body, StringComparison.Ordinal);
    }

    [Fact]
    public void Half_of_a_surrogate_pair_never_breaks_the_answer()
    {
        var half = $"{{\"a\":\"{(char)0xD83D}\"}}";
        Assert.Contains("\"argumentsText\":\"", Whole(new TextDelta(0, half), new ToolCallStarted(0, 0, half, half), new ToolCallDelta(0, 0, half)), StringComparison.Ordinal);
        Assert.Contains("\\uFFFD", Stream(new TextDelta(0, half), new ToolCallStarted(0, 0, half, half), new ToolCallDelta(0, 0, half)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_stop_sequence_and_a_refusal_are_shown()
    {
        var body = Whole(new RefusalDelta(0, "I will not."), new Finished(0, FinishReason.StopSequence, "END"));
        Assert.Contains("\"finishReason\":\"stopSequence\",\"stopSequence\":\"END\",\"refusal\":\"I will not.\"", body, StringComparison.Ordinal);
        Assert.Contains("data: {\"type\":\"refusal\",\"text\":\"I will not.\"}\n\n", Stream(new RefusalDelta(0, "I will not.")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(150, "0.00000015")]
    [InlineData(42_000_000_000, "42")]
    [InlineData(1_234_567_890_123_456_789, "1234567890.123456789")]
    public void The_cost_is_exact_to_the_nano_dollar(long nanos, string written)
    {
        var output = new ArrayBufferWriter<byte>();
        using var answer = New();
        answer.WriteWhole(Frame(Answer), new Receipt(default, new Money(nanos), true, 1), output);
        Assert.Contains($"\"cost\":{written},\"estimated\":true}}", Text(output), StringComparison.Ordinal);
    }

    [Fact]
    public void An_error_is_an_event_that_holds_the_problem_and_pings_are_comments()
    {
        var output = new ArrayBufferWriter<byte>();
        using var answer = New();
        answer.WritePing(output);
        answer.WriteError(new Refusal(RefusalKind.ProviderFailed, "provider_error", "It broke."), output);
        Assert.Equal(
            """
            : ping
            data: {"type":"error","error":{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"It broke.","code":"provider_error","request_id":"req_1"}}

            """.ReplaceLineEndings("\n\n"),
            Text(output));
    }

    private static string Whole(params ChatUpdate[] updates)
    {
        var output = new ArrayBufferWriter<byte>();
        using var answer = New();
        answer.WriteWhole(Frame(updates), Booked, output);
        return Text(output);
    }

    private static string Stream(params ChatUpdate[] updates)
    {
        var output = new ArrayBufferWriter<byte>();
        using var answer = New();
        foreach (var update in updates[..^1]) answer.WriteFrame(Frame([update]), output);
        answer.WriteEnd(Frame(updates[^1..]), Booked, output);
        return Text(output);
    }

    private static Receipt Booked => new(new TokenCounts(10, 2, 3, 1, 5, 6), new Money(1), false, 12);

    private static NativeAnswer New()
    {
        var call = new ChatCall { Dialect = Dialect.Native, Model = "fast", Messages = [] };
        return new NativeAnswer(new AnswerHead(new RequestId("req_1"), call, "anthropic", "asked", false, DateTimeOffset.UnixEpoch));
    }

    private static ProviderFrame Frame(ChatUpdate[] updates) => new(null, default, updates, Last: true);

    private static string Text(ArrayBufferWriter<byte> output) => Encoding.UTF8.GetString(output.WrittenSpan);
}
