using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Penstock.Guards;
using Penstock.Kernel;

namespace Penstock.Gateway.Guarding;

/// <summary>
/// Rules on the bytes of an Anthropic provider for an Anthropic client: texts inside its events are changed where a match is, and nothing else. What a block holds
/// back goes out in an event of its own before the block ends or is signed.
/// </summary>
internal sealed class AnthropicGuard(GuardRules rules, GuardTally tally) : AnswerGuard(tally)
{
    private static readonly FrozenSet<string> NoText = FrozenSet.Create(
        "container", "encrypted_content", "encrypted_index", "file_id", "id", "media_type", "model", "name", "role", "service_tier", "signature", "stop_reason", "tool_use_id", "type", "url");

    private readonly Dictionary<int, Block> _open = [];

    public override IReadOnlyList<ProviderFrame> Pass(in ProviderFrame frame)
    {
        if (frame.Data.IsEmpty) return [frame];
        using var message = JsonDocument.Parse(frame.Data);
        var root = message.RootElement;
        var type = root.TryGetProperty("type", out var named) ? named.GetString() : null;
        if (Blocked) return PassBlocked(frame, type, root);

        var edits = new JsonEdits(frame.Data);
        var before = new List<ProviderFrame>(2);
        switch (type)
        {
            case "content_block_start":
                Begin(root, edits);
                break;
            case "content_block_delta":
                Continue(root, edits, before);
                break;
            case "content_block_stop":
                End(IndexOf(root), before);
                _open.Remove(IndexOf(root));
                break;
            case "message_delta" or "message_stop":
                foreach (var index in _open.Keys.Order().ToArray()) End(index, before);
                Walk(root, edits);
                break;
            default:
                Walk(root, edits);
                break;
        }

        before.Add(frame with { Data = edits.Apply() });
        return before;
    }

    public override ProviderFrame Whole(in ProviderFrame frame)
    {
        using var answer = JsonDocument.Parse(frame.Data);
        var edits = new JsonEdits(frame.Data);
        Walk(answer.RootElement, edits);
        return frame with { Data = Blocked ? JsonSplice.Apply(frame.Data.Span, [new("content", "[]"), new("stop_reason", "\"refusal\""), new("stop_sequence", "null")]) : edits.Apply() };
    }

    /// <summary>Blocks that are open are closed, no other begins, and the message ends as a refusal.</summary>
    private ProviderFrame[] PassBlocked(in ProviderFrame frame, string? type, JsonElement root)
    {
        switch (type)
        {
            case "content_block_start" or "content_block_delta":
                return [];
            case "content_block_stop":
                return _open.Remove(IndexOf(root)) ? [frame] : [];
            case "message_delta" when root.TryGetProperty("delta", out var delta):
                var edits = new JsonEdits(frame.Data);
                edits.Replace(delta, "{\"stop_reason\":\"refusal\",\"stop_sequence\":null}");
                return [frame with { Data = edits.Apply() }];
            default:
                return [frame];
        }
    }

    private void Begin(JsonElement root, JsonEdits edits)
    {
        var content = root.GetProperty("content_block");
        var block = new Block(content.GetProperty("type").GetString() ?? "", rules, Tally);
        _open[IndexOf(root)] = block;
        if (block.Member is "text" or "thinking" && content.TryGetProperty(block.Member, out var begun) && begun.ValueKind == JsonValueKind.String)
        {
            Change(begun, block, edits);
            new TextWalk(rules, Tally, edits, NoText).WalkMembers(content, [block.Member, .. NoText]);
            return;
        }

        Walk(content, edits);
    }

    private void Continue(JsonElement root, JsonEdits edits, List<ProviderFrame> before)
    {
        var delta = root.GetProperty("delta");
        var index = IndexOf(root);
        if (!_open.TryGetValue(index, out var block)) _open[index] = block = new Block("text", rules, Tally);
        if (delta.TryGetProperty(block.Member, out var piece) && piece.ValueKind == JsonValueKind.String)
        {
            Change(piece, block, edits);
            return;
        }

        // A signature closes what it signs.
        if (delta.TryGetProperty("signature", out _)) End(index, before);
        Walk(delta, edits);
    }

    private static void Change(JsonElement piece, Block block, JsonEdits edits)
    {
        var said = JsonEdits.TextOf(piece);
        var shown = block.Piece(said);
        if (shown != said) edits.Replace(piece, JsonEdits.Quote(shown));
    }

    private void End(int index, List<ProviderFrame> before)
    {
        if (!_open.TryGetValue(index, out var block) || block.End() is not { Length: > 0 } rest) return;
        var data = string.Create(CultureInfo.InvariantCulture, $$$"""{"type":"content_block_delta","index":{{{index}}},"delta":{"type":"{{{block.Delta}}}","{{{block.Member}}}":{{{JsonEdits.Quote(rest)}}}}}""");
        before.Add(new ProviderFrame("content_block_delta", Encoding.UTF8.GetBytes(data), []));
    }

    private void Walk(JsonElement value, JsonEdits edits) => new TextWalk(rules, Tally, edits, NoText).Walk(value);

    private static int IndexOf(JsonElement root) => root.GetProperty("index").GetInt32();

    private sealed class Block(string type, GuardRules rules, GuardTally tally)
    {
        private readonly GuardScan _text = new(rules, tally);
        private readonly ArgumentsScan _arguments = new(rules, tally);

        public string Member { get; } = type switch { "text" => "text", "thinking" => "thinking", _ => "partial_json" };

        public string Delta => Member switch { "text" => "text_delta", "thinking" => "thinking_delta", _ => "input_json_delta" };

        public string Piece(string text) => Member == "partial_json" ? _arguments.Piece(text) : _text.Piece(text);

        public string End() => Member == "partial_json" ? _arguments.End() : _text.Take(final: true);
    }
}
