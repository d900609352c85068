using System.Buffers;
using System.Text;
using Penstock.Gateway;
using Penstock.Gateway.Wire;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.OpenAi;

public sealed class OpenAiAnswerWriterTests
{
    private const string Goldens = "Gateway/Wire/OpenAi/Goldens/";
    private static readonly Receipt Booked = new(new TokenCounts(Input: 7, CacheRead: 3, CacheWrite5m: 2, CacheWrite1h: 1, Output: 5, Reasoning: 4), Money.Zero, false, 12);

    private static readonly ChatUpdate[] Foreign =
    [
        new AnswerStarted("msg_01", "claude-haiku-4-5"),
        new UsageReported(TokenCounts.Of(13, 1), Final: false),
        new ThinkingDelta("Hm, "), new ThinkingDelta("two tools."), new ThinkingSigned("c2ln"),
        new TextDelta(0, "Grüß \"dich\" 😀"), new TextDelta(0, ""), new TextDelta(0, "\n<b>"),
        new ToolCallStarted(0, 0, "toolu_1", "look"), new ToolCallDelta(0, 0, ""), new ToolCallDelta(0, 0, "{\"at\":"), new ToolCallDelta(0, 0, "1}"),
        new ToolCallStarted(0, 1, "toolu_2", "list"),
        new Finished(0, FinishReason.ToolCalls),
        new UsageReported(TokenCounts.Of(13, 9), Final: true),
    ];

    [Fact]
    public void A_foreign_stream_becomes_chunks() => Golden.Match(Goldens + "foreign-stream.txt", Stream(Writer(same: false), Foreign));

    [Fact]
    public void A_foreign_stream_ends_with_usage_when_it_was_asked_for() =>
        Golden.Match(Goldens + "foreign-stream-usage.txt", Stream(Writer(same: false, usage: true), Foreign));

    [Fact]
    public void A_foreign_answer_becomes_one_completion() => Golden.Match(Goldens + "foreign-whole.json", Whole(Writer(same: false), Foreign));

    [Fact]
    public void Several_choices_and_a_refusal_keep_apart()
    {
        ChatUpdate[] updates =
        [
            new AnswerStarted("", ""), new TextDelta(1, "b"), new TextDelta(0, "a"), new RefusalDelta(2, "no"),
            new Finished(0, FinishReason.StopSequence, "END"), new Finished(1, FinishReason.Length), new Finished(2, FinishReason.ContentFilter),
        ];

        Golden.Match(Goldens + "choices-stream.txt", Stream(Writer(same: false), updates));
        Golden.Match(Goldens + "choices-whole.json", Whole(Writer(same: false), updates));
    }

    [Fact]
    public void An_empty_foreign_answer_is_an_empty_message() => Assert.Contains(
        "\"message\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"",
        Whole(Writer(same: false), new AnswerStarted("a", "m"), new Finished(0, FinishReason.Stop)));

    [Fact]
    public void Frames_of_the_same_dialect_pass_byte_for_byte()
    {
        string[] chunks = ["{ \"id\":\"1\", \"choices\":[{\"delta\":{\"content\":\"\\u00e9é\"}}], \"usage\":null, \"new_field\":1.0 }", "{\"id\":\"1\",\"choices\":[]}"];

        Assert.Equal($"data: {chunks[0]}\n\ndata: {chunks[1]}\n\ndata: [DONE]\n\n", Pass(Writer(same: true), [.. chunks.Select(chunk => Frame(chunk))]));
    }

    [Fact]
    public void A_line_break_inside_a_chunk_makes_another_data_line() =>
        Assert.Equal("data: {\ndata: \"a\":1}\n\ndata: [DONE]\n\n", Pass(Writer(same: true), Frame("{\n\"a\":1}")));

    [Fact]
    public void The_closing_usage_chunk_is_shown_only_to_who_asked()
    {
        var closing = Frame("{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}", new UsageReported(TokenCounts.Of(1, 0), Final: true));

        Assert.Equal("data: [DONE]\n\n", Pass(Writer(same: true), closing));
        Assert.Equal("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n", Pass(Writer(same: true, usage: true), closing));
    }

    [Fact]
    public void Usage_beside_a_choice_passes_for_the_choice_is_wanted()
    {
        const string chunk = "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":1}}";

        Assert.Equal($"data: {chunk}\n\ndata: [DONE]\n\n", Pass(Writer(same: true), Frame(chunk, new TextDelta(0, "x"), new UsageReported(TokenCounts.Of(1, 0), false))));
    }

    [Fact]
    public void Who_asked_for_usage_gets_what_was_booked_where_the_provider_left_it_out()
    {
        var written = Pass(Writer(same: true, usage: true), Frame("{\"id\":\"a\",\"choices\":[{}]}", new AnswerStarted("a", "m")));

        Assert.Equal(
            "data: {\"id\":\"a\",\"choices\":[{}]}\n\n" +
            "data: {\"id\":\"a\",\"object\":\"chat.completion.chunk\",\"created\":1792670400,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":13,\"completion_tokens\":9,\"total_tokens\":22,"
            + "\"prompt_tokens_details\":{\"cached_tokens\":3},\"completion_tokens_details\":{\"reasoning_tokens\":4}}}\n\ndata: [DONE]\n\n",
            written);
    }

    [Fact]
    public void A_frame_without_bytes_is_written_from_its_updates_in_the_same_dialect_too()
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = Writer(same: true);

        writer.WriteFrame(Frame("{\"choices\":[{}]}", new AnswerStarted("a", "m")), output);
        writer.WriteEnd(new ProviderFrame(null, default, [new Finished(0, FinishReason.Stop)], Last: true), Booked, output);

        Assert.Equal(
            "data: {\"choices\":[{}]}\n\n"
            + "data: {\"id\":\"a\",\"object\":\"chat.completion.chunk\",\"created\":1792670400,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n"
            + "data: [DONE]\n\n",
            Text(output));
    }

    [Fact]
    public void A_whole_answer_of_the_same_dialect_is_left_as_it_came()
    {
        const string answer = "{ \"id\" : \"1\",\n \"unknown\" : 1.0 }";
        var output = new ArrayBufferWriter<byte>();

        Writer(same: true).WriteWhole(Frame(answer), Booked, output);

        Assert.Equal(answer, Text(output));
    }

    [Fact]
    public void A_ping_is_a_comment()
    {
        var output = new ArrayBufferWriter<byte>();

        Writer(same: false).WritePing(output);

        Assert.Equal(": ping\n\n", Text(output));
    }

    [Fact]
    public void An_error_is_a_frame_that_clients_raise()
    {
        var output = new ArrayBufferWriter<byte>();

        Writer(same: false).WriteError(new Refusal(RefusalKind.ProviderFailed, "provider_failed", "Line one.\nLine two."), output);

        Assert.Equal("data: {\"error\":{\"message\":\"Line one.\\nLine two.\",\"type\":\"server_error\",\"param\":null,\"code\":\"provider_failed\"}}\n\n", Text(output));
    }

    private static OpenAiAnswerWriter Writer(bool same, bool usage = false)
    {
        var call = new ChatCall { Dialect = Dialect.OpenAi, Model = "standard", Messages = [], Stream = true, IncludeUsage = usage };
        return new OpenAiAnswerWriter(new AnswerHead(new RequestId("req_1"), call, "anthropic", "claude-haiku", same, new DateTimeOffset(2026, 10, 22, 12, 0, 0, TimeSpan.Zero)));
    }

    private static ProviderFrame Frame(string data, params ChatUpdate[] updates) => new(null, Encoding.UTF8.GetBytes(data), updates);

    private static string Stream(OpenAiAnswerWriter writer, params ChatUpdate[] updates) =>
        Pass(writer, [.. updates.Select(update => new ProviderFrame("event", "{\"foreign\":1}"u8.ToArray(), [update]))]);

    private static string Pass(OpenAiAnswerWriter writer, params ProviderFrame[] frames)
    {
        var output = new ArrayBufferWriter<byte>();
        foreach (var frame in frames) writer.WriteFrame(frame, output);
        writer.WriteEnd(new ProviderFrame(null, default, [], Last: true), Booked, output);
        return Text(output);
    }

    private static string Whole(OpenAiAnswerWriter writer, params ChatUpdate[] updates)
    {
        var output = new ArrayBufferWriter<byte>();
        writer.WriteWhole(new ProviderFrame(null, "{\"foreign\":1}"u8.ToArray(), updates, Last: true), Booked, output);
        return Text(output);
    }

    private static string Text(ArrayBufferWriter<byte> output) => Encoding.UTF8.GetString(output.WrittenSpan);
}
