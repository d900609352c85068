using System.Collections.Frozen;
using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.OpenAi;

/// <summary>
/// Reads a body of <c>/v1/chat/completions</c>. Each member is looked at once; one we do not know is listed as known to this dialect
/// only, and reaches a provider of this dialect as it stands.
/// </summary>
internal static class OpenAiRequestReader
{
    private const int LongestModel = 256;
    private const int LongestUser = 512;
    private const int MostStops = 4;

    private static readonly FrozenDictionary<string, Action<OpenAiDraft, JsonView>> Modelled = new Dictionary<string, Action<OpenAiDraft, JsonView>>
    {
        ["model"] = (draft, value) => draft.Model = OpenAiFields.ShortText(value, LongestModel),
        ["messages"] = (draft, value) => draft.Messages = OpenAiMessageReader.Read(value, draft.DialectOnly),
        ["tools"] = OpenAiToolReader.ReadTools,
        ["tool_choice"] = OpenAiToolReader.ReadChoice,
        ["parallel_tool_calls"] = (draft, value) => draft.ParallelToolCalls = value.Flag(),
        ["response_format"] = ReadResponseFormat,
        ["max_tokens"] = (draft, value) => draft.MaxTokens = value.Whole(min: 1),
        ["max_completion_tokens"] = (draft, value) => draft.MaxCompletionTokens = value.Whole(min: 1),
        ["temperature"] = (draft, value) => draft.Temperature = value.Number(0, 2),
        ["top_p"] = (draft, value) => draft.TopP = value.Number(0, 1),
        ["frequency_penalty"] = (draft, value) => draft.FrequencyPenalty = NullIfZero(value.Number(-2, 2)),
        ["presence_penalty"] = (draft, value) => draft.PresencePenalty = NullIfZero(value.Number(-2, 2)),
        ["stop"] = (draft, value) => draft.Stop = ReadStop(value),
        ["seed"] = (draft, value) => draft.Seed = value.WholeLong(),
        ["logprobs"] = (draft, value) => draft.Logprobs = value.Flag(),
        ["top_logprobs"] = (draft, value) => draft.TopLogprobs = value.Whole(0, 20),
        ["n"] = (draft, value) => draft.Choices = value.Whole(1, 128),
        ["user"] = (draft, value) => draft.EndUser = OpenAiFields.ShortText(value, LongestUser),
        ["stream"] = (draft, value) => draft.Stream = value.Flag(),
        ["stream_options"] = ReadStreamOptions,
    }.ToFrozenDictionary();

    /// <summary>Some servers read names in any case: what we take for an unknown field would be another model or a greater size to them.</summary>
    private static readonly FrozenSet<string> Spelling = Modelled.Keys.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Documented fields the neutral model lacks: whether the value, which is of the right type, asks for anything.</summary>
    private static readonly FrozenDictionary<string, Func<JsonView, bool>> Foreign = new Dictionary<string, Func<JsonView, bool>>
    {
        ["store"] = value => value.Flag(),
        ["service_tier"] = value => value.Text() is not ("auto" or "default"),
        ["modalities"] = value => value.Items().Any(item => item.Text() != "text"),
        ["logit_bias"] = HasMembers,
        ["metadata"] = HasMembers,
        ["audio"] = HasMembers,
        ["prediction"] = HasMembers,
        // An empty object switches the search on.
        ["web_search_options"] = value => OpenAiFields.Object(value).Kind == JsonValueKind.Object,
        ["reasoning_effort"] = IsText,
        ["verbosity"] = IsText,
        ["prompt_cache_key"] = IsText,
        ["safety_identifier"] = IsText,
        ["functions"] = value => value.Count > 0,
        ["function_call"] = value => value.Kind is JsonValueKind.String or JsonValueKind.Object ? true : throw value.Bad("must be 'none', 'auto' or an object"),
    }.ToFrozenDictionary();

    public static ChatCall Read(ReadOnlyMemory<byte> body)
    {
        var root = JsonView.Parse(body);
        var draft = new OpenAiDraft();
        foreach (var (name, value) in root.Members())
        {
            if (value.Kind == JsonValueKind.Null) continue;
            if (Modelled.TryGetValue(name, out var read)) read(draft, value);
            else if (Spelling.TryGetValue(name, out var spelt) && spelt != name) throw new RefusedException(Refusal.Invalid(value.Path, $"'{name}' is spelt '{spelt}'."));
            else if (!Foreign.TryGetValue(name, out var asks) || asks(value)) OpenAiFields.List(value, draft.DialectOnly);
        }

        return draft.Build(root, body);
    }

    private static void ReadResponseFormat(OpenAiDraft draft, JsonView format)
    {
        switch (OpenAiFields.Object(format).Required("type").Text())
        {
            case "text":
                break;
            case "json_object":
                draft.ResponseFormat = new ResponseFormat(null, null);
                break;
            case "json_schema":
                var schema = OpenAiFields.Object(format.Required("json_schema"));
                OpenAiFields.ListUnknown(schema, draft.DialectOnly, "name", "schema", "strict", "description");
                draft.ResponseFormat = new ResponseFormat(
                    OpenAiFields.ShortText(schema.Required("name"), 64),
                    OpenAiFields.Object(schema.Required("schema")).Raw(),
                    schema.Optional("strict")?.Flag(),
                    schema.Optional("description")?.Text());
                break;
            default:
                // Compatible servers have more forms, such as a grammar.
                OpenAiFields.List(format, draft.DialectOnly);
                break;
        }
    }

    private static void ReadStreamOptions(OpenAiDraft draft, JsonView options)
    {
        draft.StreamOptions = OpenAiFields.Object(options).Element.GetPropertyCount() > 0;
        draft.IncludeUsage = options.Optional("include_usage")?.Flag() ?? false;
        if (options.Optional("include_obfuscation") is { } padding && padding.Flag()) OpenAiFields.List(padding, draft.DialectOnly);
        OpenAiFields.ListUnknown(options, draft.DialectOnly, "include_usage", "include_obfuscation");
    }

    private static IReadOnlyList<string> ReadStop(JsonView stop)
    {
        if (stop.Kind == JsonValueKind.String) return [stop.NonEmptyText()];
        if (stop.Kind != JsonValueKind.Array) throw stop.Bad("must be a string or an array of strings");
        if (stop.Count > MostStops) throw OpenAiFields.Refuse(stop, $"'stop' has {stop.Count} sequences; at most {MostStops} are taken.");
        return [.. stop.Items().Select(item => item.NonEmptyText())];
    }

    private static double? NullIfZero(double value) => value == 0 ? null : value;

    private static bool HasMembers(JsonView value) => OpenAiFields.Object(value).Element.GetPropertyCount() > 0;

    private static bool IsText(JsonView value) => value.Text().Length > 0;
}
