using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.OpenAi;

/// <summary>Reads <c>tools</c> and <c>tool_choice</c>.</summary>
internal static class OpenAiToolReader
{
    private const int LongestName = 256;

    public static void ReadTools(OpenAiDraft draft, JsonView tools)
    {
        foreach (var tool in tools.Items())
        {
            if (OpenAiFields.Object(tool).Required("type").NonEmptyText() == "function")
            {
                draft.Tools.Add(ReadFunction(tool, draft.DialectOnly));
                continue;
            }

            draft.ForeignTools = true;
            OpenAiFields.List(tool, draft.DialectOnly);
        }
    }

    public static void ReadChoice(OpenAiDraft draft, JsonView choice)
    {
        if (choice.Kind == JsonValueKind.String)
        {
            draft.ToolChoice = choice.OneOf("auto", "none", "required") switch
            {
                "none" => new ToolChoice(ToolChoiceKind.None),
                "required" => new ToolChoice(ToolChoiceKind.Required),
                _ => new ToolChoice(ToolChoiceKind.Auto),
            };
            return;
        }

        if (choice.Kind != JsonValueKind.Object) throw choice.Bad("must be 'auto', 'none', 'required' or {\"type\":\"function\",\"function\":{\"name\":…}}");
        if (choice.Required("type").NonEmptyText() == "function")
            draft.ToolChoice = new ToolChoice(ToolChoiceKind.Named, OpenAiFields.ShortText(OpenAiFields.Object(choice.Required("function")).Required("name"), LongestName));
        else
            OpenAiFields.List(choice, draft.DialectOnly);
    }

    private static ToolDefinition ReadFunction(JsonView tool, List<string> dialectOnly)
    {
        var function = OpenAiFields.Object(tool.Required("function"));
        OpenAiFields.ListUnknown(tool, dialectOnly, "type", "function");
        OpenAiFields.ListUnknown(function, dialectOnly, "name", "description", "parameters", "strict");
        return new ToolDefinition(
            OpenAiFields.ShortText(function.Required("name"), LongestName),
            function.Optional("description")?.Text(),
            function.Optional("parameters") is { } schema ? OpenAiFields.Object(schema).Raw() : null,
            function.Optional("strict")?.Flag());
    }
}
