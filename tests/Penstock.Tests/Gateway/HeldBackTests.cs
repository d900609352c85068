using Penstock.Gateway;
using Xunit;

namespace Penstock.Tests.Gateway;

public sealed class HeldBackTests
{
    private static readonly ProviderFrame Started = new(null, default, [new AnswerStarted("1", "m"), new UsageReported(default, false)]);
    private static readonly ProviderFrame Ping = new("ping", default, []);

    public static TheoryData<ChatUpdate> Contents() =>
    [
        new TextDelta(0, "a"), new RefusalDelta(0, "a"), new ThinkingDelta("a"), new ThinkingSigned("a"), new ThinkingRedacted("a"), new ToolCallStarted(0, 0, "1", "f"), new ToolCallDelta(0, 0, "{"),
        new Finished(0, FinishReason.Stop),
    ];

    [Theory]
    [MemberData(nameof(Contents))]
    public void What_only_begins_an_answer_waits_for_its_first_content(ChatUpdate content)
    {
        var held = new HeldBack();
        Assert.Empty(held.Take(Started));
        Assert.Empty(held.Take(Ping));
        var first = new ProviderFrame(null, default, [content]);

        Assert.Equal([Started, Ping, first], held.Take(first));
        Assert.Equal([Ping], held.Take(Ping));
    }

    [Fact]
    public void An_end_ends_the_wait() => Assert.Single(new HeldBack().Take(new ProviderFrame("message_stop", default, [new UsageReported(default, true)], Last: true)));

    [Fact]
    public void A_delta_of_a_kind_that_only_the_clients_dialect_knows_is_content()
    {
        var held = new HeldBack();
        Assert.Empty(held.Take(new ProviderFrame("content_block_start", default, [])));
        Assert.Equal(2, held.Take(new ProviderFrame("content_block_delta", default, [])).Count);
    }

    [Fact]
    public void More_than_any_beginning_has_is_content_of_some_kind()
    {
        var held = new HeldBack();
        for (var i = 0; i < 31; i++) Assert.Empty(held.Take(Ping));

        Assert.Equal(32, held.Take(Ping).Count);
    }
}
