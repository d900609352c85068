using System.Text;
using Penstock.Gateway;
using Penstock.Gateway.Cache;
using Penstock.Gateway.Routing;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Cache;

/// <summary>Whatever changes the answer changes the key, and what does not, does not.</summary>
public sealed class CacheQuestionTests
{
    private const string Body = """{"model": "a", "temperature": 1, "messages": [{"role": "user", "content": "hello"}], "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1, "b": 2}}}]}""";

    private static readonly Target Here = new(new ScriptedProvider(new ProviderSettings("openai", "openai", null, null), Dialect.OpenAi, new Script()), "gpt-4o-mini", null, ModelPrice.Free("gpt-4o-mini"), "1", new TargetHealth(new TargetName("openai", "gpt-4o-mini"), true, () => new RoutingOptions(), TimeProvider.System));

    [Theory]
    [InlineData("""{"messages": [{"content": "hello", "role": "user"}], "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1, "b": 2}}}], "temperature": 1, "model": "another name"}""")]
    [InlineData("""{ "model":"a","temperature":1.0,"messages":[{"role":"user","content":"h\u0065llo"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"a":1,"b":2}}}]}""")]
    [InlineData("""{"model": "a", "user": "u1", "stream": false, "temperature": 1.00, "messages": [{"role": "user", "content": "hello"}], "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1, "b": 2}}}]}""")]
    public void The_same_question_in_another_spelling_has_the_same_key(string body) => Assert.Equal(Key(Body), Key(body));

    [Theory]
    [InlineData("hello", "hello ")]
    [InlineData("hello", "Hello")]
    [InlineData("\"user\"", "\"system\"")]
    [InlineData("\"temperature\": 1", "\"temperature\": 1.1")]
    [InlineData("\"temperature\": 1", "\"temperature\": 10")]
    [InlineData("\"temperature\": 1", "\"temperature\": \"1\"")]
    [InlineData("\"temperature\": 1", "\"temperature\": null")]
    [InlineData("\"temperature\": 1", "\"top_p\": 1")]
    [InlineData("\"temperature\": 1", "\"temperature\": 1, \"seed\": 1")]
    [InlineData("\"temperature\": 1", "\"temperature\": 1, \"response_format\": {\"type\": \"json_object\"}")]
    [InlineData("\"temperature\": 1", "\"temperature\": 1, \"unknown\": 0")]
    [InlineData("\"temperature\": 1", "\"temperature\": 1, \"max_tokens\": 5")]
    [InlineData("\"temperature\": 1", "\"temperature\": 1, \"n\": 2")]
    [InlineData("\"name\": \"f\"", "\"name\": \"g\"")]
    [InlineData("\"a\": 1", "\"a\": 1.0")]
    [InlineData("\"a\": 1, \"b\": 2", "\"b\": 2, \"a\": 1")]
    [InlineData("[{\"role\"", "[{\"role\": \"user\", \"content\": \"\"}, {\"role\"")]
    [InlineData("\"content\": \"hello\"", "\"content\": [\"hello\"]")]
    public void Another_question_has_another_key(string from, string to)
    {
        var other = Body.Replace(from, to, StringComparison.Ordinal);

        Assert.NotEqual(Body, other);
        Assert.NotEqual(Key(Body), Key(other));
    }

    [Fact]
    public void Whatever_stands_beside_the_body_is_part_of_the_question()
    {
        var other = Here with { Model = "gpt-4o" };
        var elsewhere = Here with { Provider = new ScriptedProvider(new ProviderSettings("groq", "openai", null, null), Dialect.OpenAi, new Script()) };
        var question = Question(Body);
        CacheKey?[] keys =
        [
            Key(Body),
            question.KeyFor(new TenantId("rival"), Here, null, false, ""),
            question.KeyFor(TenantId.Default, other, null, false, ""),
            question.KeyFor(TenantId.Default, elsewhere, null, false, ""),
            question.KeyFor(TenantId.Default, Here, 7, false, ""),
            question.KeyFor(TenantId.Default, Here, null, true, ""),
            question.KeyFor(TenantId.Default, Here, null, false, "space"),
            (question with { Route = "/v1/complete" }).KeyFor(TenantId.Default, Here, null, false, ""),
            (question with { Others = [new("anthropic-beta", "a")] }).KeyFor(TenantId.Default, Here, null, false, ""),
            (question with { Others = [new("anthropic-beta", "b")] }).KeyFor(TenantId.Default, Here, null, false, ""),
        ];

        Assert.Equal(keys.Length, keys.Distinct().Count());
        Assert.All(keys, key => Assert.Equal(64, key!.Value.Value.Length));
    }

    [Fact]
    public void Only_its_own_dialect_says_what_is_ignored()
    {
        const string Plain = """{"messages": []}""";
        const string Named = """{"messages": [], "metadata": {"user_id": "u"}}""";

        Assert.Equal(Key(Plain, Dialect.Anthropic), Key(Named, Dialect.Anthropic));
        Assert.NotEqual(Key(Plain), Key(Named));
        Assert.Equal(Key(Plain, Dialect.Native), Key("""{"messages": [], "conversation": "c"}""", Dialect.Native));
        Assert.NotEqual(Key(Plain), Key("""{"messages": [], "conversation": "c"}"""));
    }

    [Fact]
    public void A_tools_arguments_are_read_as_they_stand()
    {
        const string One = """{"messages": [{"role": "assistant", "content": [{"type": "tool_use", "input": {"a": {"x": 1, "y": 2}, "b": 1}}]}]}""";

        Assert.Equal(Key(One, Dialect.Anthropic), Key(One.Replace("\"type\": \"tool_use\", \"input\": {\"a\": {\"x\": 1, \"y\": 2}, \"b\": 1}", "\"input\": {\"a\": {\"x\": 1, \"y\": 2}, \"b\": 1}, \"type\": \"tool_use\"", StringComparison.Ordinal), Dialect.Anthropic));
        Assert.NotEqual(Key(One, Dialect.Anthropic), Key(One.Replace("\"x\": 1, \"y\": 2", "\"y\": 2, \"x\": 1", StringComparison.Ordinal), Dialect.Anthropic));
    }

    [Theory]
    [InlineData("1e400", "1e401")]
    [InlineData("0.1234567890123456789012345678", "0.1234567890123456789012345679")]
    [InlineData("12345678901234567890123456789", "12345678901234567890123456788")]
    [InlineData("1e-30", "0")]
    [InlineData("1e-30", "2e-30")]
    public void Numbers_that_differ_never_meet(string one, string other) => Assert.NotEqual(Key($$"""{"seed": {{one}}}"""), Key($$"""{"seed": {{other}}}"""));

    [Theory]
    [InlineData("1", "1.0")]
    [InlineData("0.5", "0.500")]
    [InlineData("100", "100.00")]
    [InlineData("0", "0.0")]
    public void Numbers_that_are_one_do(string one, string other) => Assert.Equal(Key($$"""{"seed": {{one}}}"""), Key($$"""{"seed": {{other}}}"""));

    [Fact]
    public void Half_a_surrogate_pair_has_no_key() => Assert.Null(Question("""{"messages": ["\ud83d"]}""").KeyFor(TenantId.Default, Here, null, false, ""));

    private static CacheKey? Key(string body, Dialect dialect = Dialect.OpenAi)
    {
        var key = Question(body, dialect).KeyFor(TenantId.Default, Here, null, false, "");
        Assert.NotNull(key);
        return key;
    }

    private static CacheQuestion Question(string body, Dialect dialect = Dialect.OpenAi) => new("/v1/chat/completions", Encoding.UTF8.GetBytes(body), CacheQuestion.IgnoredBy(dialect));
}
