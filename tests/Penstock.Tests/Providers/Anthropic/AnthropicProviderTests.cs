using System.Buffers;
using System.Text;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Gateway.Wire;
using Penstock.Gateway.Wire.Anthropic;
using Penstock.Kernel;
using Penstock.Providers.Http;
using Penstock.Tests.Gateway.Wire.Anthropic;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Providers.Anthropic;

public sealed class AnthropicProviderTests
{
    private const string AskStream = """{"model":"claude-haiku-4-5","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"q"}]}""";
    private const string AskWhole = """{"model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"q"}]}""";

    private const string Start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[],\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n";
    private const string Stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_request_carries_key_version_attempt_and_the_clients_betas_and_no_other_header_of_the_client()
    {
        await using var upstream = RawUpstream.Answering(RawUpstream.Json(Whole("""[{"type":"text","text":"Hi"}]""")));
        var call = AnthropicCalls.FromAnthropic(AskWhole);
        await AnthropicCalls.AnswerAsync(upstream, call with { Call = call.Call with { PassHeaders = [new("Anthropic-Beta", "files-api-2025-04-14"), new("cookie", "a=b"), new("anthropic-beta", "x\r\nx-evil: 1")] } }, Ct);

        Assert.StartsWith("POST /v1/messages HTTP/1.1\r\n", upstream.Head, StringComparison.Ordinal);
        Assert.Equal(
            ["Anthropic-Beta: files-api-2025-04-14", "anthropic-version: 2023-06-01", $"Content-Length: {AskWhole.Length}", "Content-Type: application/json", $"Host: {upstream.Address.Authority}", $"x-api-key: {AnthropicCalls.Key}", "x-client-request-id: att_1"],
            upstream.Head.Split("\r\n")[1..].Order(StringComparer.OrdinalIgnoreCase));
        Assert.Equal(AskWhole, upstream.BodyText);
    }

    [Fact]
    public async Task A_call_of_another_dialect_asks_for_no_beta()
    {
        await using var upstream = RawUpstream.Answering(RawUpstream.Json(Whole("[]")));
        var call = AnthropicCalls.FromOpenAi();
        await AnthropicCalls.AnswerAsync(upstream, call with { Call = call.Call with { PassHeaders = [new("anthropic-beta", "x")] } }, Ct);

        Assert.DoesNotContain("anthropic-beta", upstream.Head, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/v1")]
    [InlineData("/v1/")]
    public async Task A_base_address_may_end_in_the_version(string ending)
    {
        await using var upstream = RawUpstream.Answering(RawUpstream.Json(Whole("[]")));
        using var connections = new UpstreamConnections();
        await foreach (var frame in AnthropicCalls.Provider(new Uri(upstream.Address, ending), connections).ChatAsync(AnthropicCalls.FromAnthropic(AskWhole), Ct)) Assert.True(frame.Last);

        Assert.StartsWith("POST /v1/messages HTTP/1.1\r\n", upstream.Head, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_reaches_a_client_of_the_same_dialect_byte_for_byte()
    {
        var recorded = Recorded("upstream.sse");
        await using var upstream = RawUpstream.Answering(RawUpstream.Stream(recorded));
        var frames = await AnthropicCalls.AnswerAsync(upstream, AnthropicCalls.FromAnthropic(AskStream), Ct);

        var output = new ArrayBufferWriter<byte>();
        var writer = new AnthropicDialect().Answer(new AnswerHead(new RequestId("req_1"), AnthropicCalls.FromAnthropic(AskStream).Call, "anthropic", "claude", true, DateTimeOffset.UnixEpoch));
        foreach (var frame in frames.SkipLast(1)) writer.WriteFrame(frame, output);
        writer.WriteEnd(frames[^1], new Receipt(default, Money.Zero, false, 1), output);
        Assert.Equal(recorded, Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public async Task A_stream_means_what_it_says()
    {
        await using var upstream = RawUpstream.Answering(RawUpstream.Stream(Recorded("upstream.sse")));
        var frames = await AnthropicCalls.AnswerAsync(upstream, AnthropicCalls.FromAnthropic(AskStream), Ct);

        Assert.Equal(
            [
                new AnswerStarted("msg_014p7gG3wDgGV9EUtLvnow3U", "claude-haiku-4-5-20251001"),
                new UsageReported(new TokenCounts(472, 100, 20, 30, 2, 0), false, "standard"),
                new ThinkingDelta("The user "), new ThinkingDelta("asks."), new ThinkingSigned("EqQBCgIYAhIM"),
                new ThinkingRedacted("EmwKAhgB"),
                new TextDelta(0, "Okay, “let's”"), new TextDelta(0, " see:"),
                new ToolCallStarted(0, 0, "toolu_01", "get_weather"), new ToolCallDelta(0, 0, "{\"location\":"), new ToolCallDelta(0, 0, " \"Paris\"}"),
                new ToolCallStarted(0, 1, "toolu_02", "now"),
                new ToolCallStarted(0, 2, "toolu_03", "given"), new ToolCallDelta(0, 2, "{\"a\": 1}"),
                new Finished(0, FinishReason.ToolCalls),
                new UsageReported(new TokenCounts(480, 100, 20, 30, 69, 20), true, "standard"),
            ],
            frames.SelectMany(frame => frame.Updates));
        Assert.Single(frames, frame => frame.Last);
        Assert.True(frames[^1].Last);
        Assert.Equal(["ping", "from_the_future"], frames.Where(frame => frame.Event is "ping" or "from_the_future").Select(frame => frame.Event));
    }

    [Fact]
    public async Task A_whole_answer_is_one_frame_with_its_bytes()
    {
        var body = Recorded("upstream.json");
        await using var upstream = RawUpstream.Answering(RawUpstream.Json(body));
        var frame = Assert.Single(await AnthropicCalls.AnswerAsync(upstream, AnthropicCalls.FromAnthropic(AskWhole), Ct));

        Assert.Equal(body, Encoding.UTF8.GetString(frame.Data.Span));
        Assert.True(frame.Last);
        Assert.Equal(
            [
                new AnswerStarted("msg_01", "claude-haiku-4-5-20251001"), new ThinkingDelta("hm"), new ThinkingSigned("EqQB"), new ThinkingRedacted("EmwK"),
                new TextDelta(0, "Hi"), new ToolCallStarted(0, 0, "toolu_01", "add"), new ToolCallDelta(0, 0, "{\"a\": 1}"), new ToolCallStarted(0, 1, "toolu_02", "now"),
                new Finished(0, FinishReason.ToolCalls), new UsageReported(new TokenCounts(0, 0, 12, 0, 5, 0), true, "priority"),
            ],
            frame.Updates);
    }

    [Fact]
    public async Task A_call_from_an_OpenAi_client_is_asked_and_answered_in_Anthropics_words()
    {
        await using var upstream = RawUpstream.Answering(RawUpstream.Stream(Start + Delta("text_delta", "text", "Hi") + Finish("end_turn") + Stop));
        var frames = await AnthropicCalls.AnswerAsync(upstream, AnthropicCalls.FromOpenAi(stream: true), Ct);

        Assert.Equal("""{"model":"claude-haiku-4-5","max_tokens":4096,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"Hello"}]}]}""", upstream.BodyText);
        Assert.Equal("Hi", Fold(frames).First.Text);
    }

    [Theory]
    [InlineData("end_turn", FinishReason.Stop)]
    [InlineData("stop_sequence", FinishReason.StopSequence)]
    [InlineData("max_tokens", FinishReason.Length)]
    [InlineData("model_context_window_exceeded", FinishReason.Length)]
    [InlineData("tool_use", FinishReason.ToolCalls)]
    [InlineData("refusal", FinishReason.ContentFilter)]
    [InlineData("pause_turn", FinishReason.Stop)]
    [InlineData("from_the_future", FinishReason.Stop)]
    public async Task Every_reason_to_stop_is_understood(string given, FinishReason reason)
    {
        await using var upstream = RawUpstream.Answering(RawUpstream.Stream(Start + Finish(given) + Stop));

        Assert.Equal(new Finished(0, reason), Assert.Single((await AnthropicCalls.AnswerAsync(upstream, AnthropicCalls.FromAnthropic(AskStream), Ct)).SelectMany(frame => frame.Updates).OfType<Finished>()));
    }

    [Theory]
    [InlineData("""{"input_tokens":5,"output_tokens":3}""", 5, 0, 0, 0, 3)]
    [InlineData("""{"output_tokens":3}""", 7, 0, 0, 0, 3)]
    [InlineData("""{"input_tokens":0,"output_tokens":0}""", 0, 0, 0, 0, 0)]
    [InlineData("""{"input_tokens":null,"cache_read_input_tokens":4,"cache_creation_input_tokens":9,"output_tokens":3}""", 7, 4, 9, 0, 3)]
    [InlineData("""{"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":7},"output_tokens":3}""", 7, 0, 2, 7, 3)]
    public async Task Later_counts_replace_earlier_ones_and_a_zero_is_a_zero(string usage, long input, long read, long write5m, long write1h, long output)
    {
        await using var upstream = RawUpstream.Answering(RawUpstream.Stream(Start + Finish("end_turn", usage) + Stop));

        var reports = (await AnthropicCalls.AnswerAsync(upstream, AnthropicCalls.FromAnthropic(AskStream), Ct)).SelectMany(frame => frame.Updates).OfType<UsageReported>().ToList();

        Assert.Equal([new UsageReported(TokenCounts.Of(7, 1), false), new UsageReported(new TokenCounts(input, read, write5m, write1h, output, 0), true)], reports);
    }

    [Fact]
    public async Task A_total_of_cache_writes_that_outgrows_its_split_is_counted_whole()
    {
        var start = Start.Replace("\"input_tokens\":7", "\"input_tokens\":7,\"cache_creation\":{\"ephemeral_5m_input_tokens\":2,\"ephemeral_1h_input_tokens\":3}", StringComparison.Ordinal);
        await using var upstream = RawUpstream.Answering(RawUpstream.Stream(start + Finish("end_turn", """{"cache_creation_input_tokens":9,"output_tokens":3}""") + Stop));

        var reports = (await AnthropicCalls.AnswerAsync(upstream, AnthropicCalls.FromAnthropic(AskStream), Ct)).SelectMany(frame => frame.Updates).OfType<UsageReported>();

        Assert.Equal([new TokenCounts(7, 0, 2, 3, 1, 0), new TokenCounts(7, 0, 6, 3, 3, 0)], reports.Select(report => report.Counts));
    }

    [Fact]
    public async Task Events_without_a_name_get_the_one_they_should_have()
    {
        await using var upstream = RawUpstream.Answering(RawUpstream.Stream((Start + Finish("end_turn") + Stop).Replace("event: message_start\n", "", StringComparison.Ordinal)));

        Assert.Equal("message_start", (await AnthropicCalls.AnswerAsync(upstream, AnthropicCalls.FromAnthropic(AskStream), Ct))[0].Event);
    }

    [Fact]
    public async Task Cancellation_closes_the_connection_within_a_second()
    {
        await using var upstream = RawUpstream.AnsweringThenSilent(RawUpstream.Chunked(Start + Delta("text_delta", "text", "Hi")));
        using var connections = new UpstreamConnections();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var seen = 0;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in AnthropicCalls.Provider(upstream.Address, connections).ChatAsync(AnthropicCalls.FromAnthropic(AskStream), leaving.Token))
            {
                if (++seen == 2) await leaving.CancelAsync();
            }
        });

        await upstream.ClientGone.WaitAsync(TimeSpan.FromSeconds(1), Ct);
    }

    [Fact]
    public async Task Leaving_the_stream_closes_the_connection_within_a_second()
    {
        await using var upstream = RawUpstream.AnsweringThenSilent(RawUpstream.Chunked(Start));
        using var connections = new UpstreamConnections();
        await foreach (var _ in AnthropicCalls.Provider(upstream.Address, connections).ChatAsync(AnthropicCalls.FromAnthropic(AskStream), Ct)) break;

        await upstream.ClientGone.WaitAsync(TimeSpan.FromSeconds(1), Ct);
    }

    [Fact]
    public async Task A_complete_stream_leaves_its_connection_to_the_next_call()
    {
        await using var upstream = RawUpstream.AnsweringOnOneConnection(RawUpstream.Chunked(Start + Finish("end_turn") + Stop) + "0\r\n\r\n", times: 3);
        using var connections = new UpstreamConnections();
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        bound.CancelAfter(TimeSpan.FromSeconds(10));
        for (var i = 0; i < 3; i++)
        {
            await foreach (var frame in AnthropicCalls.Provider(upstream.Address, connections).ChatAsync(AnthropicCalls.FromAnthropic(AskStream), bound.Token))
            {
                if (frame.Last) break;
            }
        }
    }

    [Fact]
    public async Task Silence_is_a_time_out()
    {
        await using var upstream = RawUpstream.AnsweringThenSilent(RawUpstream.Chunked(Start));
        using var connections = new UpstreamConnections();
        var time = new ManualTime();
        var fault = await Assert.ThrowsAsync<ProviderException>(async () =>
        {
            await foreach (var _ in AnthropicCalls.Provider(upstream.Address, connections, time).ChatAsync(AnthropicCalls.FromAnthropic(AskStream), Ct)) time.Advance(TimeSpan.FromMinutes(6));
        });

        Assert.Equal(ProviderFault.TimedOut, fault.Fault);
    }

    [Fact]
    public async Task A_count_is_the_providers_own()
    {
        await using var upstream = RawUpstream.Answering(RawUpstream.Json("""{"input_tokens":14}"""));
        using var connections = new UpstreamConnections();

        Assert.Equal(new TokenCount(14, true), await AnthropicCalls.Provider(upstream.Address, connections).CountAsync(AnthropicCalls.FromAnthropic(AskStream), Ct));
        Assert.StartsWith("POST /v1/messages/count_tokens HTTP/1.1\r\n", upstream.Head, StringComparison.Ordinal);
        Assert.Equal("""{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"q"}]}""", upstream.BodyText);
    }

    [Fact]
    public async Task Embeddings_are_refused_with_what_to_use_instead()
    {
        using var connections = new UpstreamConnections();
        var refused = await Assert.ThrowsAsync<RefusedException>(() => AnthropicCalls.Provider(new Uri("http://127.0.0.1:9"), connections).EmbedAsync(new EmbedCall("m", ["a"], null, null, new AttemptId("a")), Ct));

        Assert.Equal(400, refused.Refusal.Status);
        Assert.Contains("text-embedding-3-small", refused.Message, StringComparison.Ordinal);
    }

    private static AnswerFold Fold(List<ProviderFrame> frames)
    {
        var fold = new AnswerFold();
        foreach (var frame in frames) fold.Add(frame);
        return fold;
    }

    private static string Whole(string content) => $$$"""{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":{{{content}}},"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}""";

    private static string Delta(string type, string member, string value) => $"event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"{type}\",\"{member}\":\"{value}\"}}}}\n\n";

    private static string Finish(string reason, string usage = "{\"output_tokens\":3}") => $"event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_sequence\":null}},\"usage\":{usage}}}\n\n";

    private static string Recorded(string name) => Golden.Read("Providers/Anthropic", name);
}
