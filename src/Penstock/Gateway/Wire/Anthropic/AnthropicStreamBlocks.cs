using System.Buffers;
using System.Text.Json;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>
/// Puts deltas into content blocks. Anthropic's blocks come one after the other, while OpenAI's parallel tool calls may take turns:
/// pieces of the first unfinished block are written as they come, what belongs to later blocks waits. A tool call is known to be finished
/// when its arguments are a complete JSON object; anything else is finished as soon as another block begins.
/// </summary>
internal sealed class AnthropicStreamBlocks
{
    private readonly List<Block> _waiting = [];
    private readonly Dictionary<int, Block> _calls = [];
    private Block? _open;
    private int _index;

    public bool Refused { get; private set; }

    public bool ToolsCalled => _calls.Count > 0;

    public void Add(ChatUpdate update, IBufferWriter<byte> output)
    {
        switch (update)
        {
            case TextDelta text:
                Append(BlockKind.Text, text.Text);
                break;
            case RefusalDelta refusal:
                Refused = true;
                Append(BlockKind.Text, refusal.Text);
                break;
            case ThinkingDelta thinking:
                Append(BlockKind.Thinking, thinking.Text);
                break;
            case ThinkingSigned signed:
                var block = Last is { Kind: BlockKind.Thinking, Signature: null } last ? last : Begin(new Block(BlockKind.Thinking));
                block.Signature = signed.Signature;
                break;
            case ThinkingRedacted redacted:
                Begin(new Block(BlockKind.Redacted) { Id = redacted.Data });
                break;
            case ToolCallStarted started:
                if (!_calls.ContainsKey(started.Index)) _calls[started.Index] = Begin(new Block(BlockKind.ToolUse) { Id = started.Id, Name = started.Name });
                break;
            case ToolCallDelta { Arguments.Length: > 0 } delta when _calls.TryGetValue(delta.Index, out var call):
                call.Pieces.Add(delta.Arguments);
                call.Arguments.Read(delta.Arguments);
                break;
        }

        Advance(output, all: false);
    }

    /// <summary>Nothing more will come: writes what waits and closes the last block.</summary>
    public void End(IBufferWriter<byte> output) => Advance(output, all: true);

    private Block? Last => _waiting.Count > 0 ? _waiting[^1] : _open;

    private void Append(BlockKind kind, string text)
    {
        if (text.Length == 0) return;
        var block = Last is { } last && last.Kind == kind && last.Signature is null ? last : Begin(new Block(kind));
        block.Pieces.Add(text);
    }

    private Block Begin(Block block)
    {
        _waiting.Add(block);
        return block;
    }

    private void Advance(IBufferWriter<byte> output, bool all)
    {
        while (true)
        {
            if (_open is { } open)
            {
                WritePieces(open, output);
                var over = open.Kind switch
                {
                    BlockKind.Thinking when open.Signature is not null => true,
                    BlockKind.Redacted => true,
                    BlockKind.ToolUse => _waiting.Count > 0 && open.Arguments.Complete,
                    _ => _waiting.Count > 0,
                };
                if (!over && !all) return;
                Close(open, output);
            }

            if (_waiting.Count == 0) return;
            Open(_waiting[0], output);
            _waiting.RemoveAt(0);
        }
    }

    private void Open(Block block, IBufferWriter<byte> output)
    {
        _open = block;
        Write("content_block_start", output, json =>
        {
            json.WriteStartObject("content_block");
            json.WriteString("type", block.Type);
            switch (block.Kind)
            {
                case BlockKind.Text:
                    json.WriteString("text", "");
                    break;
                case BlockKind.Thinking:
                    json.WriteString("thinking", "");
                    json.WriteString("signature", "");
                    break;
                case BlockKind.Redacted:
                    json.WriteString("data", block.Id);
                    break;
                default:
                    json.WriteString("id", block.Id);
                    json.WriteString("name", block.Name);
                    json.WriteStartObject("input");
                    json.WriteEndObject();
                    break;
            }

            json.WriteEndObject();
        });
    }

    private void WritePieces(Block block, IBufferWriter<byte> output)
    {
        var (type, member) = block.Kind switch
        {
            BlockKind.Text => ("text_delta", "text"),
            BlockKind.Thinking => ("thinking_delta", "thinking"),
            _ => ("input_json_delta", "partial_json"),
        };
        foreach (var piece in block.Pieces) WriteDelta(type, member, piece, output);
        block.Pieces.Clear();
    }

    private void Close(Block block, IBufferWriter<byte> output)
    {
        if (block.Signature is { } signature) WriteDelta("signature_delta", "signature", signature, output);
        Write("content_block_stop", output, static _ => { });
        _open = null;
        _index++;
    }

    private void WriteDelta(string type, string member, string value, IBufferWriter<byte> output) => Write("content_block_delta", output, json =>
    {
        json.WriteStartObject("delta");
        json.WriteString("type", type);
        json.WriteString(member, value);
        json.WriteEndObject();
    });

    private void Write(string name, IBufferWriter<byte> output, Action<Utf8JsonWriter> writeRest) => AnthropicFrames.Write(name, output, json =>
    {
        json.WriteStartObject();
        json.WriteString("type", name);
        json.WriteNumber("index", _index);
        writeRest(json);
        json.WriteEndObject();
    });

    private enum BlockKind
    {
        Text,
        Thinking,
        Redacted,
        ToolUse,
    }

    private sealed class Block(BlockKind kind)
    {
        public BlockKind Kind { get; } = kind;

        /// <summary>A tool call's id, or a redacted block's data.</summary>
        public string Id { get; init; } = "";

        public string Name { get; init; } = "";

        public string? Signature { get; set; }

        public List<string> Pieces { get; } = [];

        public JsonEnd Arguments { get; } = new();

        public string Type => Kind switch
        {
            BlockKind.Text => "text",
            BlockKind.Thinking => "thinking",
            BlockKind.Redacted => "redacted_thinking",
            _ => "tool_use",
        };
    }
}
