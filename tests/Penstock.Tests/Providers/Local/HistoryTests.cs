using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Providers.Simulated;
using Xunit;

namespace Penstock.Tests.Providers.Local;

public sealed class HistoryTests
{
    /// <summary>A letter a message: u and a talk, 1 to 9 calls tools with these ids, a lower letter after r is a result: <c>r1</c>.</summary>
    [Theory]
    [InlineData("u c1 r1", null)]
    [InlineData("u c1,2 r2 r1 u", null)]
    [InlineData("u c1 r1 c1 r1 a", null)]
    [InlineData("u a u", null)]
    [InlineData("u c1", "'1' in messages[1] has no result")]
    [InlineData("u c1 u", "'1' in messages[1] has no result")]
    [InlineData("u c1,2 r1", "'2' in messages[1] has no result")]
    [InlineData("u c1,2 r1 u r2", "'2' in messages[1] has no result")]
    [InlineData("u c1 c2 r1 r2", "'1' in messages[1] has no result")]
    [InlineData("u r1", "result of '1' in messages[1] follows no call")]
    [InlineData("u c1 r1 r1", "result of '1' in messages[3] follows no call")]
    [InlineData("u c1 r2", "result of '2' in messages[2] follows no call")]
    [InlineData("u c1,1 r1", "'1' stands twice in messages[1]")]
    public async Task A_history_that_no_vendor_takes_is_refused_by_name(string history, string? problem)
    {
        IReadOnlyList<ChatMessage> messages = [.. history.Split(' ').Select(Message)];
        foreach (var provider in new IChatProvider[] { Asking.Provider, new SimulatedProvider("simulated", new ManualTime()) })
        {
            var call = new ProviderCall(Asking.Call("") with { Messages = messages }, provider == Asking.Provider ? "local" : "simulated", null, new Penstock.Kernel.AttemptId("att_1"));
            if (problem is null)
            {
                Assert.NotEmpty(await Asking.Frames(provider, call));
                continue;
            }

            var thrown = await Assert.ThrowsAsync<ProviderException>(() => Asking.Frames(provider, call));
            Assert.Contains(problem, thrown.Message, StringComparison.Ordinal);
            Assert.Equal((ProviderFault.Rejected, 400), (thrown.Fault, thrown.Status));
            Assert.StartsWith("messages[", thrown.Field, StringComparison.Ordinal);
        }
    }

    private static ChatMessage Message(string text) => text[0] switch
    {
        'u' => new ChatMessage(ChatRole.User, [new TextPart("hello there")]),
        'a' => new ChatMessage(ChatRole.Assistant, [new TextPart("well")]),
        'r' => new ChatMessage(ChatRole.Tool, [new ToolResultPart(text[1..], [new TextPart("x")])]),
        _ => new ChatMessage(ChatRole.Assistant, [.. text[1..].Split(',').Select(id => new ToolCallPart(id, "look", "{}"))]),
    };
}
