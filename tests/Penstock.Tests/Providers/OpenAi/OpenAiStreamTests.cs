using System.Buffers;
using System.Text;
using Penstock.Gateway;
using Penstock.Gateway.Wire;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Kernel;
using Penstock.Tests.Gateway.Wire.OpenAi;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Providers.OpenAi;

/// <summary>Answers on a real socket, and what is made of them.</summary>
public sealed class OpenAiStreamTests
{
    private const string Goldens = "Providers/OpenAi/Goldens/";
    private static readonly TokenCounts Counts = new(Input: 36, CacheRead: 64, CacheWrite5m: 0, CacheWrite1h: 0, Output: 20, Reasoning: 10);
    private static readonly ChatCall Streamed = OpenAiCalls.Hello with { Stream = true };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(7)]
    [InlineData(1)]
    public async Task A_stream_is_understood_wherever_the_network_cuts_it(int step)
    {
        var frames = await OpenAiCalls.FramesAsync(ReplayServer.Events(Golden.Read(Goldens + "stream.txt"), step), Streamed, Ct);

        Assert.Equal(
            [
                new AnswerStarted("chatcmpl-1", "gpt-4o-mini-2024-07-18"), new TextDelta(0, "Grüß \"dich\" 😀"), new TextDelta(0, " and on"),
                new ToolCallStarted(0, 0, "call_a", "look"), new ToolCallDelta(0, 0, "{\"at\":"), new ToolCallDelta(0, 0, "1}"), new ToolCallStarted(0, 1, "call_b", "list"),
                new Finished(0, FinishReason.ToolCalls), new UsageReported(Counts, Final: true, "standard"),
            ],
            frames.Updates());
        Assert.Equal(10, frames.Count);
        Assert.True(frames[^1] is { Last: true, Data.IsEmpty: true });
        Assert.Single(frames, frame => frame.Last);
    }

    [Fact]
    public async Task A_client_of_the_same_dialect_sees_the_providers_own_bytes()
    {
        var sent = Golden.Read(Goldens + "stream.txt");

        var seen = await ThroughAsync(sent, sameDialect: true, usage: true);

        // Comments and event names are the transport's; every chunk is the provider's.
        Assert.Equal(sent.Replace(": a comment before anything\n\n", "").Replace("event: something_new\n", ""), seen);
    }

    [Fact]
    public async Task A_client_that_did_not_ask_for_usage_sees_all_but_its_chunk()
    {
        var sent = Golden.Read(Goldens + "stream.txt");

        var seen = await ThroughAsync(sent, sameDialect: true, usage: false);

        Assert.DoesNotContain("prompt_tokens", seen);
        Assert.Contains("new_event", seen);
        Assert.EndsWith("\"finish_reason\":\"tool_calls\"}],\"usage\":null}\n\ndata: [DONE]\n\n", seen);
    }

    [Fact]
    public async Task A_whole_answer_is_one_frame_with_every_choice()
    {
        var body = Golden.Read(Goldens + "whole.json");

        var frame = Assert.Single(await OpenAiCalls.FramesAsync(ReplayServer.Json(body), OpenAiCalls.Hello, Ct));

        Assert.True(frame.Last);
        Assert.Equal(body, frame.Text());
        Assert.Equal(
            [
                new AnswerStarted("chatcmpl-2", "gpt-4o-mini-2024-07-18"), new TextDelta(0, "Grüß dich 😀"), new Finished(0, FinishReason.Stop),
                new ToolCallStarted(1, 0, "call_a", "look"), new ToolCallDelta(1, 0, "{\"at\":1}"), new ToolCallStarted(1, 1, "call_b", "list"), new Finished(1, FinishReason.ToolCalls),
                new RefusalDelta(2, "I would rather not."), new Finished(2, FinishReason.ContentFilter),
                new UsageReported(Counts, Final: true, "flex"),
            ],
            frame.Updates);
    }

    [Fact]
    public async Task A_server_that_answers_a_stream_at_once_is_understood()
    {
        var frame = Assert.Single(await OpenAiCalls.FramesAsync(ReplayServer.Json(Golden.Read(Goldens + "whole.json")), Streamed, Ct));

        // Its bytes are no chunk, so a client of the same dialect gets chunks written from the updates.
        Assert.True(frame is { Last: true, Data.IsEmpty: true });
        Assert.Equal(10, frame.Updates.Count);
    }

    [Fact]
    public async Task Servers_differ_in_how_they_number_calls()
    {
        string[] withoutIndex = ["{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}", "{\"function\":{\"arguments\":\"}\"}}", "{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}"];
        string[] allZero = ["{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}", "{\"index\":0,\"function\":{\"arguments\":\"}\"}}", "{\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}"];
        string[] idRepeated = ["{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}", "{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"}\"}}", "{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}"];
        string[] idsMadeUp = ["{\"index\":5,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}", "{\"index\":5,\"id\":\"z\",\"function\":{\"arguments\":\"}\"}}", "{\"index\":6,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":{}}}"];
        foreach (var calls in new[] { withoutIndex, allZero, idRepeated, idsMadeUp })
        {
            var updates = await UpdatesAsync([.. calls.Select(call => $"{{\"id\":\"1\",\"choices\":[{{\"delta\":{{\"tool_calls\":[{call}]}}}}]}}"), Finish("tool_calls")]);

            Assert.Equal(
                [
                    new AnswerStarted("1", "gpt-4o-mini"), new ToolCallStarted(0, 0, "a", "f"), new ToolCallDelta(0, 0, "{"), new ToolCallDelta(0, 0, "}"),
                    new ToolCallStarted(0, 1, "b", "g"), new ToolCallDelta(0, 1, "{}"), new Finished(0, FinishReason.ToolCalls),
                ],
                updates);
        }
    }

    [Fact]
    public async Task A_call_without_an_id_gets_one() =>
        Assert.Contains(new ToolCallStarted(0, 0, "call_att_1_0_0", "f"), await UpdatesAsync("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]}}]}", Finish("stop")));

    [Theory]
    [InlineData("stop", false, FinishReason.Stop)]
    [InlineData("length", false, FinishReason.Length)]
    [InlineData("content_filter", false, FinishReason.ContentFilter)]
    [InlineData("eos", false, FinishReason.Stop)]
    [InlineData("stop", true, FinishReason.ToolCalls)]
    [InlineData("function_call", true, FinishReason.ToolCalls)]
    [InlineData("length", true, FinishReason.Length)]
    public async Task How_it_ended_is_told(string reason, bool called, FinishReason expected)
    {
        var call = called ? "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}}]}}]}" : "{\"choices\":[{\"delta\":{}}]}";

        Assert.Equal(new Finished(0, expected), (await UpdatesAsync(call, Finish(reason), Finish("stop")))[^1]);
    }

    [Fact]
    public async Task Reasoning_made_visible_is_thinking()
    {
        ChatUpdate[] expected = [new AnswerStarted("1", "gpt-4o-mini"), new ThinkingDelta("hm"), new TextDelta(0, "so"), new Finished(0, FinishReason.Stop)];

        foreach (var name in new[] { "\"reasoning_content\":\"hm\"", "\"reasoning\":\"hm\"", "\"reasoning\":\"hm\",\"reasoning_content\":\"hm\"" })
            Assert.Equal(expected, await UpdatesAsync($"{{\"id\":\"1\",\"choices\":[{{\"index\":0,\"delta\":{{{name},\"content\":\"so\"}}}}]}}", Finish("stop")));
    }

    [Fact]
    public async Task Half_a_surrogate_pair_is_read_as_a_replacement_and_passed_on_as_it_came()
    {
        var frames = await OpenAiCalls.FramesAsync(ReplayServer.Events($"data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\\\\\\ud83d\\u0041 \\ud83d\\ude00 \\ude00\"}}}}]}}\n\ndata: {Finish("stop")}\n\ndata: [DONE]\n\n"), Streamed, Ct);

        Assert.Contains(new TextDelta(0, "a\\\uFFFDA 😀 \uFFFD"), frames.Updates());
        Assert.Contains("\\ud83d\\u0041", frames[0].Text());
    }

    [Fact]
    public async Task The_last_usage_stands_and_null_is_none()
    {
        var updates = await UpdatesAsync(
            "{\"id\":\"1\",\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}",
            "{\"id\":\"1\",\"choices\":[{\"delta\":{\"content\":\"b\"}}],\"usage\":null}",
            "{\"id\":\"1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}");

        Assert.Equal([new UsageReported(TokenCounts.Of(5, 1), false), new UsageReported(TokenCounts.Of(5, 2), true)], updates.OfType<UsageReported>());
    }

    [Theory]
    [InlineData("{\"prompt_tokens\":10,\"completion_tokens\":5}", 10, 0, 5, 0)]
    [InlineData("{\"prompt_tokens\":0,\"completion_tokens\":0}", 0, 0, 0, 0)]
    [InlineData("{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_tokens_details\":null,\"completion_tokens_details\":{}}", 10, 0, 5, 0)]
    [InlineData("{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":99}}", 0, 10, 5, 0)]
    [InlineData("{\"prompt_tokens\":10,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_tokens\":99}}", 10, 0, 0, 5)]
    [InlineData("{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":22,\"completion_tokens_details\":{\"reasoning_tokens\":7}}", 10, 0, 5, 7)]
    [InlineData("{\"prompt_tokens\":10,\"prompt_cache_hit_tokens\":4,\"completion_tokens\":5}", 6, 4, 5, 0)]
    [InlineData("{\"prompt_tokens\":-3,\"completion_tokens\":\"5\"}", 0, 0, 0, 0)]
    [InlineData("{\"prompt_tokens\":1e300,\"completion_tokens\":2.0}", 1_000_000_000, 0, 2, 0)]
    public async Task Counts_are_disjoint_and_never_negative(string usage, long input, long cached, long output, long reasoning)
    {
        var updates = await UpdatesAsync($"{{\"id\":\"1\",\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"stop\"}}],\"usage\":{usage}}}");

        Assert.Equal(new TokenCounts(input, cached, 0, 0, output, reasoning), updates.OfType<UsageReported>().Single().Counts);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{\"total_tokens\":5}")]
    public async Task Usage_that_counts_nothing_is_no_report(string usage) =>
        Assert.Empty((await UpdatesAsync($"{{\"id\":\"1\",\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"stop\"}}],\"usage\":{usage}}}")).OfType<UsageReported>());

    [Fact]
    public async Task A_stream_that_ends_after_its_answer_needs_no_DONE()
    {
        var frames = await OpenAiCalls.FramesAsync(ReplayServer.Events($"data: {Finish("stop")}\n\n"), Streamed, Ct);

        Assert.Equal(2, frames.Count);
        Assert.True(frames[^1].Last);
    }

    [Fact]
    public async Task A_stream_that_never_says_how_it_ended_is_finished_by_DONE()
    {
        var frames = await OpenAiCalls.FramesAsync(
            ReplayServer.Events("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\ndata:\n\ndata: [DONE]\n\n"), Streamed, Ct);

        Assert.Equal([new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(1, 1), true)], frames[^1].Updates);
    }

    [Theory]
    [InlineData("data: {\"id\":\"1\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", StreamEnd.Proper, ProviderFault.CutShort)]
    [InlineData("data: {\"id\":\"1\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", StreamEnd.Broken, ProviderFault.CutShort)]
    [InlineData("data: {\"id\":\"1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", StreamEnd.Broken, ProviderFault.CutShort)]
    [InlineData("", StreamEnd.Proper, ProviderFault.CutShort)]
    [InlineData("data: [DONE]\n\n", StreamEnd.Proper, ProviderFault.Broken)]
    [InlineData("data: {\"id\":\"1\",\"choi\n\n", StreamEnd.Proper, ProviderFault.Broken)]
    [InlineData("data: [1]\n\n", StreamEnd.Proper, ProviderFault.Broken)]
    [InlineData("data: <html>\n\n", StreamEnd.Proper, ProviderFault.Broken)]
    [InlineData("data: {\"id\":\"1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n", StreamEnd.Proper, ProviderFault.Broken)]
    [InlineData("data: {\"error\":{\"message\":\"Boom.\",\"type\":\"server_error\"}}\n\n", StreamEnd.Proper, ProviderFault.Broken)]
    [InlineData("data: {\"error\":\"Boom.\"}\n\n", StreamEnd.Proper, ProviderFault.Broken)]
    [InlineData("data: {\"error\":true}\n\n", StreamEnd.Proper, ProviderFault.Broken)]
    [InlineData("event: error\ndata: {\"message\":\"Boom.\"}\n\n", StreamEnd.Proper, ProviderFault.Broken)]
    [InlineData("data: {\"error\":{\"message\":\"Slow down.\",\"code\":\"rate_limit_exceeded\"}}\n\n", StreamEnd.Proper, ProviderFault.Limited)]
    [InlineData("data: {\"error\":{\"message\":\"Broke.\",\"type\":\"insufficient_quota\"}}\n\n", StreamEnd.Proper, ProviderFault.QuotaSpent)]
    [InlineData("data: {\"error\":{\"message\":\"Too long.\",\"code\":\"context_length_exceeded\"}}\n\n", StreamEnd.Proper, ProviderFault.Rejected)]
    [InlineData("data: {\"error\":{\"message\":\"Busy.\",\"code\":503}}\n\n", StreamEnd.Proper, ProviderFault.Overloaded)]
    [InlineData("data: {\"error\":{\"message\":\"Busy.\",\"type\":\"overloaded_error\"}}\n\n", StreamEnd.Proper, ProviderFault.Overloaded)]
    public async Task A_stream_that_fails_is_never_taken_for_an_answer(string stream, StreamEnd end, ProviderFault expected)
    {
        var failure = await Assert.ThrowsAsync<ProviderException>(() => OpenAiCalls.FramesAsync(ReplayServer.Events(stream, end: end), Streamed, Ct));

        Assert.Equal(expected, failure.Fault);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"id\":\"1\"}")]
    [InlineData("{\"id\":\"1\",\"choices\":[]}")]
    [InlineData("{\"id\":\"1\",\"choices\":\"none\"}")]
    [InlineData("[]")]
    [InlineData("OK")]
    [InlineData("{\"error\":{\"message\":\"Boom.\"}}")]
    public async Task A_whole_answer_without_an_answer_is_a_failure(string body) =>
        Assert.Equal(ProviderFault.Broken, (await Assert.ThrowsAsync<ProviderException>(() => OpenAiCalls.FramesAsync(ReplayServer.Json(body), OpenAiCalls.Hello, Ct))).Fault);

    [Theory]
    [InlineData("{\"error\":null,\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}")]
    [InlineData("{\"error\":\"\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}")]
    [InlineData("{\"error\":{},\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}")]
    [InlineData("{\"choices\":[{\"index\":\"0\",\"delta\":{\"content\":7,\"tool_calls\":{},\"refusal\":[]},\"finish_reason\":\"stop\"}],\"usage\":1}")]
    [InlineData("{\"choices\":[{\"delta\":{\"tool_calls\":[1,{\"function\":2},null]},\"finish_reason\":\"stop\"}]}")]
    public async Task Odd_values_where_nothing_is_said_are_tolerated(string chunk) =>
        Assert.Equal([new AnswerStarted("", "gpt-4o-mini"), new Finished(0, FinishReason.Stop)], await UpdatesAsync(chunk));

    private static string Finish(string reason) => $"{{\"id\":\"1\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}";

    private static async Task<IReadOnlyList<ChatUpdate>> UpdatesAsync(params string[] chunks) =>
        (await OpenAiCalls.FramesAsync(ReplayServer.Events(string.Concat(chunks.Append("[DONE]").Select(chunk => $"data: {chunk}\n\n"))), Streamed, Ct)).Updates();

    private static async Task<string> ThroughAsync(string stream, bool sameDialect, bool usage)
    {
        var frames = await OpenAiCalls.FramesAsync(ReplayServer.Events(stream), Streamed, Ct);
        var head = new AnswerHead(new RequestId("req_1"), Streamed with { Dialect = Dialect.OpenAi, IncludeUsage = usage }, "openai", "gpt-4o-mini", sameDialect, DateTimeOffset.UnixEpoch);
        var writer = new OpenAiDialect().Answer(head);
        var output = new ArrayBufferWriter<byte>();
        foreach (var frame in frames.SkipLast(1)) writer.WriteFrame(frame, output);
        writer.WriteEnd(frames[^1], new Receipt(Counts, Money.Zero, false, 1), output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
