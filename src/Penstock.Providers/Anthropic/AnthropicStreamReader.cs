using System.Text.Json;
using Penstock.Gateway;
using Penstock.Providers.Http;

namespace Penstock.Providers.Anthropic;

/// <summary>
/// Reads a stream event by event. Events, blocks and deltas we do not know become frames without updates, so that a client of the same
/// dialect still gets them. Whatever does not fit the protocol throws what <see cref="JsonElement"/> throws.
/// </summary>
internal sealed class AnthropicStreamReader(AnthropicFailures failures)
{
    private readonly AnthropicUsage _usage = new();
    private readonly Dictionary<int, Call> _open = [];
    private int _calls;
    private bool _started;
    private bool _finished;

    public ProviderFrame Read(UpstreamEvent received)
    {
        using var json = JsonDocument.Parse(received.Data);
        var type = json.RootElement.TryGetProperty("type", out var given) && given.ValueKind == JsonValueKind.String ? given.GetString()! : received.Name;
        if (type == "error") throw failures.InBand(json.RootElement);
        var updates = new List<ChatUpdate>();
        var last = ReadEvent(type, json.RootElement, updates);
        // Some servers leave the event's name out, which Anthropic's own clients need.
        return new ProviderFrame(received.Name == "message" ? type : received.Name, received.Data, updates, last);
    }

    private bool ReadEvent(string type, JsonElement data, List<ChatUpdate> updates)
    {
        switch (type)
        {
            case "message_start":
                ReadStart(data.GetProperty("message"), updates);
                return false;
            case "content_block_start":
                Expect(_started);
                ReadBlockStart(data.GetProperty("index").GetInt32(), data.GetProperty("content_block"), updates);
                return false;
            case "content_block_delta":
                Expect(_started);
                ReadDelta(data.GetProperty("index").GetInt32(), data.GetProperty("delta"), updates);
                return false;
            case "content_block_stop":
                ReadBlockStop(data.GetProperty("index").GetInt32(), updates);
                return false;
            case "message_delta":
                Expect(_started);
                ReadMessageDelta(data, updates);
                return false;
            case "message_stop":
                Expect(_started);
                if (!_finished) updates.Add(AnthropicAnswerReader.Finish(data, _calls > 0));
                return true;
            default:
                return false;
        }
    }

    private void ReadStart(JsonElement message, List<ChatUpdate> updates)
    {
        Expect(!_started);
        _started = true;
        updates.Add(new AnswerStarted(AnthropicAnswerReader.Text(message, "id"), AnthropicAnswerReader.Text(message, "model")));
        if (!message.TryGetProperty("usage", out var usage) || usage.ValueKind != JsonValueKind.Object) return;
        _usage.Merge(usage);
        updates.Add(_usage.Report(final: false));
    }

    private void ReadBlockStart(int index, JsonElement block, List<ChatUpdate> updates)
    {
        switch (AnthropicAnswerReader.Text(block, "type"))
        {
            case "text" when Given(block, "text") is { } text:
                updates.Add(new TextDelta(0, text));
                break;
            case "thinking":
                if (Given(block, "thinking") is { } thought) updates.Add(new ThinkingDelta(thought));
                if (Given(block, "signature") is { } signature) updates.Add(new ThinkingSigned(signature));
                break;
            case "redacted_thinking":
                updates.Add(new ThinkingRedacted(AnthropicAnswerReader.Text(block, "data")));
                break;
            case "tool_use":
                var call = new Call(_calls++) { Input = AnthropicAnswerReader.Input(block) };
                _open[index] = call;
                updates.Add(new ToolCallStarted(0, call.Index, AnthropicAnswerReader.Text(block, "id"), AnthropicAnswerReader.Text(block, "name")));
                break;
        }
    }

    private void ReadDelta(int index, JsonElement delta, List<ChatUpdate> updates)
    {
        switch (AnthropicAnswerReader.Text(delta, "type"))
        {
            case "text_delta" when Given(delta, "text") is { } text:
                updates.Add(new TextDelta(0, text));
                break;
            case "thinking_delta" when Given(delta, "thinking") is { } thought:
                updates.Add(new ThinkingDelta(thought));
                break;
            case "signature_delta" when Given(delta, "signature") is { } signature:
                updates.Add(new ThinkingSigned(signature));
                break;
            // Tools that Anthropic runs itself stream their input as well; only the client's own are in the list.
            case "input_json_delta" when _open.TryGetValue(index, out var call) && Given(delta, "partial_json") is { } piece:
                call.Input = null;
                updates.Add(new ToolCallDelta(0, call.Index, piece));
                break;
        }
    }

    private void ReadBlockStop(int index, List<ChatUpdate> updates)
    {
        if (!_open.Remove(index, out var call)) return;
        // Arguments that came whole with the block's beginning, and in no delta after it.
        if (call.Input is { } whole) updates.Add(new ToolCallDelta(0, call.Index, whole));
    }

    private void ReadMessageDelta(JsonElement data, List<ChatUpdate> updates)
    {
        var delta = data.GetProperty("delta");
        if (!_finished && delta.TryGetProperty("stop_reason", out var reason) && reason.ValueKind == JsonValueKind.String)
        {
            _finished = true;
            updates.Add(AnthropicAnswerReader.Finish(delta, _calls > 0));
        }

        if (!data.TryGetProperty("usage", out var usage) || usage.ValueKind != JsonValueKind.Object) return;
        _usage.Merge(usage);
        updates.Add(_usage.Report(final: true));
    }

    private static string? Given(JsonElement of, string name) =>
        of.TryGetProperty(name, out var value) && value.GetString() is { Length: > 0 } text ? text : null;

    private static void Expect(bool order)
    {
        if (!order) throw new FormatException("events out of order");
    }

    private sealed class Call(int index)
    {
        public int Index { get; } = index;

        public string? Input { get; set; }
    }
}
