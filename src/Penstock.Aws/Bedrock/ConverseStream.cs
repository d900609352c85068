using System.Text.Json;
using Penstock.Aws.EventStreams;
using Penstock.Gateway;

namespace Penstock.Aws.Bedrock;

/// <summary>
/// Reads the events of <c>converse-stream</c>. The counts come in <c>metadata</c>, behind <c>messageStop</c>, and end the answer. Events,
/// blocks and deltas we do not know say nothing. Whatever does not fit the protocol throws what <see cref="JsonElement"/> throws.
/// </summary>
internal sealed class ConverseStream(ProviderCall call, string id)
{
    private readonly Dictionary<int, int> _open = [];
    private int _calls;
    private bool _started;
    private bool _stopped;

    public ProviderFrame Read(EventFrame received)
    {
        using var json = JsonDocument.Parse(received.Payload);
        var updates = new List<ChatUpdate>();
        var last = ReadEvent(received.Name, json.RootElement, updates);
        return new ProviderFrame(null, default, updates, last);
    }

    private bool ReadEvent(string name, JsonElement data, List<ChatUpdate> updates)
    {
        switch (name)
        {
            case "messageStart":
                Expect(!_started);
                _started = true;
                updates.Add(new AnswerStarted(id, call.Model));
                return false;
            case "contentBlockStart":
                Expect(_started);
                if (data.GetProperty("start").TryGetProperty("toolUse", out var use)) StartCall(data.GetProperty("contentBlockIndex").GetInt32(), use, updates);
                return false;
            case "contentBlockDelta":
                Expect(_started && !_stopped);
                ReadDelta(data.GetProperty("contentBlockIndex").GetInt32(), data.GetProperty("delta"), updates);
                return false;
            case "messageStop":
                Expect(_started && !_stopped);
                _stopped = true;
                updates.Add(ConverseAnswer.Finish(data, call.Call));
                return false;
            case "metadata":
                Expect(_stopped);
                updates.Add(new UsageReported(ConverseUsage.Read(data.GetProperty("usage")), Final: true));
                return true;
            default:
                return false;
        }
    }

    private void StartCall(int block, JsonElement use, List<ChatUpdate> updates)
    {
        _open[block] = _calls;
        updates.Add(new ToolCallStarted(0, _calls++, use.GetProperty("toolUseId").GetString()!, use.GetProperty("name").GetString()!));
    }

    private void ReadDelta(int block, JsonElement delta, List<ChatUpdate> updates)
    {
        if (Given(delta, "text") is { } text) updates.Add(new TextDelta(0, text));
        else if (delta.TryGetProperty("toolUse", out var use) && _open.TryGetValue(block, out var index) && Given(use, "input") is { } piece) updates.Add(new ToolCallDelta(0, index, piece));
        else if (delta.TryGetProperty("reasoningContent", out var reasoning))
        {
            if (Given(reasoning, "text") is { } thought) updates.Add(new ThinkingDelta(thought));
            if (Given(reasoning, "signature") is { } signature) updates.Add(new ThinkingSigned(signature));
            if (Given(reasoning, "redactedContent") is { } redacted) updates.Add(new ThinkingRedacted(redacted));
        }
    }

    private static string? Given(JsonElement of, string name) =>
        of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text ? text : null;

    private static void Expect(bool order)
    {
        if (!order) throw new FormatException("events out of order");
    }
}
