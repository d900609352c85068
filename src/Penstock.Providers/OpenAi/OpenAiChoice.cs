using System.Text.Json;
using Penstock.Gateway;
using Penstock.Kernel;

namespace Penstock.Providers.OpenAi;

/// <summary>One choice of an answer as it grows. Servers that speak this dialect differ most in how they number tool calls.</summary>
internal sealed class OpenAiChoice(int index, AttemptId attempt)
{
    private readonly Dictionary<string, int> _byId = [];
    private readonly Dictionary<int, int> _byTheirIndex = [];
    private int _calls;

    public bool Finished { get; private set; }

    /// <param name="said">A chunk's <c>delta</c> or a whole answer's <c>message</c>.</param>
    public void Read(JsonElement said, List<ChatUpdate> updates)
    {
        // One of the two names is used; servers that use both say the same under each.
        var thinking = OpenAiText.String(said, "reasoning_content") ?? OpenAiText.String(said, "reasoning");
        if (thinking is { Length: > 0 } && index == 0) updates.Add(new ThinkingDelta(thinking));
        if (OpenAiText.Member(said, "content") is { } content) ReadContent(content, updates);
        if (OpenAiText.String(said, "refusal") is { Length: > 0 } refusal) updates.Add(new RefusalDelta(index, refusal));
        if (OpenAiText.Member(said, "tool_calls") is { ValueKind: JsonValueKind.Array } calls)
        {
            foreach (var call in calls.EnumerateArray()) ReadCall(call, updates);
        }

        if (OpenAiText.Member(said, "function_call") is { ValueKind: JsonValueKind.Object } old) Continue(_calls == 0 ? Begin(null, old, updates) : 0, old, updates);
    }

    /// <param name="reason">Null where the server never said. A second reason changes nothing.</param>
    public void Finish(string? reason, List<ChatUpdate> updates)
    {
        if (Finished) return;
        Finished = true;
        updates.Add(new Finished(index, reason switch
        {
            "length" or "max_tokens" or "model_length" => FinishReason.Length,
            "content_filter" => FinishReason.ContentFilter,
            // A named tool is answered with "stop" by OpenAI itself; what was called must be run all the same.
            _ => _calls > 0 ? FinishReason.ToolCalls : FinishReason.Stop,
        }));
    }

    private void ReadContent(JsonElement content, List<ChatUpdate> updates)
    {
        if (content.ValueKind == JsonValueKind.String && OpenAiText.Of(content) is { Length: > 0 } text) updates.Add(new TextDelta(index, text));
        if (content.ValueKind != JsonValueKind.Array) return;
        foreach (var part in content.EnumerateArray())
        {
            if (OpenAiText.String(part, "text") is { Length: > 0 } piece) updates.Add(new TextDelta(index, piece));
        }
    }

    private void ReadCall(JsonElement call, List<ChatUpdate> updates)
    {
        var id = OpenAiText.String(call, "id");
        var function = OpenAiText.Member(call, "function") ?? OpenAiText.Member(call, "custom");
        if (function is not { ValueKind: JsonValueKind.Object } body) return;
        var ours = Find(OpenAiText.Index(call, "index"), id, OpenAiText.String(body, "name") is { Length: > 0 });
        if (ours < 0)
        {
            ours = Begin(id, body, updates);
            if (OpenAiText.Index(call, "index") is { } theirs) _byTheirIndex[theirs] = ours;
        }

        Continue(ours, body, updates);
    }

    /// <summary>Our index of the call a piece belongs to, or -1 for a new call.</summary>
    private int Find(int? theirs, string? id, bool named)
    {
        var known = id is { Length: > 0 } && _byId.TryGetValue(id, out var found) ? found : -1;
        if (theirs is not { } given) return known >= 0 || named ? known : _calls - 1;
        if (!_byTheirIndex.TryGetValue(given, out var ours)) return named ? -1 : known;
        // An index seen before goes on, unless it comes with a new id and a name: some servers number every call 0.
        if (known >= 0) return known;
        return string.IsNullOrEmpty(id) || !named ? ours : -1;
    }

    private int Begin(string? id, JsonElement function, List<ChatUpdate> updates)
    {
        var ours = _calls++;
        if (string.IsNullOrEmpty(id)) id = $"call_{attempt}_{index}_{ours}";
        _byId[id] = ours;
        updates.Add(new ToolCallStarted(index, ours, id, OpenAiText.String(function, "name") ?? ""));
        return ours;
    }

    private void Continue(int ours, JsonElement function, List<ChatUpdate> updates)
    {
        var given = OpenAiText.Member(function, "arguments") ?? OpenAiText.Member(function, "input");
        var arguments = given switch
        {
            { ValueKind: JsonValueKind.String } text => OpenAiText.Of(text),
            // Text inside JSON by the protocol; some servers send the object itself.
            { ValueKind: JsonValueKind.Object } value => value.GetRawText(),
            _ => "",
        };
        if (arguments.Length > 0) updates.Add(new ToolCallDelta(index, ours, arguments));
    }
}
