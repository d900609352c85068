using System.Globalization;
using System.Text.Json;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Gateway;

/// <summary><c>summarize</c>: a short text that keeps what matters of a long one.</summary>
internal sealed class SummarizeTool(ChatPipeline pipeline) : TaskTool(pipeline)
{
    private const int Usual = 3;

    public override ToolSpec Spec { get; } = Of("summarize", "Summarizes a text in a few sentences.", """
        {
          "type": "object",
          "properties": {
            "text": {"type": "string", "minLength": 1},
            "sentences": {"type": "integer", "minimum": 1, "maximum": 20, "description": "3 where absent"},
            "model": {"type": "string", "minLength": 1, "description": "Model, alias or tier; fast where absent"}
          },
          "required": ["text"],
          "additionalProperties": false
        }
        """, """
        {
          "type": "object",
          "properties": {"text": {"type": "string", "description": "The summary"}, "truncated": {"type": "boolean"}},
          "required": ["text", "truncated"],
          "additionalProperties": false
        }
        """);

    protected override ChatCall Ask(JsonView arguments) => Ask(
        arguments,
        string.Create(CultureInfo.InvariantCulture, $"Summarize the text that the user sends in {arguments.Optional("sentences")?.Whole(1, 20) ?? Usual} sentences. Say nothing that it does not say."),
        null);

    protected override JsonElement Read(JsonView arguments, FoldedChoice answer, Target target)
    {
        var summary = answer.Text.Trim();
        if (summary.Length == 0) throw Unfit(target, answer.Refusal is null ? "answered nothing" : "declined to answer");
        return JsonOutput.Of(json =>
        {
            json.WriteString("text", summary);
            json.WriteBoolean("truncated", answer.Reason == FinishReason.Length);
        });
    }
}
