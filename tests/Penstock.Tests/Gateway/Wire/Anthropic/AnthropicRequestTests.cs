using System.Text;
using Penstock.Gateway;
using Penstock.Gateway.Wire.Anthropic;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.Anthropic;

public sealed class AnthropicRequestTests
{
    private const string Hello = "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]";

    [Fact]
    public void The_least_body_is_a_call()
    {
        var body = Encoding.UTF8.GetBytes("""{"model":"claude-haiku-4-5","max_tokens":64,"messages":[{"role":"user","content":"Hello"}]}""");

        var call = new AnthropicDialect().Read(body);

        Assert.Equal(Dialect.Anthropic, call.Dialect);
        Assert.Equal(body, call.Body.ToArray());
        Assert.Equal("claude-haiku-4-5", call.Model);
        Assert.Equal(64, call.MaxOutputTokens);
        Assert.False(call.Stream);
        Assert.Empty(call.DialectOnly);
        AssertMessages(call, (ChatRole.User, [new TextPart("Hello")]));
    }

    [Fact]
    public void Every_setting_is_read()
    {
        var call = Read("""
            {"model":"m","max_tokens":1,"temperature":0.5,"top_p":0.9,"top_k":40,"stop_sequences":["END","\n"],"stream":true,"metadata":{"user_id":"u-1"},
             "tools":[{"name":"add","description":"Adds.","input_schema":{"type":"object"},"strict":true},{"type":"custom","name":"now","input_schema":{"type":"object","properties":{}}}],
             "tool_choice":{"type":"tool","name":"add","disable_parallel_tool_use":true},
             "output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},
             "messages":[{"role":"user","content":"Hello"}]}
            """);

        Assert.Equal((0.5, 0.9, 40, true, "u-1"), (call.Temperature, call.TopP, call.TopK, call.Stream, call.EndUser));
        Assert.Equal(["END", "\n"], call.Stop);
        Assert.Equal([new ToolDefinition("add", "Adds.", """{"type":"object"}""", true), new ToolDefinition("now", null, """{"type":"object","properties":{}}""")], call.Tools);
        Assert.Equal(new ToolChoice(ToolChoiceKind.Named, "add"), call.ToolChoice);
        Assert.False(call.ParallelToolCalls);
        Assert.Equal(new ResponseFormat(null, """{"type":"object"}""", Strict: true), call.ResponseFormat);
        Assert.Empty(call.DialectOnly);
    }

    [Theory]
    [InlineData("""{"type":"auto"}""", ToolChoiceKind.Auto, null)]
    [InlineData("""{"type":"any","disable_parallel_tool_use":false}""", ToolChoiceKind.Required, true)]
    [InlineData("""{"type":"none"}""", ToolChoiceKind.None, null)]
    public void Tool_choices_are_read(string choice, ToolChoiceKind kind, bool? parallel)
    {
        var call = Read($$$"""{"model":"m","max_tokens":1,{{{Hello}}},"tools":[{"name":"a","input_schema":{}}],"tool_choice":{{{choice}}}}""");

        Assert.Equal(new ToolChoice(kind), call.ToolChoice);
        Assert.Equal(parallel, call.ParallelToolCalls);
    }

    [Fact]
    public void The_output_format_of_the_beta_is_read_as_well() =>
        Assert.Equal(new ResponseFormat(null, "{}", Strict: true), Read($$$"""{"model":"m","max_tokens":1,"output_format":{"type":"json_schema","schema":{}},{{{Hello}}}}""").ResponseFormat);

    [Fact]
    public void Instructions_come_first_and_stay_where_they_stand_within_the_conversation() => AssertMessages(
        Read("""{"model":"m","max_tokens":1,"system":[{"type":"text","text":"A"},{"type":"text","text":"B","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"Hello"},{"role":"system","content":"C"}]}"""),
        (ChatRole.System, [new TextPart("A"), new TextPart("B") { Cache = CacheMark.FiveMinutes }]),
        (ChatRole.User, [new TextPart("Hello")]),
        (ChatRole.System, [new TextPart("C")]));

    [Theory]
    [InlineData("\"\"")]
    [InlineData("[]")]
    [InlineData("null")]
    public void Empty_instructions_are_none(string system) =>
        Assert.Single(Read($$$"""{"model":"m","max_tokens":1,"system":{{{system}}},{{{Hello}}}}""").Messages);

    [Fact]
    public void Results_of_tools_become_messages_of_their_own_before_the_rest()
    {
        var call = Read("""
            {"model":"m","max_tokens":1,"messages":[
              {"role":"user","content":"Weather?"},
              {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"xyz"},{"type":"text","text":"Looking."},
                {"type":"tool_use","id":"t1","name":"weather","input":{"city": "Oslo"}},{"type":"tool_use","id":"t2","name":"now","input":{}}]},
              {"role":"user","content":[{"type":"text","text":"Here."},{"type":"tool_result","tool_use_id":"t2","content":"noon"},
                {"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]},
                {"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]}]}
            """);

        AssertMessages(call,
            (ChatRole.User, [new TextPart("Weather?")]),
            (ChatRole.Assistant, [new ThinkingPart("hm", "sig"), new RedactedThinkingPart("xyz"), new TextPart("Looking."), new ToolCallPart("t1", "weather", """{"city": "Oslo"}"""), new ToolCallPart("t2", "now", "{}")]),
            (ChatRole.Tool, [new ToolResultPart("t2", [new TextPart("noon")])]),
            (ChatRole.Tool, [new ToolResultPart("t1", [new TextPart("no"), new ImagePart(null, "image/png", "iVBORw0KGgo=")], true)]),
            (ChatRole.User, [new TextPart("Here."), new ImagePart("https://example.com/a.png", null, null)]));
        Assert.Empty(call.DialectOnly);
    }

    [Theory]
    [InlineData("""{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}""", "messages[0].content[0]", "document")]
    [InlineData("""{"type":"search_result","source":"s","title":"t","content":[]}""", "messages[0].content[0]", "search_result")]
    [InlineData("""{"type":"image","source":{"type":"file","file_id":"f"}}""", "messages[0].content[0].source", "file")]
    [InlineData("""{"type":"from_the_future"}""", "messages[0].content[0]", "from_the_future")]
    public void Blocks_only_Anthropic_knows_are_kept_by_path(string block, string path, string type)
    {
        var call = Read($$$"""{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{{{block}}}]}]}""");

        AssertMessages(call, (ChatRole.User, [new OpaquePart(path, type)]));
    }

    [Fact]
    public void An_answer_may_be_begun_for_the_model_even_with_nothing() => Assert.Equal(
        [ChatRole.User, ChatRole.Assistant],
        Read("""{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"{"}]}""").Messages.Select(message => message.Role)
            .Concat(Read("""{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":""}]}""").Messages.Skip(1).Select(message => message.Role)));

    [Theory]
    [InlineData("\"thinking\":{\"type\":\"disabled\"}")]
    [InlineData("\"service_tier\":\"auto\"")]
    [InlineData("\"speed\":\"standard\"")]
    [InlineData("\"betas\":[]")]
    [InlineData("\"mcp_servers\":[]")]
    [InlineData("\"container\":null")]
    [InlineData("\"cache_control\":{\"type\":\"ephemeral\"}")]
    [InlineData("\"tools\":[{\"name\":\"a\",\"input_schema\":{},\"defer_loading\":false,\"eager_input_streaming\":null,\"input_examples\":[],\"allowed_callers\":[\"direct\"],\"cache_control\":{\"type\":\"ephemeral\"}}]")]
    public void What_asks_for_nothing_is_not_noted(string field) => Assert.Empty(Read($$$"""{"model":"m","max_tokens":1,{{{Hello}}},{{{field}}}}""").DialectOnly);

    [Theory]
    [InlineData("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}", "thinking")]
    [InlineData("\"thinking\":{\"type\":\"adaptive\"}", "thinking")]
    [InlineData("\"service_tier\":\"standard_only\"", "service_tier")]
    [InlineData("\"container\":\"c\"", "container")]
    [InlineData("\"mcp_servers\":[{}]", "mcp_servers")]
    [InlineData("\"context_management\":{}", "context_management")]
    [InlineData("\"output_config\":{\"effort\":\"low\"}", "output_config.effort")]
    [InlineData("\"metadata\":{\"team\":\"x\"}", "metadata.team")]
    [InlineData("\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]", "tools[0]")]
    [InlineData("\"tools\":[{\"name\":\"a\",\"input_schema\":{},\"defer_loading\":true}]", "tools[0].defer_loading")]
    [InlineData("\"from_the_future\":1", "from_the_future")]
    public void What_only_Anthropic_knows_is_noted_by_path(string field, string path) =>
        Assert.Equal([path], Read($$$"""{"model":"m","max_tokens":1,{{{Hello}}},{{{field}}}}""").DialectOnly);

    [Fact]
    public void A_name_noted_inside_a_block_has_its_whole_path() => Assert.Equal(
        ["messages[1].content[0].citations", "messages[1].content[1].caller"],
        Read("""
            {"model":"m","max_tokens":1,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"text","text":"a","citations":[{}]},
              {"type":"tool_use","id":"t","name":"n","input":{},"caller":{"type":"code_execution_20250825"}},{"type":"tool_use","id":"u","name":"n","input":{},"caller":{"type":"direct"}}]}]}
            """).DialectOnly);

    [Theory]
    [InlineData("model", """{"max_tokens":1,"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("model", """{"model":"","max_tokens":1,"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("max_tokens", """{"model":"m","messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("max_tokens", """{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("max_tokens", """{"model":"m","max_tokens":1.5,"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("messages", """{"model":"m","max_tokens":1}""")]
    [InlineData("messages", """{"model":"m","max_tokens":1,"messages":[]}""")]
    [InlineData("messages", """{"model":"m","max_tokens":1,"messages":"q"}""")]
    [InlineData("messages[0].role", """{"model":"m","max_tokens":1,"messages":[{"role":"tool","content":"q"}]}""")]
    [InlineData("messages[0].content", """{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}""")]
    [InlineData("messages[0].content", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":""}]}""")]
    [InlineData("messages[0].content", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[]}]}""")]
    [InlineData("messages[0].content", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":7}]}""")]
    [InlineData("messages[0].content", """{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":""},{"role":"user","content":"q"}]}""")]
    [InlineData("messages[0].content[0].text", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":""}]}]}""")]
    [InlineData("messages[0].content[0].type", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"text":"q"}]}]}""")]
    [InlineData("messages[0].content[0].type", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_use","id":"t","name":"n","input":{}}]}]}""")]
    [InlineData("messages[1].content[0].type", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"image","source":{"type":"url","url":"https://a/b"}}]}]}""")]
    [InlineData("messages[0].content[0].source.media_type", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"text/html","data":"aGk="}}]}]}""")]
    [InlineData("messages[0].content[0].source.data", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"a,b"}}]}]}""")]
    [InlineData("messages[0].content[0].source.url", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"file:///etc/passwd"}}]}]}""")]
    [InlineData("messages[0].content[0].tool_use_id", """{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}]}""")]
    [InlineData("messages[0].content[0].input", """{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":"{}"}]}]}""")]
    [InlineData("messages[0].content[1].id", """{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{}},{"type":"tool_use","id":"t","name":"n","input":{}}]}]}""")]
    [InlineData("messages[3].content[0].tool_use_id", """{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{}}]},{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}]}""")]
    [InlineData("messages[1].content[1].tool_use_id", """{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"},{"type":"tool_result","tool_use_id":"t"}]}]}""")]
    [InlineData("system[0].text", """{"model":"m","max_tokens":1,"system":[{"type":"text","text":""}],"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("system[0].type", """{"model":"m","max_tokens":1,"system":[{"type":"image"}],"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("temperature", """{"model":"m","max_tokens":1,"temperature":1.5,"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("top_p", """{"model":"m","max_tokens":1,"top_p":2,"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("top_k", """{"model":"m","max_tokens":1,"top_k":-1,"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("stop_sequences", """{"model":"m","max_tokens":1,"stop_sequences":"x","messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("stop_sequences[0]", """{"model":"m","max_tokens":1,"stop_sequences":[""],"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("stream", """{"model":"m","max_tokens":1,"stream":"yes","messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("metadata.user_id", """{"model":"m","max_tokens":1,"metadata":{"user_id":7},"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("tools", """{"model":"m","max_tokens":1,"tools":{},"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("tools[0].name", """{"model":"m","max_tokens":1,"tools":[{"input_schema":{}}],"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("tools[0].input_schema", """{"model":"m","max_tokens":1,"tools":[{"name":"a"}],"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("tools[0].input_schema", """{"model":"m","max_tokens":1,"tools":[{"name":"a","input_schema":[]}],"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("tools[1].name", """{"model":"m","max_tokens":1,"tools":[{"name":"a","input_schema":{}},{"name":"a","input_schema":{}}],"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("tool_choice", """{"model":"m","max_tokens":1,"tool_choice":{"type":"any"},"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("tool_choice.type", """{"model":"m","max_tokens":1,"tools":[{"name":"a","input_schema":{}}],"tool_choice":{"type":"required"},"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("tool_choice.name", """{"model":"m","max_tokens":1,"tools":[{"name":"a","input_schema":{}}],"tool_choice":{"type":"tool","name":"b"},"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("output_config.format.schema", """{"model":"m","max_tokens":1,"output_config":{"format":{"type":"json_schema"}},"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("output_format", """{"model":"m","max_tokens":1,"output_format":{"type":"json_schema","schema":{}},"output_config":{"format":{"type":"json_schema","schema":{}}},"messages":[{"role":"user","content":"q"}]}""")]
    [InlineData("thinking.type", """{"model":"m","max_tokens":1,"thinking":{},"messages":[{"role":"user","content":"q"}]}""")]
    public void A_bad_field_is_refused_by_name(string field, string body)
    {
        var refusal = Assert.Throws<RefusedException>(() => Read(body)).Refusal;

        Assert.Equal(400, refusal.Status);
        Assert.Equal(field, refusal.Field);
        Assert.Contains($"'{field}'", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_count_needs_no_cap() =>
        Assert.Null(AnthropicDialect.ReadCount(Encoding.UTF8.GetBytes($$$"""{"model":"m",{{{Hello}}}}""")).MaxOutputTokens);

    private static ChatCall Read(string body) => new AnthropicDialect().Read(Encoding.UTF8.GetBytes(body));

    private static void AssertMessages(ChatCall call, params (ChatRole Role, ChatPart[] Parts)[] expected)
    {
        Assert.Equal(expected.Length, call.Messages.Count);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Role, call.Messages[i].Role);
            Assert.Equivalent(expected[i].Parts, call.Messages[i].Parts, strict: true);
            Assert.Equal(expected[i].Parts.Select(part => part.GetType()), call.Messages[i].Parts.Select(part => part.GetType()));
        }
    }
}
