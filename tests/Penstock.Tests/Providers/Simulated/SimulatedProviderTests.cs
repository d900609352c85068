using System.Text.Json;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.Simulated;
using Penstock.Tests.Providers.Local;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Providers.Simulated;

public sealed class SimulatedProviderTests
{
    private static readonly ToolDefinition Weather = new("get_weather", "Weather", """{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1}},"required":["city","days"]}""");
    private static readonly ToolDefinition Now = new("now", null, null);

    private readonly ManualTime _time = new();

    [Theory]
    [InlineData("simulated", 20)]
    [InlineData("", 20)]
    [InlineData("7x0", 7)]
    [InlineData("simulated/50x0", 50)]
    public async Task The_model_says_how_many_tokens_and_usage_is_exact(string model, int tokens)
    {
        var fold = await Asking.Whole(New(), Call(model));
        Assert.Equal(new UsageReported(TokenCounts.Of(2, tokens), true, "standard"), fold.Usage);
        Assert.Equal(FinishReason.Stop, fold.First.Reason);
        Assert.StartsWith("This answer is simulated:", fold.First.Text, StringComparison.Ordinal);
        Assert.Equal(tokens, (await Asking.Frames(New(), Call(model, stream: true))).Count - 1);
        Assert.Equal(fold.First.Text, (await Asking.Whole(New(), Call(model, stream: true))).First.Text);
    }

    [Theory]
    [InlineData("gpt-4o")]
    [InlineData("0x1")]
    [InlineData("10x-1")]
    [InlineData("10x1x1")]
    [InlineData("9999999x0")]
    [InlineData("99999999999999999999x0")]
    public async Task A_name_that_is_no_pace_is_unknown(string model) =>
        Assert.Equal(ProviderFault.ModelUnknown, (await Assert.ThrowsAsync<ProviderException>(() => Asking.Whole(New(), Call(model)))).Fault);

    [Fact]
    public async Task Tokens_come_at_their_pace()
    {
        await using var frames = New().ChatAsync(Call("3x10", stream: true), TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        for (var i = 0; i < 3; i++)
        {
            var next = frames.MoveNextAsync().AsTask();
            Assert.False(next.IsCompleted);
            _time.Advance(TimeSpan.FromMilliseconds(9));
            Assert.False(next.IsCompleted);
            _time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.True(await next.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
        }

        Assert.True(await frames.MoveNextAsync());
        Assert.True(frames.Current.Last);
    }

    [Fact]
    public async Task A_whole_answer_comes_when_its_last_token_would()
    {
        var answer = Asking.Whole(New(), Call("3x10"));
        _time.Advance(TimeSpan.FromMilliseconds(29));
        Assert.False(answer.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(3, (await answer.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken)).Usage!.Counts.Output);
    }

    [Fact]
    public async Task Cancellation_ends_the_wait()
    {
        using var gone = new CancellationTokenSource();
        var answer = Asking.FramesUntil(New(), Call("3x10"), gone.Token);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(ToolChoiceKind.Auto, "go parallel", null, "")]
    [InlineData(ToolChoiceKind.None, "go parallel", null, "")]
    [InlineData(ToolChoiceKind.Required, "go", null, "get_weather")]
    [InlineData(ToolChoiceKind.Required, "go in parallel", null, "get_weather now")]
    [InlineData(ToolChoiceKind.Required, "go in parallel", false, "get_weather")]
    [InlineData(ToolChoiceKind.Named, "go", null, "now")]
    [InlineData(ToolChoiceKind.Named, "go in parallel", null, "now now")]
    public async Task Tools_are_called_where_one_must_be(ToolChoiceKind kind, string text, bool? parallel, string names)
    {
        foreach (var stream in new[] { false, true })
        {
            var call = Call("simulated", text, stream);
            var choice = new ToolChoice(kind, kind == ToolChoiceKind.Named ? "now" : null);
            var fold = await Asking.Whole(New(), call with { Call = call.Call with { Tools = [Weather, Now], ToolChoice = choice, ParallelToolCalls = parallel } });
            Assert.Equal(names, string.Join(' ', fold.First.ToolCalls.Select(made => made.Name)));
            Assert.Equal(names.Length > 0 ? FinishReason.ToolCalls : FinishReason.Stop, fold.First.Reason);
            Assert.Equal(fold.First.ToolCalls.Count, fold.First.ToolCalls.Select(made => made.Id).Distinct().Count());
            Assert.All(fold.First.ToolCalls, made => Assert.Equal(made.Name == "now" ? "{}" : """{"city":"","days":1}""", made.Arguments));
            Assert.Equal(names.Length == 0, fold.First.Text.Length > 0);
        }
    }

    [Fact]
    public async Task A_schema_is_filled_and_stop_and_length_are_obeyed()
    {
        var call = Call("simulated");
        var json = await Asking.Whole(New(), call with { Call = call.Call with { ResponseFormat = new ResponseFormat("out", Weather.Schema) } });
        Assert.Equal("""{"city":"","days":1}""", json.First.Text);
        var anyObject = await Asking.Whole(New(), call with { Call = call.Call with { ResponseFormat = new ResponseFormat(null, null) } });
        using var parsed = JsonDocument.Parse(anyObject.First.Text);
        var stopped = await Asking.Whole(New(), call with { Call = call.Call with { Stop = [" flows"] } });
        Assert.Equal(("This answer is simulated: water", FinishReason.StopSequence, " flows", 6L), (stopped.First.Text, stopped.First.Reason, stopped.First.StopSequence, stopped.Usage!.Counts.Output));
        var cut = await Asking.Whole(New(), call with { MaxOutputTokens = 2 });
        Assert.Equal(("This answer", FinishReason.Length, 2L), (cut.First.Text, cut.First.Reason, cut.Usage!.Counts.Output));
    }

    [Fact]
    public async Task Images_and_tool_turns_are_accepted_and_counted()
    {
        var call = Call("simulated");
        var turns = new ChatMessage[]
        {
            new(ChatRole.User, [new TextPart("see"), new ImagePart("https://x.test/a.png", null, null)]),
            new(ChatRole.Assistant, [new ToolCallPart("1", "now", "{}")]),
            new(ChatRole.Tool, [new ToolResultPart("1", [new TextPart("noon sharp")])]),
        };
        var asked = call with { Call = call.Call with { Messages = turns } };
        Assert.Null(New().Objects(asked));
        Assert.Equal(1 + 85 + 1 + 2 + 2, (await Asking.Whole(New(), asked)).Usage!.Counts.Input);
        Assert.Equal(new TokenCount(91, true), await New().CountAsync(asked, TestContext.Current.CancellationToken));
        Assert.Equal("n", New().Objects(call with { Call = call.Call with { Choices = 2 } })!.Field);
    }

    private SimulatedProvider New() => new("simulated", _time);

    private static ProviderCall Call(string model, string text = "hello there", bool stream = false) =>
        new(Asking.Call(text) with { Stream = stream }, model, null, new AttemptId("att_1"));
}
