using Penstock.Kernel;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>
/// Reads one <c>/v1/messages</c> body. Fields that only Anthropic knows are noted by path, not refused: a target of the same dialect is
/// sent them as they came. <c>cache_control</c>, wherever it stands, is not noted: it changes what the call costs at Anthropic and never
/// what it answers, and other vendors cache without being asked.
/// </summary>
internal sealed class AnthropicRequest(ReadOnlyMemory<byte> body, bool counting)
{
    private readonly List<string> _dialectOnly = [];

    public ChatCall Read()
    {
        var root = JsonView.Parse(body);
        var model = root.Required("model").NonEmptyText();
        var maxTokens = counting ? null : (int?)root.Required("max_tokens").Whole(min: 1);
        var conversation = new AnthropicMessages(_dialectOnly);
        var messages = conversation.Read(root.Optional("system"), root.Required("messages"));
        var toolbox = new AnthropicTools(_dialectOnly);
        var tools = toolbox.Read(root.Optional("tools"));
        var (choice, parallel) = toolbox.ReadChoice(root.Optional("tool_choice"));
        var endUser = ReadMetadata(root.Optional("metadata"));
        var format = ReadFormat(root);
        NoteWhatOnlyAnthropicKnows(root);
        return new ChatCall
        {
            Dialect = Dialect.Anthropic,
            Body = body,
            Model = model,
            Messages = messages,
            Tools = tools,
            ToolChoice = choice,
            ParallelToolCalls = parallel,
            ResponseFormat = format,
            MaxOutputTokens = maxTokens,
            Temperature = root.Optional("temperature")?.Number(0, 1),
            TopP = root.Optional("top_p")?.Number(0, 1),
            TopK = root.Optional("top_k")?.Whole(min: 0),
            Stop = root.Optional("stop_sequences")?.Items().Select(stop => stop.NonEmptyText()).ToArray() ?? [],
            EndUser = endUser,
            Stream = root.Optional("stream")?.Flag() ?? false,
            DialectOnly = _dialectOnly,
        };
    }

    /// <summary>Longest name of an end user, in characters: it stands on every ledger row.</summary>
    private const int LongestUser = 512;

    private string? ReadMetadata(JsonView? metadata)
    {
        if (metadata is not { } view) return null;
        _dialectOnly.NoteUnknown(view, "user_id");
        return view.Optional("user_id") is { } user && user.Text().Length > 0 ? user.ShortText(LongestUser) : null;
    }

    /// <summary><c>output_config.format</c>, or <c>output_format</c> as clients of its beta still send it.</summary>
    private ResponseFormat? ReadFormat(JsonView root)
    {
        var beta = root.Optional("output_format");
        JsonView? format = null;
        if (root.Optional("output_config") is { } config)
        {
            _dialectOnly.NoteUnknown(config, "format");
            format = config.Optional("format");
        }

        if (beta is { } twice && format is not null) throw twice.Bad("asks again for what 'output_config.format' asks for; give one of the two");
        if ((format ?? beta) is not { } view) return null;
        if (view.Required("type").Text() != "json_schema")
        {
            _dialectOnly.Add(view.Path);
            return null;
        }

        var schema = view.Required("schema");
        if (schema.Kind != System.Text.Json.JsonValueKind.Object) throw schema.Bad("must be a JSON Schema, an object");
        _dialectOnly.NoteUnknown(view, "type", "schema");
        // Here an answer always keeps to its schema; elsewhere that has to be asked for.
        return new ResponseFormat(null, schema.Raw(), Strict: true);
    }

    private void NoteWhatOnlyAnthropicKnows(JsonView root)
    {
        foreach (var (name, value) in root.Members())
        {
            if (!IsRead(name) && !AsksForNothing(name, value)) _dialectOnly.Add(value.Path);
        }
    }

    private static bool IsRead(string name) => name is
        "model" or "max_tokens" or "messages" or "system" or "tools" or "tool_choice" or "metadata" or "output_config" or "output_format" or
        "temperature" or "top_p" or "top_k" or "stop_sequences" or "stream" or "cache_control";

    private static bool AsksForNothing(string name, JsonView value) => (name, value.Kind) switch
    {
        (_, System.Text.Json.JsonValueKind.Null) => true,
        ("thinking", _) => value.Required("type").Text() == "disabled",
        ("service_tier", _) => value.Text() == "auto",
        ("speed", _) => value.Text() == "standard",
        ("betas" or "mcp_servers", _) => value.Count == 0,
        _ => false,
    };
}
