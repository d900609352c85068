using System.Text.Json;
using Penstock.Kernel;
using Penstock.Prompts;

namespace Penstock.Gateway.Wire.Native;

/// <summary>Reads a request's parameters; <see cref="NativeMessages"/> reads what was said.</summary>
internal static class NativeRequest
{
    /// <summary>What a request without <c>model</c> asks for.</summary>
    private const string UsualTier = "standard";

    private const int MostStops = 16;
    private const int LongestName = 64;
    private const int LongestLabel = 200;

    private static readonly string[] Fields =
    [
        "messages", "model", "temperature", "topP", "topK", "maxTokens", "systemPrompt", "stop", "seed", "stream", "tools", "toolChoice",
        "parallelToolCalls", "responseFormat", "user", "frequencyPenalty", "presencePenalty", "conversation",
        "task", "template", "variables",
    ];

    public static ChatCall Read(ReadOnlyMemory<byte> body)
    {
        var root = JsonView.Parse(body);
        root.AllowOnly(Fields);
        var tools = root.Optional("tools") is { } given ? Tools(given) : [];
        var wanted = Template(root);
        return new ChatCall
        {
            Dialect = Dialect.Native,
            Body = body,
            Model = root.Optional("model")?.NonEmptyText() ?? UsualTier,
            Messages = wanted is not null && root.Optional("messages") is null ? [] : NativeMessages.Read(root),
            Wanted = wanted,
            Tools = tools,
            ToolChoice = root.Optional("toolChoice") is { } choice ? Choice(choice, tools) : null,
            ParallelToolCalls = root.Optional("parallelToolCalls")?.Flag(),
            ResponseFormat = root.Optional("responseFormat") is { } format ? Format(format) : null,
            MaxOutputTokens = root.Optional("maxTokens")?.Whole(min: 1),
            Temperature = root.Optional("temperature")?.Number(0, 2),
            TopP = root.Optional("topP")?.Number(0, 1),
            TopK = root.Optional("topK")?.Whole(min: 1),
            FrequencyPenalty = root.Optional("frequencyPenalty")?.Number(-2, 2),
            PresencePenalty = root.Optional("presencePenalty")?.Number(-2, 2),
            Stop = root.Optional("stop") is { } stop ? Stops(stop) : [],
            Seed = root.Optional("seed")?.WholeLong(),
            EndUser = root.Optional("user") is { } user ? user.ShortText(LongestLabel) : null,
            Conversation = root.Optional("conversation") is { } conversation ? conversation.ShortText(LongestLabel) : null,
            Task = root.Optional("task")?.ShortText(LongestName),
            Stream = root.Optional("stream")?.Flag() ?? false,
        };
    }

    /// <summary>Null where the request brings its whole prompt.</summary>
    private static WantedTemplate? Template(JsonView root)
    {
        var variables = root.Optional("variables");
        if (root.Optional("template") is not { } named) return variables is { } lost ? throw lost.Bad("are a template's, and the request has no 'template'") : null;
        if (root.Optional("systemPrompt") is { } twice) throw twice.Bad("and 'template' both say what the system prompt is; give one of the two");
        var values = variables?.Members().ToDictionary(member => member.Name, member => member.Value.Text()) ?? [];
        return new WantedTemplate(PromptReference.Parse(named.Text(), named.Path), values, root.Optional("model")?.Text());
    }

    private static List<ToolDefinition> Tools(JsonView given)
    {
        var tools = new List<ToolDefinition>(given.Count);
        var names = new HashSet<string>();
        foreach (var item in given.Items())
        {
            item.AllowOnly("name", "description", "parameters", "strict");
            var name = item.Required("name");
            if (!names.Add(Name(name))) throw name.Bad($"names the tool '{name.Text()}' a second time; give each tool a name of its own");
            tools.Add(new ToolDefinition(
                name.Text(),
                item.Optional("description")?.Text(),
                item.Optional("parameters") is { } parameters ? SchemaText(parameters) : null,
                item.Optional("strict")?.Flag()));
        }

        return tools;
    }

    private static ToolChoice Choice(JsonView given, List<ToolDefinition> tools)
    {
        if (given.Kind == JsonValueKind.String)
        {
            var word = given.OneOf("auto", "none", "required");
            if (word == "required" && tools.Count == 0) throw given.Bad("asks for a tool call, but the request has no 'tools'");
            return new ToolChoice(word switch { "auto" => ToolChoiceKind.Auto, "none" => ToolChoiceKind.None, _ => ToolChoiceKind.Required });
        }

        given.AllowOnly("name");
        var name = given.Required("name");
        if (!tools.Exists(tool => tool.Name == name.Text())) throw name.Bad($"names the tool '{Shown(name.Text())}', which is not among 'tools'");
        return new ToolChoice(ToolChoiceKind.Named, name.Text());
    }

    private static ResponseFormat Format(JsonView given)
    {
        given.AllowOnly("type", "name", "schema", "strict");
        given.Required("type").OneOf("json");
        var name = given.Optional("name") is { } named ? Name(named) : null;
        var schema = given.Optional("schema") is { } described ? SchemaText(described) : null;
        var strict = given.Optional("strict")?.Flag();
        if (schema is null && name is not null) throw given.Bad("has a 'name' but no 'schema' to name");
        if (schema is null && strict is true) throw given.Bad("is 'strict' but has no 'schema' to be strict about");
        return new ResponseFormat(name, schema, strict);
    }

    private static List<string> Stops(JsonView given)
    {
        if (given.Kind == JsonValueKind.String) return [given.NonEmptyText()];
        if (given.Count > MostStops) throw given.Bad($"holds {given.Count} stop sequences; at most {MostStops} are taken");
        return [.. given.Items().Select(item => item.NonEmptyText())];
    }

    internal static string Name(JsonView given)
    {
        var name = given.NonEmptyText();
        var sound = name.Length <= LongestName && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-');
        return sound ? name : throw given.Bad($"must be 1 to {LongestName} letters, digits, '_' or '-'");
    }

    private static string SchemaText(JsonView given) => given.Kind == JsonValueKind.Object ? given.Raw() : throw given.Bad("must be a JSON Schema object");

    private static string Shown(string name) => name.Length <= LongestName ? name : name[..LongestName] + "…";
}
