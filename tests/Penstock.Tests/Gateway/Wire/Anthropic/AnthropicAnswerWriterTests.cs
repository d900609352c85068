using System.Buffers;
using System.Text;
using System.Text.Json;
using Penstock.Gateway;
using Penstock.Gateway.Wire;
using Penstock.Gateway.Wire.Anthropic;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.Anthropic;

public sealed class AnthropicAnswerWriterTests
{
    private const string Folder = "Gateway/Wire/Anthropic";

    private static readonly Receipt Booked = new(new TokenCounts(20, 8, 0, 0, 11, 4), new Money(1), false, 12);

    [Fact]
    public void A_whole_answer_of_another_dialect_is_a_message()
    {
        var frame = new ProviderFrame(null, "{}"u8.ToArray(), [
            new AnswerStarted("chatcmpl-1", "gpt-4o-mini-2024-07-18"), new ThinkingDelta("Let me see."), new ThinkingSigned("c2ln"), new ThinkingRedacted("cmVk"),
            new TextDelta(0, "Looking up “Ørsta” \u2028now."), new TextDelta(1, "not shown"),
            new ToolCallStarted(0, 0, "call_1", "weather"), new ToolCallDelta(0, 0, "{\"city\":\"Ørsta\"}"),
            new ToolCallStarted(0, 1, "call_2", "now"),
            new ToolCallStarted(0, 2, "call_3", "broken"), new ToolCallDelta(0, 2, "{\"a\":"),
            new Finished(0, FinishReason.ToolCalls), new Finished(1, FinishReason.Length), new UsageReported(new TokenCounts(1, 2, 3, 4, 5, 6), true),
        ], Last: true);

        Golden.Matches(Folder, "whole-from-another-dialect.json", Whole(frame));
    }

    [Fact]
    public void A_stream_of_another_dialect_becomes_blocks_that_follow_each_other() => Golden.Matches(Folder, "stream-from-another-dialect.sse", Stream(
        Booked,
        [new AnswerStarted("chatcmpl-1", "gpt-4o-mini-2024-07-18")],
        [new ThinkingDelta("Let me ")], [new ThinkingDelta("see.")], [new ThinkingSigned("c2ln")], [new ThinkingRedacted("cmVk")],
        [new TextDelta(0, "Look")], [new TextDelta(0, "ing “up”.\n")],
        [new ToolCallStarted(0, 0, "call_1", "weather")], [new ToolCallDelta(0, 0, "{\"ci")], [new ToolCallDelta(0, 0, "ty\":\"}\\\"\"}")],
        [new ToolCallStarted(0, 1, "call_2", "now")],
        [new Finished(0, FinishReason.ToolCalls)],
        [new UsageReported(new TokenCounts(1, 2, 3, 4, 5, 6), true)]));

    [Fact]
    public void Usage_known_at_the_start_is_shown_at_the_start() => Golden.Matches(Folder, "stream-with-early-usage.sse", Stream(
        Booked,
        [new AnswerStarted("x", ""), new UsageReported(new TokenCounts(20, 8, 3, 2, 1, 0), false)],
        [new TextDelta(0, "Hi"), new Finished(0, FinishReason.StopSequence, "END")]));

    [Fact]
    public void Calls_that_take_turns_are_put_one_after_the_other()
    {
        var events = Events(Stream(
            Booked,
            [new AnswerStarted("x", "m")],
            [new ToolCallStarted(0, 0, "a", "f")], [new ToolCallStarted(0, 1, "b", "g")],
            [new ToolCallDelta(0, 1, "{\"y\":")], [new ToolCallDelta(0, 0, "{\"x\":")], [new ToolCallDelta(0, 1, "2}")], [new ToolCallDelta(0, 0, "1}")],
            [new Finished(0, FinishReason.ToolCalls)]));

        Assert.Equal(
            [
                "message_start", "start 0 a", "delta 0 {\"x\":", "delta 0 1}", "stop 0", "start 1 b", "delta 1 {\"y\":", "delta 1 2}", "stop 1", "message_delta tool_use", "message_stop",
            ],
            events);
    }

    [Fact]
    public void A_call_that_is_complete_makes_way_for_the_next_at_once()
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = Writer(sameDialect: false);
        writer.WriteFrame(Frame(new AnswerStarted("x", "m"), new ToolCallStarted(0, 0, "a", "f"), new ToolCallDelta(0, 0, "{\"x\":\"{\"}"), new ToolCallStarted(0, 1, "b", "g"), new ToolCallDelta(0, 1, "{")), output);

        Assert.Equal(["message_start", "start 0 a", "delta 0 {\"x\":\"{\"}", "stop 0", "start 1 b", "delta 1 {"], Events(output.WrittenSpan));
    }

    [Fact]
    public void Text_that_comes_in_the_middle_of_a_call_waits_for_its_end() => Assert.Equal(
        ["message_start", "start 0 a", "delta 0 {", "delta 0 }", "stop 0", "start 1 text", "delta 1 hm", "stop 1", "message_delta tool_use", "message_stop"],
        Events(Stream(
            Booked,
            [new AnswerStarted("x", "m"), new ToolCallStarted(0, 0, "a", "f"), new ToolCallDelta(0, 0, "{"), new TextDelta(0, "hm"), new ToolCallDelta(0, 0, "}"), new Finished(0, FinishReason.ToolCalls)])));

    [Theory]
    [InlineData(FinishReason.Stop, "end_turn")]
    [InlineData(FinishReason.StopSequence, "stop_sequence")]
    [InlineData(FinishReason.Length, "max_tokens")]
    [InlineData(FinishReason.ContentFilter, "refusal")]
    public void Reasons_to_stop_have_Anthropics_names(FinishReason reason, string expected)
    {
        Assert.Contains($"message_delta {expected}", Events(Stream(Booked, [new AnswerStarted("x", "m"), new TextDelta(0, "a"), new Finished(0, reason)])));
        Assert.Equal(expected, JsonDocument.Parse(Whole(Frame(new AnswerStarted("x", "m"), new TextDelta(0, "a"), new Finished(0, reason)))).RootElement.GetProperty("stop_reason").GetString());
    }

    [Fact]
    public void A_model_that_declines_says_so_in_text_and_stops_with_refusal() => Assert.Equal(
        ["message_start", "start 0 text", "delta 0 I can", "delta 0 not.", "stop 0", "message_delta refusal", "message_stop"],
        Events(Stream(Booked, [new AnswerStarted("x", "m")], [new RefusalDelta(0, "I can"), new RefusalDelta(0, "not.")], [new Finished(0, FinishReason.Stop)])));

    [Fact]
    public void A_call_that_the_client_asked_for_by_name_stops_with_tool_use() => Assert.Contains(
        "message_delta tool_use",
        Events(Stream(Booked, [new AnswerStarted("x", "m"), new ToolCallStarted(0, 0, "a", "f"), new ToolCallDelta(0, 0, "{}"), new Finished(0, FinishReason.Stop)])));

    [Fact]
    public void An_answer_without_content_is_complete_all_the_same() =>
        Assert.Equal(["message_start", "message_delta end_turn", "message_stop"], Events(Stream(Booked, [new AnswerStarted("x", "m"), new TextDelta(0, ""), new Finished(0, FinishReason.Stop)])));

    [Fact]
    public void A_ping_may_come_before_anything_else_and_an_error_at_any_time()
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = Writer(sameDialect: false);
        writer.WritePing(output);
        writer.WriteError(new Refusal(RefusalKind.Unavailable, "provider_overloaded", "Provider 'x' is overloaded.\n\nTry again."), output);

        Assert.Equal(
            """
            event: ping
            data: {"type":"ping"}

            event: error
            data: {"type":"error","error":{"type":"overloaded_error","message":"Provider 'x' is overloaded.\n\nTry again."},"request_id":"req_0123"}


            """.ReplaceLineEndings("\n"),
            Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void Events_of_the_same_dialect_pass_byte_for_byte()
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = Writer(sameDialect: true);
        writer.WriteFrame(new ProviderFrame("message_start", """{"type":"message_start", "x":1e2}"""u8.ToArray(), [new AnswerStarted("a", "b")]), output);
        writer.WriteFrame(new ProviderFrame("from_the_future", "{\n}"u8.ToArray(), []), output);
        writer.WriteFrame(new ProviderFrame(null, default, [new TextDelta(0, "a")]), output);
        writer.WriteEnd(new ProviderFrame("message_stop", """{"type":"message_stop" }"""u8.ToArray(), [], true), Booked, output);

        Assert.Equal(
            "event: message_start\ndata: {\"type\":\"message_start\", \"x\":1e2}\n\nevent: from_the_future\ndata: {\ndata: }\n\nevent: message_stop\ndata: {\"type\":\"message_stop\" }\n\n",
            Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void A_whole_answer_of_the_same_dialect_passes_byte_for_byte()
    {
        var output = new ArrayBufferWriter<byte>();
        Writer(sameDialect: true).WriteWhole(new ProviderFrame(null, "{ \"unknown\": [1.0] }"u8.ToArray(), [], true), Booked, output);

        Assert.Equal("{ \"unknown\": [1.0] }", Encoding.UTF8.GetString(output.WrittenSpan));
    }

    private static IAnswerWriter Writer(bool sameDialect) => new AnthropicDialect().Answer(new AnswerHead(
        new RequestId("req_0123"), new ChatCall { Dialect = Dialect.Anthropic, Model = "fast", Messages = [] }, "openai", "gpt-4o-mini", sameDialect, DateTimeOffset.UnixEpoch));

    private static ProviderFrame Frame(params ChatUpdate[] updates) => new(null, default, updates);

    private static byte[] Whole(ProviderFrame frame)
    {
        var output = new ArrayBufferWriter<byte>();
        Writer(sameDialect: false).WriteWhole(frame, Booked, output);
        return output.WrittenSpan.ToArray();
    }

    private static byte[] Stream(Receipt receipt, params ChatUpdate[][] frames)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = Writer(sameDialect: false);
        foreach (var updates in frames[..^1]) writer.WriteFrame(Frame(updates), output);
        writer.WriteEnd(Frame(frames[^1]) with { Last = true }, receipt, output);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>One line per event: enough to see the order and what belongs to which block.</summary>
    private static List<string> Events(ReadOnlySpan<byte> stream)
    {
        var events = new List<string>();
        foreach (var frame in Encoding.UTF8.GetString(stream).Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var lines = frame.Split('\n');
            Assert.Equal(2, lines.Length);
            var data = JsonDocument.Parse(lines[1]["data: ".Length..]).RootElement;
            Assert.Equal(lines[0]["event: ".Length..], data.GetProperty("type").GetString());
            events.Add(Describe(data));
        }

        return events;
    }

    private static string Describe(JsonElement data) => data.GetProperty("type").GetString() switch
    {
        "content_block_start" => $"start {data.GetProperty("index")} {(data.GetProperty("content_block").TryGetProperty("id", out var id) ? id : data.GetProperty("content_block").GetProperty("type"))}",
        "content_block_delta" => $"delta {data.GetProperty("index")} {data.GetProperty("delta").EnumerateObject().Last().Value}",
        "content_block_stop" => $"stop {data.GetProperty("index")}",
        "message_delta" => $"message_delta {data.GetProperty("delta").GetProperty("stop_reason")}",
        var other => other!,
    };
}
