using Penstock.Gateway;
using Penstock.Gateway.Wire;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Wire;

public sealed class AnswerFoldTests
{
    [Fact]
    public void Parts_stand_in_the_order_in_which_they_began()
    {
        var choice = Fold(
            new AnswerStarted("msg_1", "m"),
            new ThinkingDelta("let me "), new ThinkingDelta("see"), new ThinkingSigned("sig-1"),
            new ThinkingDelta("more"), new ThinkingRedacted("opaque-1"), new ThinkingRedacted("opaque-2"),
            new TextDelta(0, "Two "), new TextDelta(0, "calls."),
            new ToolCallStarted(0, 0, "a", "first"), new ToolCallStarted(0, 1, "b", "second"),
            new ToolCallDelta(0, 1, "{\"y\":"), new ToolCallDelta(0, 0, "{\"x\":1}"), new ToolCallDelta(0, 1, "2}"),
            new TextDelta(0, "Done."),
            new Finished(0, FinishReason.ToolCalls)).First;

        Assert.Equal(
            [
                new ThinkingPart("let me see", "sig-1"), new ThinkingPart("more", null),
                new RedactedThinkingPart("opaque-1"), new RedactedThinkingPart("opaque-2"),
                new TextPart("Two calls."), new ToolCallPart("a", "first", "{\"x\":1}"), new ToolCallPart("b", "second", "{\"y\":2}"),
                new TextPart("Done."),
            ],
            choice.Parts);
        Assert.Equal("Two calls.Done.", choice.Text);
        Assert.Equal(["a", "b"], choice.ToolCalls.Select(call => call.Id));
        Assert.Equal(FinishReason.ToolCalls, choice.Reason);
        Assert.Null(choice.Refusal);
    }

    [Fact]
    public void A_call_without_a_piece_of_arguments_has_an_empty_object() =>
        Assert.Equal("{}", Fold(new ToolCallStarted(0, 0, "a", "now")).First.ToolCalls.Single().Arguments);

    [Fact]
    public void The_last_usage_report_stands()
    {
        var fold = Fold(new UsageReported(TokenCounts.Of(9, 1), false), new UsageReported(TokenCounts.Of(9, 7), true));
        Assert.Equal(new UsageReported(TokenCounts.Of(9, 7), true), fold.Usage);
    }

    [Fact]
    public void Choices_are_told_apart_and_ordered()
    {
        var fold = Fold(
            new TextDelta(1, "b"), new TextDelta(0, "a"), new RefusalDelta(1, "no"),
            new Finished(0, FinishReason.StopSequence, "END"), new Finished(1, FinishReason.Length));
        Assert.Equal([(0, "a", null, FinishReason.StopSequence, "END"), (1, "b", "no", FinishReason.Length, null)],
            fold.Choices.Select(choice => (choice.Index, choice.Text, choice.Refusal, choice.Reason!.Value, choice.StopSequence)));
    }

    [Fact]
    public void An_empty_answer_still_has_its_first_choice()
    {
        var fold = Fold(new AnswerStarted("", ""));
        Assert.Null(fold.Id);
        Assert.Null(fold.Model);
        Assert.Equal("", Assert.Single(fold.Choices).Text);
        Assert.Null(fold.First.Reason);
    }

    [Fact]
    public void A_piece_of_a_call_that_never_started_is_a_bug() =>
        Assert.Throws<InvalidOperationException>(() => Fold(new ToolCallDelta(0, 3, "{}")));

    private static AnswerFold Fold(params ChatUpdate[] updates) => new AnswerFold().Add(new ProviderFrame(null, default, updates, Last: true));
}
