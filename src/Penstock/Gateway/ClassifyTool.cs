using System.Text.Json;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Wire;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Gateway;

/// <summary><c>classify</c>: the label that fits a text best, or all that fit.</summary>
internal sealed class ClassifyTool(ChatPipeline pipeline) : TaskTool(pipeline)
{
    public override ToolSpec Spec { get; } = Of("classify", "Chooses among labels for a text: the one that fits best, or with 'multiple' all that fit.", """
        {
          "type": "object",
          "properties": {
            "text": {"type": "string", "minLength": 1},
            "labels": {"type": "array", "minItems": 2, "maxItems": 100, "uniqueItems": true, "items": {"type": "string", "minLength": 1, "maxLength": 200}},
            "multiple": {"type": "boolean"},
            "model": {"type": "string", "minLength": 1, "description": "Model, alias or tier; fast where absent"}
          },
          "required": ["text", "labels"],
          "additionalProperties": false
        }
        """, """
        {
          "type": "object",
          "properties": {"text": {"type": "string", "description": "The labels, with commas between them"}, "labels": {"type": "array", "items": {"type": "string"}}},
          "required": ["text", "labels"],
          "additionalProperties": false
        }
        """);

    protected override ChatCall Ask(JsonView arguments)
    {
        var (labels, multiple) = (Labels(arguments), IsMultiple(arguments));
        var instruction = multiple ? "Name every label that fits the text the user sends, or none." : "Name the one label that fits the text the user sends best.";
        return Ask(arguments, $"{instruction} Labels: {string.Join(", ", labels)}.", new ResponseFormat(TaskSchema.Field(multiple), TaskSchema.Of(TaskSchema.Field(multiple), labels, multiple), Strict: true));
    }

    protected override JsonElement Read(JsonView arguments, FoldedChoice answer, Target target)
    {
        var (labels, multiple) = (Labels(arguments), IsMultiple(arguments));
        var chosen = Chosen(ReadObject(answer, target), multiple, target).Where(labels.Contains).Distinct().ToArray();
        if (!multiple && chosen.Length == 0) throw Unfit(target, "named none of the labels");
        return JsonOutput.Of(json =>
        {
            json.WriteString("text", string.Join(", ", chosen));
            json.WriteStartArray("labels");
            foreach (var label in chosen) json.WriteStringValue(label);
            json.WriteEndArray();
        });
    }

    private static string[] Chosen(JsonView answer, bool multiple, Target target)
    {
        try
        {
            var named = answer.Required(TaskSchema.Field(multiple));
            return multiple ? [.. named.Items().Select(item => item.Text())] : [named.Text()];
        }
        catch (RefusedException)
        {
            throw Unfit(target, "did not answer in the form asked for");
        }
    }

    private static string[] Labels(JsonView arguments) => [.. arguments.Required("labels").Items().Select(label => label.Text())];

    private static bool IsMultiple(JsonView arguments) => arguments.Optional("multiple")?.Flag() ?? false;
}
