using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Penstock.Gateway;
using Penstock.Gateway.Wire.Native;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.Native;

public sealed class NativeRequestTests
{
    private const string Everything = """
        {"model":"reasoning","systemPrompt":"Be brief.","temperature":0.5,"topP":0.9,"topK":40,"maxTokens":64,"stop":["END","STOP"],"seed":-7,"stream":true,
         "user":"u1","conversation":"c1","frequencyPenalty":-1.5,"presencePenalty":2,"parallelToolCalls":false,
         "tools":[{"name":"get_weather","description":"Weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}},"strict":true},{"name":"now"}],
         "toolChoice":{"name":"now"},
         "responseFormat":{"type":"json","name":"out","schema":{"type":"object"},"strict":true},
         "messages":[
           {"role":"user","name":"ann","content":[{"type":"text","text":"Look:"},{"type":"image","url":"https://x.test/a.png"},{"type":"image","mediaType":"image/png","data":"AAAA"}]},
           {"role":"assistant","content":"Asking.","toolCalls":[{"id":"t1","name":"get_weather","arguments":{"city": "Oslo"}},{"id":"t2","name":"now"}]},
           {"role":"tool","toolCallId":"t1","content":"12°"},
           {"role":"tool","toolCallId":"t2","content":[{"type":"text","text":"late"}],"isError":true},
           {"role":"user","content":"So?"}]}
        """;

    [Fact]
    public void Every_field_is_read()
    {
        var call = Read(Everything);
        Assert.Equal(
            (Dialect.Native, "reasoning", 0.5, 0.9, 40, 64, -7L, true, "u1", "c1", -1.5, 2.0, false),
            (call.Dialect, call.Model, call.Temperature, call.TopP, call.TopK, call.MaxOutputTokens, call.Seed, call.Stream, call.EndUser, call.Conversation,
                call.FrequencyPenalty, call.PresencePenalty, call.ParallelToolCalls));
        Assert.Equal(["END", "STOP"], call.Stop);
        Assert.Equal(
            [new ToolDefinition("get_weather", "Weather", """{"type":"object","properties":{"city":{"type":"string"}}}""", true), new ToolDefinition("now", null, null)],
            call.Tools);
        Assert.Equal(new ToolChoice(ToolChoiceKind.Named, "now"), call.ToolChoice);
        Assert.Equal(new ResponseFormat("out", """{"type":"object"}""", true), call.ResponseFormat);
        Assert.Empty(call.DialectOnly);
    }

    [Fact]
    public void Messages_stand_in_order_with_the_system_prompt_first()
    {
        var messages = Read(Everything).Messages;
        Assert.Equal([ChatRole.System, ChatRole.User, ChatRole.Assistant, ChatRole.Tool, ChatRole.Tool, ChatRole.User], messages.Select(message => message.Role));
        Assert.Equal("Be brief.", messages[0].Text());
        Assert.Equal("ann", messages[1].Name);
        Assert.Equal(
            [new TextPart("Look:"), new ImagePart("https://x.test/a.png", null, null), new ImagePart(null, "image/png", "AAAA")],
            messages[1].Parts);
        Assert.Equal(
            [new TextPart("Asking."), new ToolCallPart("t1", "get_weather", """{"city": "Oslo"}"""), new ToolCallPart("t2", "now", "{}")],
            messages[2].Parts);
        var result = Assert.IsType<ToolResultPart>(Assert.Single(messages[4].Parts));
        Assert.Equal(("t2", true), (result.CallId, result.IsError));
        Assert.Equal([new TextPart("late")], result.Content);
    }

    [Fact]
    public void The_least_request_asks_the_standard_tier()
    {
        var call = Read("""{"messages":[{"role":"user","content":"hi"}],"seed":null}""");
        Assert.Equal("standard", call.Model);
        Assert.Equal((null, null, null, 1, false), (call.Temperature, call.MaxOutputTokens, call.Seed, call.Choices, call.Stream));
        Assert.True((call with { Stream = true }).Stream);
    }

    [Theory]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"max_tokens":5}""", "max_tokens")]
    [InlineData("""{"messages":[]}""", "messages")]
    [InlineData("""{"model":"local"}""", "messages")]
    [InlineData("""{"messages":"hi"}""", "messages")]
    [InlineData("""{"messages":["hi"]}""", "messages[0]")]
    [InlineData("""{"messages":[{"role":"bot","content":"x"}]}""", "messages[0].role")]
    [InlineData("""{"messages":[{"role":"user"}]}""", "messages[0].content")]
    [InlineData("""{"messages":[{"role":"user","content":[]}]}""", "messages[0].content")]
    [InlineData("""{"messages":[{"role":"user","content":5}]}""", "messages[0].content")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"sound"}]}]}""", "messages[0].content[0].type")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"text","text":"x","cache":1}]}]}""", "messages[0].content[0].cache")]
    [InlineData("""{"messages":[{"role":"system","content":[{"type":"image","url":"https://x.test/a"}]}]}""", "messages[0].content[0].type")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"image","url":"file:///etc/passwd"}]}]}""", "messages[0].content[0].url")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"image","mediaType":"image/png"}]}]}""", "messages[0].content[0]")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"image","mediaType":"image/svg+xml","data":"AAAA"}]}]}""", "messages[0].content[0].mediaType")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"image","mediaType":"image/png","data":"@@"}]}]}""", "messages[0].content[0].data")]
    [InlineData("""{"messages":[{"role":"assistant"}]}""", "messages[0]")]
    [InlineData("""{"messages":[{"role":"user","content":"x","toolCalls":[]}]}""", "messages[0].toolCalls")]
    [InlineData("""{"messages":[{"role":"assistant","toolCalls":[{"id":"a","name":"f","arguments":"{}"}]}]}""", "messages[0].toolCalls[0].arguments")]
    [InlineData("""{"messages":[{"role":"assistant","toolCalls":[{"id":"a","name":"f"},{"id":"a","name":"f"}]}]}""", "messages[0].toolCalls[1].id")]
    [InlineData("""{"messages":[{"role":"tool","toolCallId":"a","content":"x"}]}""", "messages[0].toolCallId")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"model":""}""", "model")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"temperature":2.1}""", "temperature")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"maxTokens":0}""", "maxTokens")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"stop":[""]}""", "stop[0]")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"stream":"yes"}""", "stream")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"toolChoice":"required"}""", "toolChoice")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f"}],"toolChoice":{"name":"g"}}""", "toolChoice.name")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f"},{"name":"f"}]}""", "tools[1].name")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"a b"}]}""", "tools[0].name")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","parameters":[]}]}""", "tools[0].parameters")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"responseFormat":{"type":"xml"}}""", "responseFormat.type")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"responseFormat":{"type":"json","schema":true}}""", "responseFormat.schema")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"responseFormat":{"type":"json","strict":true}}""", "responseFormat")]
    public void What_is_wrong_is_refused_by_name(string body, string field)
    {
        var refusal = Assert.Throws<RefusedException>(() => Read(body)).Refusal;
        Assert.Equal((RefusalKind.Invalid, field), (refusal.Kind, refusal.Field));
        Assert.NotEmpty(refusal.Message);
    }

    [Fact]
    public void A_mutated_body_is_read_or_refused_and_never_breaks()
    {
        var bytes = Encoding.UTF8.GetBytes(Everything);
        var edits = Gen.Zip(Gen.Choose(0, bytes.Length - 1), Gen.Choose(0, 255)).ListOf(3).ToArbitrary();
        Prop.ForAll(edits, list =>
        {
            var body = bytes.ToArray();
            foreach (var (at, value) in list) body[at] = (byte)value;
            try
            {
                new NativeDialect().Read(body);
            }
            catch (RefusedException)
            {
                // A refusal is an answer.
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2_000));
    }

    private static ChatCall Read(string body) => new NativeDialect().Read(Encoding.UTF8.GetBytes(body));
}
