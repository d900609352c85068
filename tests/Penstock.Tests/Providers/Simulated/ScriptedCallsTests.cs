using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Providers.Simulated;
using Penstock.Tests.Providers.Local;
using Xunit;

namespace Penstock.Tests.Providers.Simulated;

public sealed class ScriptedCallsTests
{
    private static readonly ToolDefinition[] Tools = [new("look", null, null), new("wait", null, null)];

    private readonly ManualTime _time = new();

    [Theory]
    [InlineData("[[tool look {\"a\": 1}]]", "1", "look {\"a\": 1}")]
    [InlineData("first [[tool look {}]] and [[tool wait {\"s\":[1]}]]\nthen [[tool look {\"b\":2}]]", "2 1", "look {}|wait {\"s\":[1]}|look {\"b\":2}")]
    [InlineData("[[tool look {\"n\":\"{{i}}\"} x3]]\n[[tool wait {\"n\":\"{{i}}\"}]]", "3 1", "look {\"n\":\"1\"}|look {\"n\":\"2\"}|look {\"n\":\"3\"}|wait {\"n\":\"4\"}")]
    [InlineData("[[tool gone {}]] [[tool look {\"a\":\"]]\"}]]", "1", "look {\"a\":\"]]\"}")]
    [InlineData("{\"topic\":\"[[tool look {\\\"q\\\":\\\"x\\\"}]]\",\"more\":[\"[[tool wait {}]]\"]}", "1 1", "look {\"q\":\"x\"}|wait {}")]
    [InlineData("nothing [[here]] [tool look {}]", "", "")]
    public async Task What_is_written_down_is_called_line_by_line_and_then_comes_the_text(string text, string turns, string calls)
    {
        var talk = await new ToolTalks { Answers = (_, _) => "[[tool look {\"from\":\"a result\"}]]" }.RunAsync(text, Tools, provider: New());
        Assert.Equal(turns, string.Join(' ', talk.Turns));
        Assert.Equal(calls, string.Join('|', talk.Calls.Select(made => $"{made.Name} {made.Arguments}")));
        Assert.StartsWith("This answer is simulated:", talk.Answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_choice_of_the_client_goes_before_the_script()
    {
        const string Text = "[[tool look {}]] [[tool wait {}]]";
        Assert.Empty((await new ToolTalks().RunAsync(Text, Tools, provider: New(), change: call => call with { ToolChoice = new ToolChoice(ToolChoiceKind.None) })).Calls);
        Assert.Equal([1, 1], (await new ToolTalks().RunAsync(Text, Tools, provider: New(), change: call => call with { ParallelToolCalls = false })).Turns);
        var call = Asking.Call(Text) with { Tools = Tools, ToolChoice = new ToolChoice(ToolChoiceKind.Named, "wait") };
        Assert.Equal("wait", Assert.Single((await Asking.Whole(New(), new ProviderCall(call, "simulated", null, new Penstock.Kernel.AttemptId("a")))).First.ToolCalls).Name);
    }

    [Theory]
    [InlineData("[[tool look {a}]]", "arguments as a JSON object")]
    [InlineData("[[tool look 7]]", "arguments as a JSON object")]
    [InlineData("[[tool look {\"a\":", "arguments as a JSON object")]
    [InlineData("[[tool look {}", "must end with ]]")]
    [InlineData("[[tool look {} x0]]", "must end with ]]")]
    [InlineData("[[tool look {} x1001]]", "must end with ]]")]
    public async Task A_script_that_cannot_be_read_is_refused(string text, string problem)
    {
        var thrown = await Assert.ThrowsAsync<ProviderException>(() => new ToolTalks().RunAsync(text, Tools, provider: New()));
        Assert.Equal(("invalid_script", ProviderFault.Rejected), (thrown.Code, thrown.Fault));
        Assert.Contains(problem, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Calls_are_paced_as_text_is()
    {
        var call = new ProviderCall(Asking.Call("[[tool look {}]]") with { Tools = Tools }, "5x10", null, new Penstock.Kernel.AttemptId("a"));
        var answer = Asking.Whole(New(), call);
        _time.Advance(TimeSpan.FromMilliseconds(19));
        Assert.False(answer.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(2, (await answer.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken)).Usage!.Counts.Output);
    }

    private SimulatedProvider New() => new("simulated", _time);
}
