using System.Globalization;
using Penstock.Kernel;
using Penstock.Prompts;

namespace Penstock.Gateway.Tasks;

/// <summary>A short text that keeps what matters of a long one.</summary>
internal sealed class SummariseTask : TextTask
{
    private const int Most = 20;
    private const int Usual = 3;

    public override UseCase UseCase => UseCase.Summarise;

    public override IReadOnlyList<string> Fields { get; } = ["sentences"];

    public override TaskAsk Read(JsonView input)
    {
        var text = input.Required("text").NonEmptyText();
        var sentences = input.Optional("sentences")?.Whole(1, Most) ?? Usual;
        return new TaskAsk(Values(("text", text), ("sentences", sentences.ToString(CultureInfo.InvariantCulture))), _ => null, answer =>
        {
            var summary = answer.Text.Trim();
            if (summary.Length == 0) return TaskResult.No(answer.Refusal is null ? "answered nothing" : "declined to answer");
            return TaskResult.Of(output =>
            {
                output.WriteString("summary", summary);
                output.WriteBoolean("truncated", answer.Reason == FinishReason.Length);
            });
        });
    }
}
