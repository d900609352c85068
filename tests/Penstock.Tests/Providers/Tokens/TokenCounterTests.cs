using System.Text;
using Penstock.Gateway;
using Penstock.Providers.Tokens;
using Xunit;

namespace Penstock.Tests.Providers.Tokens;

public sealed class TokenCounterTests
{
    private static readonly ChatCall Hello = Call(new ChatMessage(ChatRole.System, [new TextPart("You are a helpful assistant.")]), new ChatMessage(ChatRole.User, [new TextPart("hi")], "ann"));

    [Fact]
    public void Text_for_a_public_model_is_counted_exactly()
    {
        var counter = new TokenCounter(RankFiles.Loaded());
        // Three and the role for each message, six and one of text, one and one for the name, three to prime the answer.
        Assert.Equal(new TokenCount((3 + 1 + 6) + (3 + 1 + 1 + 1 + 1) + 3, true), counter.Count(Hello, "gpt-4o"));
        Assert.Equal(20, counter.UpperBound(Hello, "gpt-4o"));
        Assert.Equal(new TokenCount(8, true), counter.Count(Call(new ChatMessage(ChatRole.User, [new TextPart("hi")])), "gpt-4o"));
    }

    public static TheoryData<string> Inexact => ["claude-haiku-4-5", "gpt-5-mini", "tool", "format", "image", "two parts", "tool turn", "no rank file"];

    [Theory]
    [MemberData(nameof(Inexact))]
    public void Anything_else_is_an_estimate_below_its_upper_bound(string kind)
    {
        var counter = new TokenCounter(kind == "no rank file" ? RankFiles.Missing() : RankFiles.Loaded());
        var user = new ChatMessage(ChatRole.User, [new TextPart("hi")]);
        var call = kind switch
        {
            "tool" => Hello with { Tools = [new ToolDefinition("get_weather", "Weather of a city", """{"type":"object","properties":{"city":{"type":"string"}}}""")] },
            "format" => Hello with { ResponseFormat = new ResponseFormat("out", """{"type":"object"}""") },
            "image" => Call(new ChatMessage(ChatRole.User, [new ImagePart("https://x.test/a.png", null, null)])),
            "two parts" => Call(new ChatMessage(ChatRole.User, [new TextPart("a"), new TextPart("b")])),
            "tool turn" => Call(user, new ChatMessage(ChatRole.Assistant, [new ToolCallPart("1", "f", "{}")]), new ChatMessage(ChatRole.Tool, [new ToolResultPart("1", [new TextPart("x")])])),
            _ => Hello,
        };
        var model = kind is "claude-haiku-4-5" or "gpt-5-mini" ? kind : "gpt-4o-mini";
        var count = counter.Count(call, model);
        Assert.False(count.Exact);
        Assert.InRange(count.Tokens, 8, counter.UpperBound(call, model)!.Value);
    }

    [Fact]
    public void No_bound_is_claimed_where_none_is_known()
    {
        var counter = new TokenCounter(RankFiles.Missing());
        Assert.Null(counter.UpperBound(Call(new ChatMessage(ChatRole.User, [new OpaquePart("messages[0].content[0]", "document")])), "claude-haiku-4-5"));
        Assert.Null(counter.UpperBound(Hello with { DialectOnly = ["mcp_servers"] }, "claude-haiku-4-5"));
    }

    [Fact]
    public void A_field_only_the_vendor_knows_leaves_no_count_exact_and_no_bound()
    {
        var counter = new TokenCounter(RankFiles.Loaded());
        var call = Hello with { DialectOnly = ["functions"] };

        Assert.True(counter.Count(Hello, "gpt-4o").Exact);
        Assert.False(counter.Count(call, "gpt-4o").Exact);
        Assert.Null(counter.UpperBound(call, "gpt-4o"));
    }

    [Theory]
    [InlineData("\u0001\u0002\u0003\u0004")]
    [InlineData("漢字かな交じり文")]
    [InlineData("😀😀😀😀")]
    public void The_upper_bound_is_not_below_the_bytes(string text) =>
        Assert.True(new TokenCounter(RankFiles.Missing()).UpperBound(Call(new ChatMessage(ChatRole.User, [new TextPart(text)])), "claude-haiku-4-5") >= Encoding.UTF8.GetByteCount(text));

    [Fact]
    public void An_estimate_without_rank_files_is_near_the_truth()
    {
        const string Text = "The gate that meters water into a turbine is called a penstock; this one meters calls to models.";
        Assert.InRange(new TokenCounter(RankFiles.Missing()).CountText(Text, "gpt-4o"), 15, 30);
        Assert.Equal(21, new TokenCounter(RankFiles.Loaded()).CountText(Text, "gpt-4o"));
    }

    private static ChatCall Call(params ChatMessage[] messages) => new() { Dialect = Dialect.OpenAi, Model = "m", Messages = messages };
}
