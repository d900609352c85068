using System.Text;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.Anthropic;
using Penstock.Tests.Gateway.Wire.Anthropic;
using Xunit;

namespace Penstock.Tests.Providers.Anthropic;

public sealed class AnthropicRequestWriterTests
{
    private static readonly ChatMessage Hello = new(ChatRole.User, [new TextPart("Hello")]);

    [Fact]
    public void A_body_of_the_same_dialect_is_sent_with_only_the_model_and_a_lowered_cap_changed()
    {
        const string body = """{ "model" : "fast", "from_the_future":[1.0, null], "max_tokens":  9000, "messages":[{"role":"user","content":"H\u00e9"}] , "stream":true}""";

        Assert.Equal(
            """{"model" : "claude-haiku-4-5","from_the_future":[1.0, null],"max_tokens":  512,"messages":[{"role":"user","content":"H\u00e9"}],"stream":true}""",
            Written(AnthropicCalls.FromAnthropic(body, cap: 512)));
        Assert.Equal(body, Written(AnthropicCalls.FromAnthropic(body, model: "fast")));
    }

    [Fact]
    public void A_call_of_another_dialect_is_written_whole()
    {
        var call = new ChatCall
        {
            Dialect = Dialect.OpenAi,
            Body = "{}"u8.ToArray(),
            Model = "standard",
            MaxOutputTokens = 300,
            Temperature = 0.2,
            TopP = 0.9,
            Stop = ["END"],
            EndUser = "user-7",
            Stream = true,
            ParallelToolCalls = false,
            Tools = [new ToolDefinition("weather", "Tells the weather.", """{"type":"object","properties":{"city":{"type":"string"}}}""", true), new ToolDefinition("now", null, null), new ToolDefinition("any", null, "{}")],
            ToolChoice = new ToolChoice(ToolChoiceKind.Named, "weather"),
            ResponseFormat = new ResponseFormat("answer", """{"type":"object","additionalProperties":false}""", true, "The answer."),
            Messages =
            [
                new ChatMessage(ChatRole.System, [new TextPart("Be brief.")]),
                new ChatMessage(ChatRole.User, [new TextPart("Weather in “Ørsta”?"), new ImagePart("https://example.com/a.png", null, null), new ImagePart(null, "image/png", "iVBORw0KGgo=")]),
                new ChatMessage(ChatRole.Assistant, [new TextPart(""), new ToolCallPart("call_1", "weather", "{\"city\": \"Ørsta\"}"), new ToolCallPart("functions.now:1", "now", "")]),
                new ChatMessage(ChatRole.Tool, [new ToolResultPart("functions.now:1", [new TextPart("noon")])]),
                new ChatMessage(ChatRole.System, [new TextPart("Answer in French.")]),
                new ChatMessage(ChatRole.Tool, [new ToolResultPart("call_1", [new TextPart("rain"), new TextPart(""), new TextPart("9 °C")], true)], "weather"),
                new ChatMessage(ChatRole.User, [new TextPart("And?")]),
                new ChatMessage(ChatRole.User, [new TextPart("Please.")]),
                new ChatMessage(ChatRole.Assistant, [new RefusedPart("No.")]),
                new ChatMessage(ChatRole.User, [new TextPart("")]),
                new ChatMessage(ChatRole.Assistant, [new TextPart("Il")]),
            ],
        };
        var target = AnthropicCalls.Of(call);

        Assert.Null(Objection(call));
        Golden.Matches("Providers/Anthropic", "request-from-openai.json", AnthropicRequestWriter.Write(target).Span);
        Golden.Matches("Providers/Anthropic", "count-from-openai.json", AnthropicRequestWriter.WriteCount(target).Span);
    }

    [Fact]
    public void A_call_without_a_cap_gets_the_default_because_Anthropic_wants_one() => Assert.Equal(
        """{"model":"claude-haiku-4-5","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"Hello"}]}]}""",
        Written(AnthropicCalls.FromOpenAi()));

    [Theory]
    [InlineData(ToolChoiceKind.Auto, null, """{"type":"auto"}""")]
    [InlineData(ToolChoiceKind.Required, true, """{"type":"any"}""")]
    [InlineData(ToolChoiceKind.None, false, """{"type":"none"}""")]
    [InlineData(null, false, """{"type":"auto","disable_parallel_tool_use":true}""")]
    public void Tool_choices_have_Anthropics_names(ToolChoiceKind? kind, bool? parallel, string expected)
    {
        var call = new ChatCall { Dialect = Dialect.OpenAi, Model = "m", Messages = [Hello], Tools = [new ToolDefinition("a", null, null)], ToolChoice = kind is { } given ? new ToolChoice(given) : null, ParallelToolCalls = parallel };

        Assert.EndsWith($"\"tool_choice\":{expected}}}", Written(AnthropicCalls.Of(call)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_count_of_the_same_dialect_leaves_out_what_a_count_does_not_take() => Assert.Equal(
        """{"model":"claude-haiku-4-5","system":"s","messages":[{"role":"user","content":"Hello"}],"thinking":{"type":"disabled"}}""",
        Encoding.UTF8.GetString(AnthropicRequestWriter.WriteCount(AnthropicCalls.FromAnthropic(
            """{"model":"fast","max_tokens":5,"system":"s","messages":[{"role":"user","content":"Hello"}],"stream":true,"temperature":1,"top_p":1,"top_k":1,"stop_sequences":["a"],"metadata":{},"service_tier":"auto","thinking":{"type":"disabled"}}""")).Span));

    [Fact]
    public void A_conversation_read_from_Anthropics_wire_is_written_the_same()
    {
        const string body = """{"model":"claude-haiku-4-5","max_tokens":64,"temperature":0.5,"top_k":3,"stream":true,"stop_sequences":["END"],"metadata":{"user_id":"u"},"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"tool_use","id":"t1","name":"n","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r","is_error":true},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}],"tools":[{"name":"n","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true},"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}""";
        var call = AnthropicCalls.FromAnthropic(body);

        Assert.Equal(body, Written(call with { Call = call.Call with { Body = default } }));
    }

    public static TheoryData<string, ChatCall> WhatCannotCross()
    {
        var call = new ChatCall { Dialect = Dialect.OpenAi, Model = "m", Messages = [Hello] };
        ChatCall With(params ChatPart[] parts) => call with { Messages = [Hello, new ChatMessage(ChatRole.Assistant, parts)] };
        return new TheoryData<string, ChatCall>
        {
            { "audio", call with { DialectOnly = ["audio", "prediction"] } },
            { "temperature", call with { Temperature = 1.01 } },
            { "n", call with { Choices = 2 } },
            { "seed", call with { Seed = 0 } },
            { "logprobs", call with { Logprobs = true } },
            { "top_logprobs", call with { TopLogprobs = 2 } },
            { "frequency_penalty", call with { FrequencyPenalty = -0.1 } },
            { "presence_penalty", call with { PresencePenalty = 0.1 } },
            { "response_format", call with { ResponseFormat = new ResponseFormat(null, null) } },
            { "frequencyPenalty", call with { Dialect = Dialect.Native, FrequencyPenalty = 1 } },
            { "presencePenalty", call with { Dialect = Dialect.Native, PresencePenalty = 1 } },
            { "responseFormat", call with { Dialect = Dialect.Native, ResponseFormat = new ResponseFormat(null, null) } },
            { "stop", call with { Stop = ["a", "\n"] } },
            { "messages", call with { Messages = [new ChatMessage(ChatRole.System, [new TextPart("s")])] } },
            { "messages", call with { Messages = [new ChatMessage(ChatRole.User, [new TextPart("")])] } },
            { "messages[0].name", call with { Messages = [Hello with { Name = "Ada" }] } },
            { "messages[0].name", call with { Messages = [new ChatMessage(ChatRole.System, [new TextPart("s")]) { Path = "systemPrompt" }, Hello with { Name = "Ada", Path = "messages[0]" }] } },
            { "messages[0].content[1].image_url.detail", call with { Messages = [new ChatMessage(ChatRole.User, [new TextPart("q"), new ImagePart("https://a/b", null, null, "low")])] } },
            { "messages[0].content[0].image_url.url", call with { Messages = [new ChatMessage(ChatRole.User, [new ImagePart("http://a/b", null, null)])] } },
            { "messages[0].content[0].image_url.url", call with { Messages = [new ChatMessage(ChatRole.User, [new ImagePart(null, "image/bmp", "AAAA")])] } },
            { "messages[0].content[0].input_audio", call with { Messages = [new ChatMessage(ChatRole.User, [new OpaquePart("messages[0].content[0].input_audio", "input_audio")])] } },
            { "messages[1].content[0].file", call with { Messages = [Hello, new ChatMessage(ChatRole.Tool, [new ToolResultPart("a", [new OpaquePart("messages[1].content[0].file", "file")])])] } },
            { "messages[1].tool_calls[1].function.arguments", With(new TextPart("a"), new ToolCallPart("a", "f", "{}"), new ToolCallPart("b", "f", "{\"a\":")) },
            { "messages[1].tool_calls[0].function.arguments", With(new ToolCallPart("a", "f", "[1]")) },
            { "messages[1].content[0]", With(new ThinkingPart("t", null)) },
        };
    }

    [Theory]
    [MemberData(nameof(WhatCannotCross), DisableDiscoveryEnumeration = true)]
    public void What_cannot_cross_is_refused_by_name(string field, ChatCall call)
    {
        var refusal = Objection(call);

        Assert.NotNull(refusal);
        Assert.Equal((400, field), (refusal.Status, refusal.Field));
        Assert.Contains($"'{field}'", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_of_the_same_dialect_is_refused() =>
        Assert.Null(Objection(AnthropicCalls.FromAnthropic("""{"model":"m","max_tokens":5,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":[{"type":"document","source":{}}]}]}""").Call));

    private static Refusal? Objection(ChatCall call)
    {
        using var connections = new Penstock.Providers.Http.UpstreamConnections();
        return AnthropicCalls.Provider(new Uri("http://127.0.0.1:9"), connections).Objects(AnthropicCalls.Of(call));
    }

    private static string Written(ProviderCall call) => Encoding.UTF8.GetString(AnthropicRequestWriter.Write(call).Span);
}
