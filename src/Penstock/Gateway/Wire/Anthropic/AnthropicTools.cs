using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>Reads <c>tools</c> and <c>tool_choice</c>. Tools that Anthropic runs itself are noted by path.</summary>
internal sealed class AnthropicTools(List<string> dialectOnly)
{
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private bool _given;
    private bool _serverTools;

    public IReadOnlyList<ToolDefinition> Read(JsonView? tools)
    {
        if (tools is not { } view) return [];
        var read = new List<ToolDefinition>();
        foreach (var tool in view.Items())
        {
            _given = true;
            if (tool.Optional("type")?.Text() is { } type && type != "custom")
            {
                _serverTools = true;
                dialectOnly.Add(tool.Path);
            }
            else
            {
                read.Add(ReadTool(tool));
            }
        }

        return read;
    }

    public (ToolChoice? Choice, bool? Parallel) ReadChoice(JsonView? choice)
    {
        if (choice is not { } view) return (null, null);
        if (!_given) throw view.Bad("chooses among tools, and 'tools' has none");
        var kind = view.Required("type").OneOf("auto", "any", "tool", "none");
        dialectOnly.NoteUnknown(view, "type", "name", "disable_parallel_tool_use");
        var read = kind switch
        {
            "auto" => new ToolChoice(ToolChoiceKind.Auto),
            "any" => new ToolChoice(ToolChoiceKind.Required),
            "none" => new ToolChoice(ToolChoiceKind.None),
            _ => new ToolChoice(ToolChoiceKind.Named, ReadChosen(view.Required("name"))),
        };
        return (read, view.Optional("disable_parallel_tool_use")?.Flag() is { } disabled ? !disabled : null);
    }

    private string ReadChosen(JsonView name)
    {
        var chosen = name.NonEmptyText();
        return _serverTools || _names.Contains(chosen) ? chosen : throw name.Bad("is the name of no tool in 'tools'");
    }

    private ToolDefinition ReadTool(JsonView tool)
    {
        var name = tool.Required("name");
        if (!_names.Add(name.NonEmptyText())) throw name.Bad("is the name of an earlier tool; names must differ");
        var schema = tool.Required("input_schema");
        if (schema.Kind != JsonValueKind.Object) throw schema.Bad("must be a JSON Schema, an object");
        foreach (var (member, value) in tool.Members())
        {
            if (!IsRead(member) && !AsksForNothing(member, value)) dialectOnly.Add(value.Path);
        }

        return new ToolDefinition(name.Text(), tool.Optional("description")?.Text(), schema.Raw(), tool.Optional("strict")?.Flag()) { Cache = DialectOnly.CacheOf(tool) };
    }

    private static bool IsRead(string member) => member is "type" or "name" or "description" or "input_schema" or "strict" or "cache_control";

    private static bool AsksForNothing(string member, JsonView value) => (member, value.Kind) switch
    {
        (_, JsonValueKind.Null) => true,
        ("defer_loading" or "eager_input_streaming", _) => !value.Flag(),
        ("input_examples", _) => value.Count == 0,
        ("allowed_callers", _) => value.Items().All(caller => caller.Text() == "direct"),
        _ => false,
    };
}
