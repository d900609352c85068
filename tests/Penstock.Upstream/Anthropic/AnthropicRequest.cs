using System.Text.Json;
using System.Text.RegularExpressions;

namespace Penstock.Upstream.Anthropic;

/// <summary>Checks a messages or count request as Anthropic does and reduces it to an <see cref="Ask"/>.</summary>
internal sealed partial class AnthropicRequest(IReadOnlyList<Model> models)
{
    public const string Version2023 = "2023-06-01";

    /// <summary>Knows no sampling parameters, and no citations in what the user says.</summary>
    public const string Version2026 = "2026-10-21";

    private static readonly string[] Counted = ["messages", "model", "cache_control", "output_config", "speed", "system", "thinking", "tool_choice", "tools", "user_profile_id", "workspace_id"];

    private static readonly string[] Known =
    [
        .. Counted, "max_tokens", "container", "diagnostics", "inference_geo", "metadata", "service_tier", "stop_sequences", "stream",
    ];

    private static readonly string[] KnownIn2023 = [.. Known, "temperature", "top_k", "top_p"];

    /// <param name="count">For <c>/v1/messages/count_tokens</c>, which takes no <c>max_tokens</c> and no sampling.</param>
    public Ask Read(JsonElement json, string version, bool count)
    {
        var body = new Field(json, "", AnthropicWording.Instance).Only(count ? Counted : version == Version2023 ? KnownIn2023 : Known);
        var name = body.Required("model").Text();
        var max = count ? (int?)null : body.Required("max_tokens").Whole(1, int.MaxValue);
        var model = models.FirstOrDefault(model => model.Name == name) ?? throw new VendorRefusal(404, "not_found_error", $"model: {name}");
        var messages = new AnthropicMessages(body.Required("messages"), model, citations: version == Version2023);
        if (max > model.MaxOutput)
            throw AnthropicWording.Refuse($"max_tokens: {max} > {model.MaxOutput}, which is the maximum allowed number of output tokens for {name}");

        var system = string.Join(' ', ((string[])[ReadSystem(body), messages.System]).Where(text => text.Length > 0));
        var ask = new Ask
        {
            Model = model,
            Stream = body.Optional("stream")?.Flag() ?? false,
            RawText = messages.LastUserText,
            Markers = Marker.In(messages.LastUserText, name),
            System = system,
            Turns = messages.Turns,
            ToolResults = messages.ToolResults,
            Images = messages.Images,
            MaxTokens = max,
            Stops = ReadStops(body),
            InputTokens = messages.Tokens + Words.Count(ReadSystem(body)),
        };
        CheckSampling(body, model);
        CheckThinking(body, max);
        CheckRest(body);
        return ReadFormat(body, ReadTools(body, ask));
    }

    private static string ReadSystem(Field body)
    {
        if (body.Optional("system") is not { } system) return "";
        if (system.Kind == JsonValueKind.String) return system.Text();
        var texts = new List<string>();
        foreach (var block in system.Items())
        {
            block.Required("type").OneOf("text");
            block.Only("type", "text", "cache_control", "citations");
            AnthropicMessages.CheckCache(block);
            texts.Add(block.Required("text").Text());
            if (texts[^1].Length == 0) throw AnthropicWording.Refuse("system: text content blocks must be non-empty");
        }

        return string.Join(' ', texts);
    }

    private static string[] ReadStops(Field body)
    {
        string[] stops = [.. body.Optional("stop_sequences")?.Items().Select(stop => stop.Text()) ?? []];
        return Array.TrueForAll(stops, stop => !string.IsNullOrWhiteSpace(stop)) ? stops : throw AnthropicWording.Refuse("stop_sequences: each stop sequence must contain non-whitespace");
    }

    private static void CheckSampling(Field body, Model model)
    {
        var temperature = body.Optional("temperature")?.Number(0, 1);
        var topP = body.Optional("top_p")?.Number(0, 1);
        var topK = body.Optional("top_k")?.Whole(0, int.MaxValue);
        if (model.Samples && temperature is not null && topP is not null)
            throw AnthropicWording.Refuse("`temperature` and `top_p` cannot both be specified for this model. Please use only one.");
        if (model.Samples) return;
        var given = temperature is not null and not 1 ? "temperature" : topP is not null and not 1 ? "top_p" : topK is not null ? "top_k" : null;
        if (given is not null) throw AnthropicWording.Refuse($"`{given}` is deprecated for this model.");
    }

    private static void CheckThinking(Field body, int? max)
    {
        if (body.Optional("thinking") is not { } thinking) return;
        if (thinking.Required("type").OneOf("enabled", "disabled", "adaptive") != "enabled")
        {
            thinking.Only("type", "display");
            return;
        }

        var budget = thinking.Only("type", "budget_tokens", "display").Required("budget_tokens").Whole(1_024, int.MaxValue);
        if (max is not null && budget >= max) throw AnthropicWording.Refuse("`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size");
        if (body.Optional("temperature")?.Number(0, 1) is not null and not 1) throw AnthropicWording.Refuse("`temperature` may only be set to 1 when thinking is enabled.");
    }

    private static void CheckRest(Field body)
    {
        body.Optional("metadata")?.Only("user_id").Optional("user_id")?.Text();
        body.Optional("service_tier")?.OneOf("auto", "standard_only");
        body.Optional("speed")?.OneOf("standard", "fast");
        AnthropicMessages.CheckCache(body);
    }

    private static Ask ReadTools(Field body, Ask ask)
    {
        var tools = body.Optional("tools")?.Items() ?? [];
        AskTool[] known = [.. tools.Select(ReadTool)];
        if (known.Select(tool => tool.Name).Distinct().Count() < known.Length) throw AnthropicWording.Refuse("tools: Tool names must be unique.");
        ask = ask with { Tools = known, InputTokens = ask.InputTokens + tools.Sum(tool => Words.Count(tool.Value.GetRawText())) };
        if (body.Optional("tool_choice") is not { } choice) return ask;

        var type = choice.Required("type").OneOf("auto", "any", "tool", "none");
        choice.Only(type switch { "none" => ["type"], "tool" => ["type", "name", "disable_parallel_tool_use"], _ => ["type", "disable_parallel_tool_use"] });
        if (known.Length == 0 && type != "none") throw AnthropicWording.Refuse("tool_choice may only be specified while providing tools.");
        var parallel = type == "none" || !(choice.Optional("disable_parallel_tool_use")?.Flag() ?? false);
        var name = type == "tool" ? choice.Required("name").Text() : null;
        if (name is not null && !Array.Exists(known, tool => tool.Name == name)) throw AnthropicWording.Refuse($"Tool '{name}' not found in provided tools");
        if (type is "any" or "tool" && body.Optional("thinking")?.Required("type").Text() == "enabled") throw AnthropicWording.Refuse("Thinking may not be enabled when tool_choice forces tool use.");
        return ask with
        {
            Parallel = parallel,
            PickedTool = name,
            Pick = type switch { "none" => ToolPick.None, "any" => ToolPick.Required, "tool" => ToolPick.Named, _ => ToolPick.Auto },
        };
    }

    private static AskTool ReadTool(Field tool)
    {
        tool.Optional("type")?.OneOf("custom");
        var at = tool with { Path = tool.Path + ".custom" };
        at.Only("type", "name", "description", "input_schema", "cache_control", "strict", "allowed_callers", "defer_loading", "eager_input_streaming", "input_examples");
        AnthropicMessages.CheckCache(at);
        var name = at.Required("name");
        if (!NamePattern().IsMatch(name.Text())) throw name.Bad("String should match pattern '^[a-zA-Z0-9_-]{1,128}$'");
        at.Optional("description")?.Text();
        at.Optional("strict")?.Flag();
        var schema = at.Required("input_schema");
        schema.Required("type").OneOf("object");
        if (schema.Optional("properties") is not { } properties) return new AskTool(name.Text(), null);
        if (properties.Kind != JsonValueKind.Object)
            throw schema.Bad("JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12). Learn more about tool use at https://docs.claude.com/en/docs/tool-use.");
        return new AskTool(name.Text(), properties.Value.EnumerateObject().Any() ? schema.Value.Clone() : null);
    }

    private static Ask ReadFormat(Field body, Ask ask)
    {
        if (body.Optional("output_config") is not { } config) return ask;
        config.Only("effort", "format", "task_budget").Optional("effort")?.OneOf("low", "medium", "high", "xhigh", "max");
        if (config.Optional("format") is not { } format) return ask;
        format.Required("type").OneOf("json_schema");
        var schema = format.Only("type", "schema").Required("schema").Object();
        CheckClosed(schema.Value, schema.Path);
        return ask with { Json = true, Schema = schema.Value.Clone() };
    }

    private static void CheckClosed(JsonElement schema, string path)
    {
        if (schema.ValueKind != JsonValueKind.Object) return;
        var isObject = schema.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("object");
        if (isObject && (!schema.TryGetProperty("additionalProperties", out var more) || more.ValueKind != JsonValueKind.False))
            throw AnthropicWording.Refuse($"{path}: For 'object' type, 'additionalProperties' must be explicitly set to false");
        foreach (var keyword in (ReadOnlySpan<string>)["minimum", "maximum", "minLength", "maxLength", "multipleOf"])
        {
            if (schema.TryGetProperty(keyword, out _)) throw AnthropicWording.Refuse($"{path}: For '{type}' type, property '{keyword}' is not supported");
        }

        foreach (var group in (ReadOnlySpan<string>)["properties", "$defs"])
        {
            foreach (var member in schema.TryGetProperty(group, out var members) ? members.EnumerateObject().ToArray() : []) CheckClosed(member.Value, path);
        }

        if (schema.TryGetProperty("items", out var items)) CheckClosed(items, path);
    }

    [GeneratedRegex("^[a-zA-Z0-9_-]{1,128}$")]
    private static partial Regex NamePattern();
}
