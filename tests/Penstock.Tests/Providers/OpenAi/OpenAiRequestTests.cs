using System.Text;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.OpenAi;
using Penstock.Tests.Gateway.Wire.OpenAi;
using Xunit;

namespace Penstock.Tests.Providers.OpenAi;

public sealed class OpenAiRequestTests
{
    private const string Goldens = "Providers/OpenAi/Goldens/";
    private const string Hello = "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]";

    [Fact]
    public void A_client_of_this_dialect_has_its_own_bytes_sent_on()
    {
        var call = OpenAiCalls.Client(Golden.Read(Goldens + "same-dialect.in.json"));

        Golden.Match(Goldens + "same-dialect.out.json", OpenAiRequest.Write(call.To("gpt-4o-mini-2024-07-18", cap: 100)).Span);
    }

    [Theory]
    [InlineData("{\"model\":\"standard\"," + Hello + "}", null, "{\"model\":\"gpt-4o\"," + Hello + "}")]
    [InlineData("{" + Hello + ",\"mod\\u0065l\":\"standard\",\"x\":1.0}", null, "{" + Hello + ",\"mod\\u0065l\":\"gpt-4o\",\"x\":1.0}")]
    // The cap goes where the client put its own; where it put none, under the name the model takes.
    [InlineData("{\"model\":\"s\"," + Hello + ",\"max_tokens\":9}", 5, "{\"model\":\"gpt-4o\"," + Hello + ",\"max_tokens\":5}")]
    [InlineData("{\"model\":\"s\",\"max_completion_tokens\":9," + Hello + "}", 5, "{\"model\":\"gpt-4o\",\"max_completion_tokens\":5," + Hello + "}")]
    [InlineData("{\"model\":\"s\"," + Hello + ",\"max_tokens\":9,\"max_completion_tokens\":9}", 5, "{\"model\":\"gpt-4o\"," + Hello + ",\"max_tokens\":5,\"max_completion_tokens\":5}")]
    [InlineData("{\"model\":\"s\"," + Hello + ",\"max_completion_tokens\":9,\"max_tokens\":null}", 5, "{\"model\":\"gpt-4o\"," + Hello + ",\"max_completion_tokens\":5,\"max_tokens\":null}")]
    [InlineData("{\"model\":\"s\"," + Hello + ",\"max_tokens\":null}", 5, "{\"model\":\"gpt-4o\"," + Hello + ",\"max_tokens\":5}")]
    [InlineData("{\"model\":\"s\"," + Hello + "}", 5, "{\"model\":\"gpt-4o\"," + Hello + ",\"max_tokens\":5}")]
    // Usage is asked for on every stream, and the client's other options stay.
    [InlineData("{\"model\":\"s\"," + Hello + ",\"stream\":true}", null, "{\"model\":\"gpt-4o\"," + Hello + ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}")]
    [InlineData("{\"model\":\"s\"," + Hello + ",\"stream\":true,\"stream_options\":null}", null, "{\"model\":\"gpt-4o\"," + Hello + ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}")]
    [InlineData("{\"model\":\"s\"," + Hello + ",\"stream_options\":{\"include_usage\":false,\"other\":[1]},\"stream\":true}", null, "{\"model\":\"gpt-4o\"," + Hello + ",\"stream_options\":{\"include_usage\":true,\"other\":[1]},\"stream\":true}")]
    [InlineData("{\"model\":\"s\"," + Hello + ",\"stream_options\":{\"other\":[1]},\"stream\":true}", null, "{\"model\":\"gpt-4o\"," + Hello + ",\"stream_options\":{\"other\":[1],\"include_usage\":true},\"stream\":true}")]
    [InlineData("{\"model\":\"s\"," + Hello + ",\"stream_options\":{ \"include_usage\" : true },\"stream\":true}", null, "{\"model\":\"gpt-4o\"," + Hello + ",\"stream_options\":{ \"include_usage\" : true },\"stream\":true}")]
    [InlineData("{\"model\":\"s\"," + Hello + ",\"stream\":false}", null, "{\"model\":\"gpt-4o\"," + Hello + ",\"stream\":false}")]
    public void Only_what_must_change_changes(string body, int? cap, string expected) =>
        Assert.Equal(expected, Written(OpenAiCalls.Client(body).To("gpt-4o", cap)));

    [Theory]
    [InlineData("gpt-4o-mini", "max_tokens")]
    [InlineData("gpt-3.5-turbo", "max_tokens")]
    [InlineData("gpt-5-nano", "max_completion_tokens")]
    [InlineData("openai/gpt-5.1", "max_completion_tokens")]
    [InlineData("o3", "max_completion_tokens")]
    [InlineData("o1-mini-2024-09-12", "max_completion_tokens")]
    [InlineData("ft:o4-mini:org::id", "max_completion_tokens")]
    [InlineData("omni-1", "max_tokens")]
    [InlineData("o", "max_tokens")]
    [InlineData("", "max_tokens")]
    [InlineData("gpt-oss-120b", "max_tokens")]
    [InlineData("meta/llama-3", "max_tokens")]
    public void The_cap_is_named_as_the_model_takes_it(string model, string field) => Assert.Equal(field, OpenAiRequest.CapField(model));

    [Fact]
    public void Another_dialect_is_written_anew() => Golden.Match(Goldens + "cross-dialect.json", Written(Everything.To("gpt-5-mini", cap: 300)));

    [Theory]
    [InlineData(ToolChoiceKind.Auto, "\"tool_choice\":\"auto\"")]
    [InlineData(ToolChoiceKind.None, "\"tool_choice\":\"none\"")]
    [InlineData(ToolChoiceKind.Required, "\"tool_choice\":\"required\"")]
    [InlineData(ToolChoiceKind.Named, "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"look\"}}")]
    public void A_choice_of_tools_is_written_in_its_own_form(ToolChoiceKind kind, string expected)
    {
        var choice = new ToolChoice(kind, kind == ToolChoiceKind.Named ? "look" : null);

        Assert.Contains(expected, Written((OpenAiCalls.Hello with { Tools = [new ToolDefinition("look", null, null)], ToolChoice = choice }).To()));
        Assert.DoesNotContain("tool_choice", Written((OpenAiCalls.Hello with { ToolChoice = new ToolChoice(ToolChoiceKind.Auto) }).To()));
    }

    [Fact]
    public void Any_JSON_object_is_asked_for_without_a_schema() =>
        Assert.Contains("\"response_format\":{\"type\":\"json_object\"}", Written((OpenAiCalls.Hello with { ResponseFormat = new ResponseFormat(null, null) }).To()));

    [Fact]
    public void A_schema_without_a_name_gets_one() =>
        Assert.Contains("\"json_schema\":{\"name\":\"answer\",\"schema\":{}}", Written((OpenAiCalls.Hello with { ResponseFormat = new ResponseFormat(null, "{}") }).To()));

    [Fact]
    public void Unsigned_reasoning_goes_back_to_the_field_it_came_from()
    {
        var call = OpenAiCalls.Hello with { Messages = [new ChatMessage(ChatRole.Assistant, [new ThinkingPart("hm", ""), new TextPart("y")])] };

        Assert.Null(OpenAiCrossing.FirstObstacle(call, "x"));
        Assert.Contains("{\"role\":\"assistant\",\"content\":\"y\",\"reasoning_content\":\"hm\"}", Written(call.To()));
    }

    [Fact]
    public void Nothing_of_this_dialect_is_objected_to() =>
        Assert.Null(OpenAiCrossing.FirstObstacle(OpenAiCalls.Client($"{{\"model\":\"m\",{Hello},\"top_k\":3,\"metadata\":{{\"a\":\"b\"}}}}"), "x"));

    [Fact]
    public void Whatever_can_cross_crosses() => Assert.Null(OpenAiCrossing.FirstObstacle(Everything, "x"));

    public static TheoryData<string, ChatCall> Obstacles { get; } = new()
    {
        { "top_k", OpenAiCalls.Hello with { TopK = 5 } },
        { "topK", OpenAiCalls.Hello with { Dialect = Dialect.Native, TopK = 5 } },
        { "stop_sequences", OpenAiCalls.Hello with { Stop = ["a", "b", "c", "d", "e"] } },
        { "stop", OpenAiCalls.Hello with { Dialect = Dialect.Native, Stop = ["a", "b", "c", "d", "e"] } },
        { "container", OpenAiCalls.Hello with { DialectOnly = ["container", "mcp_servers"] } },
        { "messages[0].content[1]", Said(ChatRole.User, new OpaquePart("messages[0].content[1]", "document")) },
        { "messages[2].content[0]", Said(ChatRole.Tool, new ToolResultPart("c", [new OpaquePart("messages[2].content[0]", "document")])) },
        { "messages[0].content[0]", Said(ChatRole.Assistant, new ThinkingPart("hm", "sig")) },
        { "messages[0].content[0]", Said(ChatRole.Assistant, new RedactedThinkingPart("x")) },
        { "messages[0].content[0]", Said(ChatRole.Tool, new ToolResultPart("c", [new ImagePart(null, "image/png", "AAAA")])) },
        { "messages[0].content[0]", Said(ChatRole.Assistant, new ImagePart(null, "image/png", "AAAA")) },
        { "messages[0].content[0]", Said(ChatRole.System, new ImagePart("https://a/b", null, null)) },
        // The client's place for it, which may be another than ours.
        { "messages[4].content[1].content[0]", OpenAiCalls.Hello with { Messages = [new ChatMessage(ChatRole.Tool, [new ToolResultPart("c", [new ImagePart(null, "image/png", "AAAA")])]) { Path = "messages[4].content[1]" }] } },
    };

    [Theory]
    [MemberData(nameof(Obstacles), DisableDiscoveryEnumeration = true)]
    public void What_cannot_cross_is_refused_by_the_clients_name_for_it(string field, ChatCall call)
    {
        var refusal = OpenAiCrossing.FirstObstacle(call, "provider 'openai'");

        Assert.Equal((RefusalKind.Invalid, "unsupported_by_target", field), (refusal!.Kind, refusal.Code, refusal.Field));
        Assert.Contains("provider 'openai'", refusal.Message);
    }

    internal static ChatCall Everything { get; } = new()
    {
        Dialect = Dialect.Anthropic,
        Model = "standard",
        Messages =
        [
            new(ChatRole.System, [new TextPart("Answer briefly.")]),
            new(ChatRole.System, [new TextPart("One."), new TextPart("Two.")]),
            new(ChatRole.User, [new TextPart("What is on these? \"ü\" 😀"), new ImagePart("https://example.com/a.png", null, null, "low"), new ImagePart(null, "image/png", "iVBORw0=")], "ada"),
            new(ChatRole.Assistant, [new TextPart("Let me look."), new ToolCallPart("toolu_1", "look", "{\"at\":1}"), new ToolCallPart("toolu_2", "list", "{}")]),
            new(ChatRole.Tool, [new ToolResultPart("toolu_1", [new TextPart("A cat.")])]),
            new(ChatRole.Tool, [new ToolResultPart("toolu_2", [new TextPart("No such folder."), new TextPart("Try again.")], IsError: true)]),
            new(ChatRole.Tool, [new ToolResultPart("toolu_2", [], IsError: true)]),
            new(ChatRole.Assistant, [new ToolCallPart("toolu_3", "list", "{}")]),
            new(ChatRole.Tool, [new ToolResultPart("toolu_3", [])]),
            new(ChatRole.Assistant, [new RefusedPart("I would rather not.")]),
            new(ChatRole.User, [new TextPart("Try.")]),
        ],
        Tools = [new("look", "Looks.", "{\"type\": \"object\"}", true), new("list", null, null)],
        ToolChoice = new(ToolChoiceKind.Required),
        ParallelToolCalls = false,
        ResponseFormat = new("answer", "{\"type\": \"object\"}", true, "The answer."),
        Temperature = 0.5,
        TopP = 0.25,
        FrequencyPenalty = -1,
        PresencePenalty = 1.5,
        Stop = ["END"],
        Seed = long.MaxValue,
        Logprobs = true,
        TopLogprobs = 2,
        Choices = 2,
        EndUser = "u-1",
        Stream = true,
    };

    private static ChatCall Said(ChatRole role, ChatPart part) => OpenAiCalls.Hello with { Messages = [new ChatMessage(role, [part])] };

    private static string Written(ProviderCall call) => Encoding.UTF8.GetString(OpenAiRequest.Write(call).Span);
}
