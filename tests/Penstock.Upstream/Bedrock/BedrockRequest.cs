using System.Text.Json;
using System.Text.RegularExpressions;

namespace Penstock.Upstream.Bedrock;

/// <summary>Checks a Converse request, and whether the maker of its model takes it, and reduces it to an <see cref="Ask"/>.</summary>
internal sealed partial class BedrockRequest(string asked, bool stream)
{
    private static readonly string[] Known =
    [
        "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", "additionalModelRequestFields", "promptVariables", "additionalModelResponseFieldPaths",
        "requestMetadata", "performanceConfig", "serviceTier", "outputConfig",
    ];

    private readonly BedrockModel _model = BedrockModel.Find(asked);

    public Ask Read(JsonElement json)
    {
        if (_model.Maker == Maker.Titan) throw BedrockWording.Refuse("This action doesn't support the model that you provided. Try again with a supported text or chat model.");
        var body = new Field(json, "", BedrockWording.Instance).Only(Known);
        var tools = ReadTools(body);
        var messages = new BedrockMessages(body.Required("messages"), _model, tools is not null);
        var system = string.Join(' ', body.Optional("system")?.Items().Where(IsText).Select(block => BedrockMessages.Text(block)) ?? []);
        CheckExtra(body);
        var ask = new Ask
        {
            Model = new Model(asked, _model.MaxOutput),
            Stream = stream,
            RawText = messages.LastUserText,
            Markers = Marker.In(messages.LastUserText, asked),
            System = system,
            Turns = messages.Turns,
            ToolResults = messages.ToolResults,
            Images = messages.Images,
            InputTokens = messages.Tokens + Words.Count(system),
        };
        return ReadFormat(body, ReadInference(body, WithTools(body, ask, tools)));
    }

    private static bool IsText(Field block) => block.Only("text", "cachePoint").Optional("text") is not null;

    private Ask ReadInference(Field body, Ask ask)
    {
        if (body.Optional("inferenceConfig") is not { } config) return ask;
        config.Only("maxTokens", "temperature", "topP", "stopSequences");
        var most = config.Optional("maxTokens")?.Whole(1, int.MaxValue);
        if (most > _model.MaxOutput) throw BedrockWording.Refuse($"The maximum tokens you requested exceeds the model limit of {_model.MaxOutput}. Try again with a maximum tokens value that is lower than {_model.MaxOutput}.");
        config.Optional("temperature")?.Number(0, 1);
        config.Optional("topP")?.Number(0, 1);
        string[] stops = [.. config.Optional("stopSequences")?.Items(0, 2_500).Select(stop => stop.Text()) ?? []];
        if (Array.Exists(stops, string.IsNullOrWhiteSpace)) throw BedrockWording.Refuse("inferenceConfig.stopSequences: each stop sequence must contain non-whitespace text");
        return ask with { MaxTokens = most ?? ask.MaxTokens, Stops = stops };
    }

    private IReadOnlyList<AskTool>? ReadTools(Field body)
    {
        if (body.Optional("toolConfig") is not { } config) return null;
        if (stream && _model.Maker == Maker.Llama) throw BedrockWording.Refuse("This model doesn't support tool use in streaming mode.");
        return [.. config.Only("tools", "toolChoice").Required("tools").Items(1).Where(tool => tool.Only("toolSpec", "cachePoint").Optional("toolSpec") is not null).Select(ReadTool)];
    }

    private AskTool ReadTool(Field tool)
    {
        var spec = tool.Required("toolSpec").Only("name", "description", "inputSchema", "strict");
        var name = spec.Required("name");
        if (!NamePattern().IsMatch(name.Text())) throw name.Bad("Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+, with 1 to 64 characters");
        if (spec.Optional("description")?.Text() is { Length: 0 }) throw spec.Bad("description: Member must have length greater than or equal to 1");
        if (spec.Optional("strict") is not null && _model.Maker != Maker.Claude) throw Unsupported("strict");
        var schema = spec.Required("inputSchema").Only("json").Required("json").Object();
        schema.Required("type").OneOf("object");
        return new AskTool(name.Text(), schema.Optional("properties") is { } properties && properties.Value.EnumerateObject().Any() ? schema.Value.Clone() : null);
    }

    private Ask WithTools(Field body, Ask ask, IReadOnlyList<AskTool>? tools)
    {
        if (tools is null) return ask;
        ask = ask with { Tools = tools, InputTokens = ask.InputTokens + Words.Count(body.Required("toolConfig").Value.GetRawText()) };
        if (body.Required("toolConfig").Optional("toolChoice") is not { } choice) return ask;
        choice.Only("auto", "any", "tool");
        if (_model.Maker == Maker.Llama || (_model.Maker == Maker.Mistral && choice.Optional("tool") is not null)) throw Unsupported("toolConfig.toolChoice." + choice.Value.EnumerateObject().First().Name);
        if (choice.Optional("any") is not null) return ask with { Pick = ToolPick.Required };
        if (choice.Optional("tool") is not { } named) return ask;
        var name = named.Only("name").Required("name").Text();
        return tools.Any(tool => tool.Name == name) ? ask with { Pick = ToolPick.Named, PickedTool = name } : throw BedrockWording.Refuse($"The tool {name} of toolChoice is not among the tools.");
    }

    private Ask ReadFormat(Field body, Ask ask)
    {
        if (body.Optional("outputConfig") is not { } config) return ask;
        if (_model.Maker != Maker.Claude) throw Unsupported("outputConfig");
        if (config.Only("textFormat", "effort").Optional("textFormat") is not { } format) return ask;
        format.Only("type", "structure").Required("type").OneOf("json_schema");
        var schema = format.Required("structure").Only("jsonSchema").Required("jsonSchema").Only("schema", "name", "description").Required("schema").Text();
        using var parsed = JsonDocument.Parse(schema);
        return ask with { Json = true, Schema = parsed.RootElement.Clone() };
    }

    /// <summary>Goes to the model as it is: each maker knows its own.</summary>
    private void CheckExtra(Field body)
    {
        foreach (var path in body.Optional("additionalModelResponseFieldPaths")?.Items(0, 10) ?? [])
        {
            if (!path.Text().StartsWith('/')) throw path.Bad("must be a JSON pointer");
        }

        if (body.Optional("additionalModelRequestFields") is not { } extra) return;
        switch (_model.Maker)
        {
            case Maker.Claude: extra.Only("top_k", "thinking", "anthropic_beta").Optional("top_k")?.Whole(0, 500); break;
            case Maker.Mistral: extra.Only("top_k").Optional("top_k")?.Whole(1, 500); break;
            case Maker.Nova: extra.Only("inferenceConfig").Optional("inferenceConfig")?.Only("topK").Optional("topK")?.Whole(0, 128); break;
            default: extra.Only(); break;
        }
    }

    private static VendorRefusal Unsupported(string field) => BedrockWording.Refuse($"This model doesn't support the {field} field. Remove {field} and try again.");

    [GeneratedRegex(@"^[a-zA-Z0-9_-]{1,64}\z")]
    private static partial Regex NamePattern();
}
