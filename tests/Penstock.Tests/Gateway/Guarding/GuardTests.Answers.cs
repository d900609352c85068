using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Gateway;
using Penstock.Gateway.Cache;
using Penstock.Usage;
using Xunit;
using static Penstock.Tests.Gateway.Guarding.VendorFrames;

namespace Penstock.Tests.Gateway.Guarding;

/// <summary>Rules on answers, whole ones and streams.</summary>
public sealed partial class GuardTests
{
    [Fact]
    public async Task Openai_chunks_are_changed_where_a_match_is_and_nowhere_else()
    {
        string[] events =
        [
            Chunk("""{"role":"assistant","content":""}""", more: ""","x":[1, 2.50]"""),
            Chunk(Delta("reasoning_content", "ask bob@ex")),
            Chunk(Delta("reasoning_content", "ample.com")),
            Chunk("""{"content":"Gr\u00fc\u00dfe, "}"""),
            Chunk(Delta("content", "write to bo")),
            Chunk(Delta("content", "b@example")),
            Chunk(Delta("content", ".com or call")),
            Chunk(Delta("content", " +1 415")),
            Chunk(Delta("content", " 555 2671")),
            Chunk(ToolDelta(0, "", ""","id":"a","type":"function","name":"x" """)),
            Chunk(ToolDelta(0, "{\"to\":\"bob\\u00")),
            Chunk(ToolDelta(1, "{\"n\":41111111", ""","id":"b","type":"function" """)),
            Chunk(ToolDelta(0, "40example.com\"}")),
            Chunk(ToolDelta(1, "11111111}")),
            Chunk("{}", "\"tool_calls\""),
            """{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}}""",
        ];
        _host.Script.Chat = (call, _) => Frames.Of(OpenAi(call, events));

        var plain = Events(await _host.ChatAsync(stream: true));
        var shown = Events(await _host.ChatAsync(stream: true, key: await KeyAsync(Masks)));

        Assert.Equal("Grüße, write to bob@example.com or call +1 415 555 2671", Join(plain, "content"));
        Assert.Equal("Grüße, write to [EMAIL] or call [PHONE]", Join(shown, "content"));
        Assert.Equal("ask [EMAIL]", Join(shown, "reasoning_content"));
        Assert.Equal(["""{"to":"[EMAIL]"}""", """{"n":"[CARD]"}"""], Calls(shown));
        Assert.Equal(plain[0], shown[0]);
        Assert.Contains(plain[3], shown);
        Assert.Equal(plain[^2..], shown[^2..]);
        // All the text is there before the calls begin, and all the thoughts before the text.
        Assert.True(Array.FindLastIndex(shown, one => one.Contains("[PHONE]", StringComparison.Ordinal)) < Array.FindIndex(shown, one => one.Contains("tool_calls\":", StringComparison.Ordinal)));
        var row = (await _host.RowsAsync())[0];
        Assert.Equal((3, 9), (row.Tokens.TotalInput, row.Tokens.TotalOutput));
    }

    [Fact]
    public async Task Anthropic_events_are_changed_where_a_match_is_and_nowhere_else()
    {
        string[] events =
        [
            MessageStart,
            """{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}""",
            Block(0, "thinking_delta", "thinking", "ask bob@example.co"),
            """{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"4111111111111111"}}""",
            """{"type":"content_block_stop","index":0}""",
            """{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}""",
            Block(1, "text_delta", "text", "SSN 078-05"),
            """{"type": "ping"}""",
            Block(1, "text_delta", "text", "-1120"),
            """{"type":"content_block_stop","index":1}""",
            """{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"pay","input":{}}}""",
            Block(2, "input_json_delta", "partial_json", "{\"card\": \"4111 1111 "),
            Block(2, "input_json_delta", "partial_json", "1111 1111\"}"),
            """{"type":"content_block_stop","index":2}""",
            MessageEnd,
            MessageStop,
        ];
        _host.Script.Chat = (_, _) => Frames.Of(Anthropic(events));
        const string Body = """{"model": "claude-haiku-4-5", "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "hi"}]}""";

        var plain = Events(await _host.PostAsync("/v1/messages", Body));
        var shown = Events(await _host.PostAsync("/v1/messages", Body, await KeyAsync(Masks)));

        Assert.Equal(events, plain);
        Assert.Equal("ask [EMAIL]", Join(shown, "thinking"));
        Assert.Equal("SSN [SSN]", Join(shown, "text"));
        Assert.Equal("""{"card": "[CARD]"}""", Join(shown, "partial_json"));
        Assert.Equal(plain.Where(one => !one.Contains("_delta\",", StringComparison.Ordinal) || one.Contains("signature_delta", StringComparison.Ordinal)), shown.Where(one => !one.Contains("_delta\",", StringComparison.Ordinal) || one.Contains("signature_delta", StringComparison.Ordinal)));
        Assert.True(Array.FindIndex(shown, one => one.Contains("[EMAIL]", StringComparison.Ordinal)) < Array.FindIndex(shown, one => one.Contains("signature_delta", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("/v1/chat/completions", "claude-haiku-4-5")]
    [InlineData("/v1/messages", "gpt-4o-mini")]
    [InlineData("/v1/stream", "gpt-4o-mini")]
    public async Task An_answer_in_another_dialect_is_masked_as_well(string route, string model)
    {
        _host.Script.Chat = (_, _) => Frames.Of([
            .. Enumerable.Select("Mail bob@example.com!", c => Frames.Text(c.ToString())),
            new ProviderFrame(null, default, [new ToolCallStarted(0, 0, "t", "pay")]),
            .. Enumerable.Select("""{"card": "4111\u00201111 1111 1111"}""", c => new ProviderFrame(null, default, [new ToolCallDelta(0, 0, c.ToString())])),
            Frames.End(TokenCounts.Of(3, 9))]);

        var shown = await _host.PostAsync(route, $$"""{"model": "{{model}}", {{(route == "/v1/messages" ? "\"max_tokens\": 9, " : "")}}{{(route == "/v1/stream" ? "" : "\"stream\": true, ")}}"messages": [{"role": "user", "content": "hi"}]}""", await KeyAsync(Masks));

        var events = Events(shown);
        Assert.Equal("Mail [EMAIL]!", Join(events, route == "/v1/chat/completions" ? "content" : "text"));
        Assert.Contains("[CARD]", shown.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("4111", shown.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whole_answers_are_changed_where_a_match_is_and_nowhere_else()
    {
        const string OpenAiAnswer = """{"id":"c","object":"chat.completion", "model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Mail bob@example.com \u00e9","annotations":[{"title":"078-05-1120"}],"tool_calls":[{"id":"+14155552671","type":"function","function":{"name":"x","arguments":"{\"a\":\"4111\\u00201111 1111 1111\"}"}}]},"logprobs":{"content":[{"token":"bob"}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":9}}""";
        const string AnthropicAnswer = """{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"Mail bob@example.com", "x": 1.0},{"type":"tool_use","id":"t","name":"x","input":{"id":"4111 1111 1111 1111","n":4111111111111111}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}""";
        var key = await KeyAsync(Masks);

        _host.Script.Chat = (call, _) => Frames.Of(OpenAiWhole(call, OpenAiAnswer));
        var first = await _host.ChatAsync(key: key);
        _host.Script.Chat = (_, _) => Frames.Of(AnthropicWhole(AnthropicAnswer));
        var second = await _host.PostAsync("/v1/messages", """{"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}""", key);

        Assert.Equal(OpenAiAnswer.Replace("bob@example.com \\u00e9", "[EMAIL] é", StringComparison.Ordinal).Replace("078-05-1120", "[SSN]", StringComparison.Ordinal).Replace("4111\\\\u00201111 1111 1111", "[CARD]", StringComparison.Ordinal).Replace("""{"content":[{"token":"bob"}]}""", "null", StringComparison.Ordinal), first.Body);
        Assert.Equal("card=1,email=1,ssn=1", first.Headers["x-penstock-guards"]);
        Assert.Equal(AnthropicAnswer.Replace("bob@example.com", "[EMAIL]", StringComparison.Ordinal).Replace("4111 1111 1111 1111", "[CARD]", StringComparison.Ordinal).Replace("4111111111111111", "\"[CARD]\"", StringComparison.Ordinal), second.Body);
    }

    [Fact]
    public async Task A_blocked_answer_ends_as_one_that_a_filter_ended_and_is_booked_in_full()
    {
        string[] openAi = [Chunk(Delta("content", "Fine so far. ")), Chunk(Delta("content", "bob@ex")), Chunk(Delta("content", "ample.com, and more")), Chunk(ToolDelta(0, "{}", ""","id":"a","type":"function" """)), Chunk("{}", "\"tool_calls\""),
            """{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}}"""];
        string[] anthropic = [MessageStart, """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}""", Block(0, "text_delta", "text", "Fine so far. bob@"), Block(0, "text_delta", "text", "example.com, and more"),
            """{"type":"content_block_stop","index":0}""", """{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"pay","input":{}}}""", """{"type":"content_block_stop","index":1}""", MessageEnd, MessageStop];
        var key = await KeyAsync("""{"email": {"out": "block"}}""");

        _host.Script.Chat = (call, _) => Frames.Of(OpenAi(call, openAi));
        var first = Events(await _host.ChatAsync(stream: true, key: key));
        _host.Script.Chat = (_, _) => Frames.Of(Anthropic(anthropic));
        var second = Events(await _host.PostAsync("/v1/messages", """{"model": "claude-haiku-4-5", "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "hi"}]}""", key));
        _host.Script.Chat = (call, _) => Frames.Of(OpenAi(call, openAi));
        var third = (await _host.PostAsync("/v1/stream", """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}""", key)).Body;

        Assert.Equal("Fine so far. ", Join(first, "content"));
        Assert.Equal("""{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"content_filter"}]}""", first[^2]);
        Assert.Equal("[DONE]", first[^1]);
        Assert.DoesNotContain(first, one => one.Contains("tool_calls", StringComparison.Ordinal));
        Assert.Equal("Fine so far. ", Join(second, "text"));
        Assert.Equal([anthropic[4], """{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null},"usage":{"output_tokens":9}}""", MessageStop], second[^3..]);
        Assert.Contains("\"finishReason\":\"contentFilter\"", third, StringComparison.Ordinal);
        Assert.DoesNotContain("bob", third + string.Concat(first) + string.Concat(second), StringComparison.Ordinal);
        Assert.All(await _host.RowsAsync(), row => Assert.Equal((AttemptOutcome.Completed, 9L), (row.Outcome, row.Tokens.TotalOutput)));
    }

    [Fact]
    public async Task A_blocked_whole_answer_shows_nothing_of_itself()
    {
        var key = await KeyAsync("""{"email": {"out": "block"}}""");
        _host.Script.Chat = (call, _) => Frames.Of(OpenAiWhole(call, """{"id":"c","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"a@b.org"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":9}}"""));
        var first = await _host.ChatAsync(key: key);
        var asked = await _host.PostAsync("/ai", """{"prompt": "hi", "model": "gpt-4o-mini"}""", key);
        var native = await _host.PostAsync("/v1/complete", """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}""", key);
        _host.Script.Chat = (_, _) => Frames.Of(AnthropicWhole("""{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"a@b.org"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"""));
        var second = await _host.PostAsync("/v1/messages", """{"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}""", key);

        Assert.Equal("""{"id":"c","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"content_filter"}],"usage":{"prompt_tokens":3,"completion_tokens":9}}""", first.Body);
        Assert.Equal("""{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":"refusal","usage":{"input_tokens":1,"output_tokens":1},"stop_sequence":null}""", second.Body);
        Assert.Equal((400, "email=1"), (asked.Status, asked.Headers["x-penstock-guards"]));
        Assert.Contains("The answer was stopped by guard rule 'email'", asked.Body, StringComparison.Ordinal);
        Assert.Equal((200, "", "contentFilter"), (native.Status, native.Text("content"), native.Text("finishReason")));
    }

    [Fact]
    public async Task A_text_that_is_no_match_goes_out_before_the_next_piece_comes()
    {
        var frames = Channel.CreateUnbounded<ProviderFrame>();
        _host.Script.Chat = (_, ct) => Frames.From(frames, ct);
        await using var host = await GatewayHost.StartAsync(config: $$"""{"guards": {{Masks}}}""");
        host.Script.Chat = (_, ct) => Frames.From(frames, ct);
        frames.Writer.TryWrite(Frames.Text("Hello, "));
        using var stream = await OpenStream.OpenAsync(host, GatewayHost.Chat(stream: true));

        await stream.ReadUntilAsync("Hello, ");
        frames.Writer.TryWrite(Frames.Text("it is 12:30. "));
        await stream.ReadUntilAsync("it is 12:30. ");
        frames.Writer.TryWrite(Frames.End(TokenCounts.Of(1, 1)));
        await stream.ReadToEndAsync();
    }

    [Fact]
    public async Task An_answer_is_kept_for_those_alone_who_may_see_it_so()
    {
        _host.Script.Chat = (_, _) => Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, "a@b.org"), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(1, 1), true)], Last: true));
        var (masked, alike, open, blocked) = (await KeyAsync("""{"email": {"out": "mask"}}"""), await KeyAsync("""{"email": {"in": "off", "out": "mask"}}"""), await KeyAsync(null), await KeyAsync("""{"email": {"out": "block"}}"""));

        Assert.Equal(("miss", true), await AskAsync(open));
        Assert.Equal(("miss", false), await AskAsync(masked));
        Assert.Equal(("hit", false), await AskAsync(alike));
        Assert.Equal(("hit", true), await AskAsync(open));
        Assert.Equal(("miss", false), await AskAsync(blocked));
        Assert.Equal(("miss", false), await AskAsync(blocked));

        async Task<(string, bool)> AskAsync(string key)
        {
            var answer = await _host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat(), key, ("x-penstock-cache", "on"));
await GatewayHost.UntilAsync(() => _host.Services.GetRequiredService<Flights>().Count == 0);
            return (answer.Headers["x-penstock-cache"], answer.Body.Contains("a@b.org", StringComparison.Ordinal));
        }
    }

    private static string[] Events(Answer answer)
    {
        Assert.True(answer.Status == 200, answer.Body);
        return [.. answer.Body.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => line["data: ".Length..])];
    }

    /// <summary>All that stands in members of this name, in order, as a client puts it together.</summary>
    private static string Join(IEnumerable<string> events, string member)
    {
        var text = new StringBuilder();
        foreach (var one in events.Where(one => one != "[DONE]"))
        {
            using var parsed = JsonDocument.Parse(one);
            Collect(parsed.RootElement, member, text);
        }

        return text.ToString();
    }

    private static void Collect(JsonElement value, string member, StringBuilder text)
    {
        if (value.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in value.EnumerateArray()) Collect(item, member, text);
        }

        if (value.ValueKind != JsonValueKind.Object) return;
        foreach (var one in value.EnumerateObject())
        {
            if (one.Name == member && one.Value.ValueKind == JsonValueKind.String) text.Append(one.Value.GetString());
            else Collect(one.Value, member, text);
        }
    }

    private static string[] Calls(IEnumerable<string> events)
    {
        var calls = new SortedDictionary<int, string>();
        foreach (var one in events.Where(one => one != "[DONE]"))
        {
            using var parsed = JsonDocument.Parse(one);
            foreach (var choice in parsed.RootElement.GetProperty("choices").EnumerateArray())
            {
                if (!choice.GetProperty("delta").TryGetProperty("tool_calls", out var pieces)) continue;
                foreach (var piece in pieces.EnumerateArray())
                {
                    var index = piece.GetProperty("index").GetInt32();
                    calls[index] = calls.GetValueOrDefault(index) + piece.GetProperty("function").GetProperty("arguments").GetString();
                }
            }
        }

        return [.. calls.Values];
    }
}
