using System.Text;
using Penstock.Aws.Bedrock;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Aws.Tests.Bedrock;

/// <summary>Whole bodies, as they go over the wire and as they come.</summary>
public sealed class ConverseTests
{
    private const string Claude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    private const string Llama = "meta.llama3-1-70b-instruct-v1:0";
    private const string Nova = "apac.amazon.nova-lite-v1:0";

    [Theory]
    [InlineData(Claude, nameof(ModelFamily.Claude))]
    [InlineData("anthropic.claude-opus-4-6-v1", nameof(ModelFamily.Claude))]
    [InlineData("global.anthropic.claude-haiku-4-5-20251001-v1:0", nameof(ModelFamily.Claude))]
    [InlineData("arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.meta.llama3-1-70b-instruct-v1:0", nameof(ModelFamily.Llama))]
    [InlineData(Nova, nameof(ModelFamily.Nova))]
    [InlineData("mistral.mistral-large-2407-v1:0", nameof(ModelFamily.Mistral))]
    [InlineData("amazon.titan-embed-text-v2:0", nameof(ModelFamily.Other))]
    [InlineData("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", nameof(ModelFamily.Other))]
    public void The_family_is_read_from_the_id(string id, string family) => Assert.Equal(family, new BedrockModel(id).Family.ToString());

    [Fact]
    public void An_id_is_one_piece_of_the_path_encoded_once() =>
        Assert.Equal("/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x-v1%3A0/converse", new BedrockModel("arn:aws:bedrock:us-east-1:1:inference-profile/us.x-v1:0").Path("converse"));

    [Fact]
    public void A_call_is_written_with_all_it_has()
    {
        var call = Call(
            new(ChatRole.System, [new TextPart("Be brief."), new TextPart(" ")]),
            new(ChatRole.User, [new TextPart("look"), new ImagePart(null, "image/png", "iVBORw=="), new TextPart("")]),
            new(ChatRole.Assistant, [new ThinkingPart("hm", "sig"), new RedactedThinkingPart("cmVk"), new TextPart("I call"), new ToolCallPart("functions.f:0", "f", "{\"a\":1}"), new ToolCallPart("t2", "g", "")]),
            new(ChatRole.Tool, [new ToolResultPart("t2", [], IsError: true)]),
            new(ChatRole.Tool, [new ToolResultPart("functions.f:0", [new TextPart("done")])]),
            new(ChatRole.User, [new TextPart("and?")])) with
        {
            Tools = [new("f", "does", """{"properties":{"a":{"type":"number"}}}"""), new("g", null, null)],
            ToolChoice = new ToolChoice(ToolChoiceKind.Named, "f"),
            Temperature = 0.5,
            TopP = 0.9,
            TopK = 5,
            Stop = ["END"],
            ResponseFormat = new ResponseFormat("n", """{"type":"object"}"""),
        };
        var id = "functions.f:0";
        var safe = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(id)))[..32];
        Assert.Equal(
            "{\"system\":[{\"text\":\"Be brief.\"}],\"messages\":["
            + "{\"role\":\"user\",\"content\":[{\"text\":\"look\"},{\"image\":{\"format\":\"png\",\"source\":{\"bytes\":\"iVBORw==\"}}}]},"
            + "{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"sig\"}}},{\"reasoningContent\":{\"redactedContent\":\"cmVk\"}},{\"text\":\"I call\"},"
            + $"{{\"toolUse\":{{\"toolUseId\":\"{safe}\",\"name\":\"f\",\"input\":{{\"a\":1}}}}}},{{\"toolUse\":{{\"toolUseId\":\"t2\",\"name\":\"g\",\"input\":{{}}}}}}]}},"
            + $"{{\"role\":\"user\",\"content\":[{{\"toolResult\":{{\"toolUseId\":\"{safe}\",\"content\":[{{\"text\":\"done\"}}]}}}},{{\"toolResult\":{{\"toolUseId\":\"t2\",\"content\":[],\"status\":\"error\"}}}},{{\"text\":\"and?\"}}]}}],"
            + "\"inferenceConfig\":{\"maxTokens\":100,\"temperature\":0.5,\"topP\":0.9,\"stopSequences\":[\"END\"]},"
            + "\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"description\":\"does\",\"inputSchema\":{\"json\":{\"properties\":{\"a\":{\"type\":\"number\"}},\"type\":\"object\"}}}},"
            + "{\"toolSpec\":{\"name\":\"g\",\"inputSchema\":{\"json\":{\"type\":\"object\",\"properties\":{}}}}}],\"toolChoice\":{\"tool\":{\"name\":\"f\"}}},"
            + "\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":{\"schema\":\"{\\\"type\\\":\\\"object\\\"}\",\"name\":\"n\"}}}},"
            + "\"additionalModelRequestFields\":{\"top_k\":5},\"additionalModelResponseFieldPaths\":[\"/stop_sequence\"]}",
            Written(call, Claude));
    }

    [Fact]
    public void What_is_marked_for_the_cache_is_marked_where_the_maker_has_one()
    {
        var call = Call(
            new(ChatRole.System, [new TextPart("rules") { Cache = CacheMark.OneHour }]),
            new(ChatRole.User, [new TextPart("a") { Cache = CacheMark.FiveMinutes }, new TextPart("b")])) with { Tools = [new("f", null, null) { Cache = CacheMark.FiveMinutes }] };
        const string Rest = "\"inferenceConfig\":{\"maxTokens\":100},\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"inputSchema\":{\"json\":{\"type\":\"object\",\"properties\":{}}}}}";
        Assert.Equal(
            "{\"system\":[{\"text\":\"rules\"},{\"cachePoint\":{\"type\":\"default\",\"ttl\":\"1h\"}}],\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"},{\"cachePoint\":{\"type\":\"default\"}},{\"text\":\"b\"}]}],"
            + Rest + ",{\"cachePoint\":{\"type\":\"default\"}}]}}",
            Written(call, Claude));
        Assert.Equal("{\"system\":[{\"text\":\"rules\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]}]," + Rest + "]}}", Written(call, Llama));
    }

    [Fact]
    public void A_makers_own_fields_go_to_that_maker_only()
    {
        var call = Call(new ChatMessage(ChatRole.User, [new TextPart("a")])) with { TopK = 5 };
        Assert.Contains("\"additionalModelRequestFields\":{\"inferenceConfig\":{\"topK\":5}}", Written(call, Nova), StringComparison.Ordinal);
        Assert.Equal("top_k", First(call, Llama)?.Field);
        Assert.Null(First(call, Claude));
    }

    [Fact]
    public void A_tool_that_failed_is_told_in_words_where_there_is_no_field_for_it()
    {
        var call = Call(
            new(ChatRole.User, [new TextPart("a")]),
            new(ChatRole.Assistant, [new ToolCallPart("t1", "f", "{}")]),
            new(ChatRole.Tool, [new ToolResultPart("t1", [new TextPart("no such city")], IsError: true)])) with { Tools = [new("f", null, null)] };
        Assert.Contains("{\"toolResult\":{\"toolUseId\":\"t1\",\"content\":[{\"text\":\"Error: no such city\"}]}}", Written(call, Llama), StringComparison.Ordinal);
    }

    [Fact]
    public void An_image_by_address_and_an_unsigned_thought_are_refused_by_name()
    {
        Assert.Contains("image_url", First(Call(new ChatMessage(ChatRole.User, [new ImagePart("https://example.test/a.png", null, null)])), Claude)?.Field, StringComparison.Ordinal);
        var thought = Call(new(ChatRole.User, [new TextPart("a")]), new(ChatRole.Assistant, [new ThinkingPart("hm", null)]), new(ChatRole.User, [new TextPart("b")]));
        Assert.Equal("messages[1].content[0]", First(thought, Claude)?.Field);
        Assert.Equal("messages", First(Call(new ChatMessage(ChatRole.Assistant, [new TextPart("a")])), Claude)?.Field);
    }

    [Fact]
    public void A_whole_answer_is_read_into_six_disjoint_counts()
    {
        var body = """
            {"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig"}}},{"text":"hi"},{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}},{"addedLater":{}}]}},
            "stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"},
            "usage":{"inputTokens":10,"outputTokens":20,"totalTokens":95,"cacheReadInputTokens":30,"cacheWriteInputTokens":35,"cacheDetails":[{"ttl":"1h","inputTokens":25},{"ttl":"5m","inputTokens":10}]},"metrics":{"latencyMs":1}}
            """;
        var frame = ConverseAnswer.Read(Encoding.UTF8.GetBytes(body), "id", Sent(Call(), Claude));
        Assert.True(frame.Last);
        Assert.Equal(
            [
                new AnswerStarted("id", Claude), new ThinkingDelta("hm"), new ThinkingSigned("sig"), new TextDelta(0, "hi"), new ToolCallStarted(0, 0, "t1", "f"), new ToolCallDelta(0, 0, "{\"a\":1}"),
                new Finished(0, FinishReason.StopSequence, "END"), new UsageReported(new TokenCounts(10, 30, 10, 25, 20, 0), Final: true),
            ],
            frame.Updates);
    }

    private static ChatCall Call(params ChatMessage[] messages) => new() { Dialect = Dialect.OpenAi, Model = "m", Messages = messages };

    private static ProviderCall Sent(ChatCall call, string model) => new(call, model, 100, new AttemptId("a1"));

    private static string Written(ChatCall call, string model) => Encoding.UTF8.GetString(ConverseRequest.Write(Sent(call, model)).Span);

    private static Refusal? First(ChatCall call, string model) => new ConverseObjections(call, new BedrockModel(model), "provider 'bedrock'").First();
}
