using System.Text.Json;

namespace Penstock.Upstream.OpenAi;

/// <summary>Checks a chat request as OpenAI does and reduces it to an <see cref="Ask"/>.</summary>
internal sealed class OpenAiRequest(IReadOnlyList<Model> models)
{
    private static readonly string[] Known =
    [
        "messages", "model", "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens",
        "metadata", "modalities", "moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
    ];

    public Ask Read(JsonElement json)
    {
        var body = new Field(json, "", OpenAiWording.Instance).Only(Known);
        var name = body.Optional("model")?.Text() is { Length: > 0 } given ? given : throw OpenAiWording.Refuse("you must provide a model parameter");
        var messages = new OpenAiMessages(body.Required("messages"));
        var model = models.FirstOrDefault(model => model.Name == name && model.Dimensions == 0)
            ?? throw new VendorRefusal(404, "invalid_request_error", $"The model `{name}` does not exist or you do not have access to it.", null, "model_not_found");
        CheckSampling(body, model);
        CheckRest(body);

        var ask = new Ask
        {
            Model = model,
            RawText = messages.LastUserText,
            Markers = Marker.In(messages.LastUserText, name),
            System = messages.System,
            Turns = messages.Turns,
            ToolResults = messages.ToolResults,
            Images = messages.Images,
            MaxTokens = ReadMaxTokens(body, model),
            Stops = ReadStops(body),
            Choices = body.Optional("n")?.Whole(1, 128) ?? 1,
            ServiceTier = body.Optional("service_tier")?.OneOf("auto", "default", "flex", "scale", "priority") is { } tier and not "auto" ? tier : "default",
            InputTokens = messages.Tokens,
        };
        return ReadFormat(body, messages, ReadTools(body, ReadLogprobs(body, ReadStream(body, ask))));
    }

    private static void CheckSampling(Field body, Model model)
    {
        foreach (var (name, min, max) in (ReadOnlySpan<(string, double, double)>)[("temperature", 0, 2), ("top_p", 0, 1), ("frequency_penalty", -2, 2), ("presence_penalty", -2, 2)])
        {
            if (body.Optional(name)?.Number(min, max) is { } value && model.Reasons && value != (name is "temperature" or "top_p" ? 1 : 0))
                throw OpenAiWording.Refuse($"Unsupported value: '{name}' does not support {value} with this model. Only the default value is supported.", name, "unsupported_value");
        }

        foreach (var name in (ReadOnlySpan<string>)["logprobs", "stop", "logit_bias"])
        {
            if (model.Reasons && body.Optional(name) is { Kind: not JsonValueKind.False }) throw OpenAiWording.Refuse($"Unsupported parameter: '{name}' is not supported with this model.", name, "unsupported_parameter");
        }

        if (body.Optional("reasoning_effort") is not { } effort) return;
        if (!model.Reasons) throw OpenAiWording.Refuse("Unrecognized request argument supplied: reasoning_effort");
        effort.OneOf("none", "minimal", "low", "medium", "high", "xhigh");
    }

    private static void CheckRest(Field body)
    {
        body.Optional("seed")?.Whole(int.MinValue, int.MaxValue);
        body.Optional("user")?.Text();
        body.Optional("store")?.Flag();
        body.Optional("safety_identifier")?.Text();
        body.Optional("prompt_cache_key")?.Text();
        body.Optional("verbosity")?.OneOf("low", "medium", "high");
        foreach (var modality in body.Optional("modalities")?.Items() ?? []) modality.OneOf("text", "audio");
        foreach (var pair in body.Optional("metadata")?.Object().Value.EnumerateObject().ToArray() ?? []) new Field(pair.Value, $"metadata.{pair.Name}", OpenAiWording.Instance).Text();
        foreach (var bias in body.Optional("logit_bias")?.Object().Value.EnumerateObject().ToArray() ?? []) new Field(bias.Value, $"logit_bias.{bias.Name}", OpenAiWording.Instance).Number(-100, 100);
        if (body.Optional("functions") is not null || body.Optional("function_call") is not null) throw OpenAiWording.Refuse("stand-in: functions are not answered; send tools");
    }

    private static int? ReadMaxTokens(Field body, Model model)
    {
        var (older, newer) = (body.Optional("max_tokens")?.Whole(1, int.MaxValue), body.Optional("max_completion_tokens")?.Whole(1, int.MaxValue));
        if (older is not null && newer is not null)
            throw OpenAiWording.Refuse("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", "max_tokens", "invalid_parameter_combination");
        if (older is not null && model.Reasons)
            throw OpenAiWording.Refuse("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "max_tokens", "unsupported_parameter");
        if ((older ?? newer) is { } asked && asked > model.MaxOutput)
        {
            var name = older is null ? "max_completion_tokens" : "max_tokens";
            throw OpenAiWording.Refuse($"{name} is too large: {asked}. This model supports at most {model.MaxOutput} completion tokens, whereas you provided {asked}.", name, "invalid_value");
        }

        return older ?? newer;
    }

    private static string[] ReadStops(Field body)
    {
        if (body.Optional("stop") is not { } stop) return [];
        string[] stops = stop.Kind == JsonValueKind.String ? [stop.Text()] : [.. stop.Items(0, 4).Select(item => item.Text())];
        return stops.All(text => text.Length > 0) ? stops : throw stop.Bad("empty string. Expected a string with minimum length 1.");
    }

    private static Ask ReadStream(Field body, Ask ask)
    {
        var stream = body.Optional("stream")?.Flag() ?? false;
        if (body.Optional("stream_options") is not { } options) return ask with { Stream = stream };
        if (!stream) throw OpenAiWording.Refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options");
        options.Only("include_usage", "include_obfuscation");
        return ask with { Stream = true, IncludeUsage = options.Optional("include_usage")?.Flag() ?? false, Obfuscate = options.Optional("include_obfuscation")?.Flag() ?? false };
    }

    private static Ask ReadLogprobs(Field body, Ask ask)
    {
        var wanted = body.Optional("logprobs")?.Flag() ?? false;
        var top = body.Optional("top_logprobs")?.Whole(0, 20);
        if (top is not null && !wanted) throw OpenAiWording.Refuse("Invalid 'top_logprobs': 'logprobs' must be set to true if this parameter is used.", "top_logprobs");
        return ask with { Logprobs = wanted, TopLogprobs = top ?? 0 };
    }

    private static Ask ReadTools(Field body, Ask ask)
    {
        var tools = body.Optional("tools")?.Items(1, 128) ?? [];
        if (tools.Count == 0)
        {
            foreach (var name in (ReadOnlySpan<string>)["tool_choice", "parallel_tool_calls"])
            {
                if (body.Optional(name) is not null) throw OpenAiWording.Refuse($"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", name);
            }

            return ask;
        }

        AskTool[] known = [.. tools.Select(OpenAiSchemas.ReadTool)];
        ask = ask with
        {
            Tools = known,
            Parallel = body.Optional("parallel_tool_calls")?.Flag() ?? true,
            InputTokens = ask.InputTokens + tools.Sum(tool => Words.Count(tool.Value.GetRawText())),
        };
        return body.Optional("tool_choice") is { } choice ? ReadChoice(choice, ask) : ask;
    }

    private static Ask ReadChoice(Field choice, Ask ask)
    {
        if (choice.Kind == JsonValueKind.String)
        {
            return ask with
            {
                Pick = choice.OneOf("none", "auto", "required") switch { "none" => ToolPick.None, "required" => ToolPick.Required, _ => ToolPick.Auto },
            };
        }

        choice.Only("type", "function").Required("type").OneOf("function");
        var name = choice.Required("function").Only("name").Required("name").Text();
        return ask.Tools.Any(tool => tool.Name == name)
            ? ask with { Pick = ToolPick.Named, PickedTool = name }
            : throw OpenAiWording.Refuse($"Tool choice 'function' not found in 'tools' parameter: '{name}'.", "tool_choice");
    }

    private static Ask ReadFormat(Field body, OpenAiMessages messages, Ask ask)
    {
        if (body.Optional("response_format") is not { } format) return ask;
        var type = format.Required("type").OneOf("json_object", "json_schema", "text");
        if (type == "json_schema") return ask with { Json = true, Schema = OpenAiSchemas.ReadFormat(format.Only("type", "json_schema").Required("json_schema")) };
        format.Only("type");
        if (type == "json_object" && !messages.AllText.Contains("json", StringComparison.OrdinalIgnoreCase))
            throw OpenAiWording.Refuse("'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.", "messages");
        return ask with { Json = type == "json_object" };
    }
}
