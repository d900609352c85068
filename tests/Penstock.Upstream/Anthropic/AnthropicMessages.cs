using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Penstock.Upstream.Anthropic;

/// <summary>Checks <c>messages</c>: roles, blocks, images, and that every <c>tool_use</c> is answered in the very next message.</summary>
internal sealed partial class AnthropicMessages
{
    private readonly List<string> _results = [];
    private readonly List<string> _images = [];
    private readonly Model _model;
    private readonly bool _citations;
    private readonly List<string> _system = [];
    private List<string> _open = [];

    /// <param name="citations">Whether the API version lets the user's text carry citations.</param>
    public AnthropicMessages(Field messages, Model model, bool citations)
    {
        (_model, _citations) = (model, citations);
        var items = messages.Items();
        if (items.Count == 0) throw messages.Bad("at least one message is required");
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Required("role") is { Kind: JsonValueKind.String } role && role.Text() == "system") ReadSystem(items[i], i == 0 ? "" : items[i - 1].Required("role").Text());
            else ReadMessage(items[i], i, i == items.Count - 1);
        }

        if (_open.Count > 0) throw Unanswered(items[^1].Path);
    }

    /// <summary>Of the last user message that has text.</summary>
    public string LastUserText { get; private set; } = "";

    /// <summary>Of the last message, in its order.</summary>
    public IReadOnlyList<string> ToolResults => _results;

    /// <summary>How often the assistant has spoken.</summary>
    public int Turns { get; private set; }

    public IReadOnlyList<string> Images => _images;

    /// <summary>System messages between the turns.</summary>
    public string System => string.Join(' ', _system);

    public long Tokens { get; private set; }

    public static void CheckCache(Field block)
    {
        if (block.Optional("cache_control") is not { } cache) return;
        cache.Only("type", "ttl").Required("type").OneOf("ephemeral");
        cache.Optional("ttl")?.OneOf("5m", "1h");
    }

    /// <summary>Newer models take instructions right after what the user says.</summary>
    private void ReadSystem(Field message, string before)
    {
        if (!_model.MidSystem) throw AnthropicWording.Refuse("role 'system' is not supported on this model");
        if (before != "user") throw message.Bad("a system message must follow a user message");
        var content = message.Only("role", "content").Required("content");
        Tokens += Words.PerMessage;
        if (content.Kind == JsonValueKind.Array)
        {
            foreach (var block in content.Items(1))
            {
                block.Required("type").OneOf("text");
                CheckCache(block);
                _system.Add(ReadText(block, "system"));
            }

            return;
        }

        if (content.Text().Length == 0) throw message.Bad("system messages must have non-empty content");
        Tokens += Words.Count(content.Text());
        _system.Add(content.Text());
    }

    private void ReadMessage(Field message, int index, bool last)
    {
        var role = message.Only("role", "content").Required("role").OneOf("user", "assistant");
        if (index == 0 && role != "user") throw AnthropicWording.Refuse("messages: first message must use the \"user\" role");
        Tokens += Words.PerMessage;
        _results.Clear();
        var before = _open;
        _open = [];
        if (role == "user") _images.Clear();
        else Turns++;

        var content = message.Required("content");
        var text = content.Kind == JsonValueKind.String ? content.Text() : ReadBlocks(content, role, before, message.Path);
        if (content.Kind == JsonValueKind.String)
        {
            if (before.Count > 0) throw Unanswered(Previous(index), before);
            Tokens += Words.Count(text);
            if (text.Length == 0 && !(last && role == "assistant")) throw message.Bad(role == "user" ? "user messages must have non-empty content" : "all messages must have non-empty content except for the optional final assistant message");
        }

        if (last && role == "assistant" && text.Length > 0 && char.IsWhiteSpace(text[^1])) throw AnthropicWording.Refuse("messages: final assistant content cannot end with trailing whitespace");
        if (role == "user" && text.Length > 0) LastUserText = text;

        string Previous(int at) => content.Wording.Item("messages", at - 1);
    }

    private string ReadBlocks(Field content, string role, List<string> before, string path)
    {
        var blocks = content.Items();
        if (blocks.Count == 0) throw AnthropicWording.Refuse($"{path}: {role} messages must have non-empty content");
        var (texts, answered) = (new List<string>(), new HashSet<string>());
        foreach (var block in blocks)
        {
            var type = role == "user"
                ? block.Required("type").OneOf("document", "image", "text", "tool_result")
                : block.Required("type").OneOf("redacted_thinking", "text", "thinking", "tool_use");
            CheckCache(block);
            switch (type)
            {
                case "text": texts.Add(ReadText(block, role)); break;
                case "image": _images.Add(ReadImage(block)); break;
                case "tool_use": ReadCall(block with { Path = block.Path + ".tool_use" }); break;
                case "tool_result": ReadResult(block, before, answered, texts.Count); break;
                case "thinking": CheckThinking(block); break;
                case "redacted_thinking": block.Only("type", "data").Required("data").Text(); break;
                default: throw AnthropicWording.Refuse($"stand-in: {block.Path}: blocks of type {type} are not answered");
            }
        }

        List<string> missing = [.. before.Where(id => !answered.Contains(id))];
        if (missing.Count == 0) return string.Join(' ', texts);
        var index = int.Parse(path.Split('.')[1], CultureInfo.InvariantCulture);
        throw Unanswered(content.Wording.Item("messages", index - 1), missing);
    }

    private string ReadText(Field block, string role)
    {
        if (!_citations && role == "user" && block.Optional("citations")?.Items().Count > 0) throw block.Bad("citations are not permitted in user messages");
        var text = block.Only("type", "text", "cache_control", "citations").Required("text").Text();
        if (text.Length == 0) throw AnthropicWording.Refuse("messages: text content blocks must be non-empty");
        if (string.IsNullOrWhiteSpace(text)) throw AnthropicWording.Refuse("messages: text content blocks must contain non-whitespace text");
        Tokens += Words.Count(text);
        return text;
    }

    private static void CheckThinking(Field block)
    {
        block.Only("type", "thinking", "signature").Required("thinking").Text();
        if (block.Required("signature").Text() is not AnthropicVendor.Signature) throw block.Bad("Invalid `signature` in `thinking` block");
    }

    private void ReadCall(Field block)
    {
        var id = block.Only("type", "id", "name", "input", "cache_control", "caller").Required("id");
        if (!IdPattern().IsMatch(id.Text())) throw id.Bad("String should match pattern '^[a-zA-Z0-9_-]+$'");
        if (_open.Contains(id.Text())) throw AnthropicWording.Refuse("messages: `tool_use` ids must be unique");
        block.Required("name").Text();
        Tokens += Words.Count(block.Required("input").Object().Value.GetRawText()) + 1;
        _open.Add(id.Text());
    }

    private void ReadResult(Field block, List<string> before, HashSet<string> answered, int textsBefore)
    {
        var id = block.Only("type", "tool_use_id", "content", "is_error", "cache_control").Required("tool_use_id").Text();
        if (!before.Contains(id))
            throw AnthropicWording.Refuse($"{block.Path}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.");
        if (!answered.Add(id)) throw AnthropicWording.Refuse($"{block.Path}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}");
        if (textsBefore > 0) throw AnthropicWording.Refuse($"{block.Path}: `tool_result` blocks must come before any other content of the message that answers `tool_use`");
        var failed = block.Optional("is_error")?.Flag() ?? false;
        _results.Add((failed ? "error: " : "") + (block.Optional("content") is { } content ? ReadResultContent(content) : ""));
    }

    private string ReadResultContent(Field content)
    {
        if (content.Kind == JsonValueKind.String)
        {
            Tokens += Words.Count(content.Text());
            return content.Text();
        }

        var texts = new List<string>();
        foreach (var block in content.Items())
        {
            if (block.Required("type").OneOf("image", "text") == "image") texts.Add(ReadImage(block));
            else texts.Add(ReadText(block, "user"));
        }

        return string.Join(' ', texts);
    }

    private string ReadImage(Field block)
    {
        Tokens += Words.PerImage;
        var source = block.Only("type", "source", "cache_control").Required("source");
        var at = source with { Path = block.Path + ".image.source." + source.Required("type").OneOf("base64", "url") };
        if (at.Path.EndsWith(".url", StringComparison.Ordinal))
        {
            var url = at.Only("type", "url").Required("url");
            return url.Text().StartsWith("https://", StringComparison.Ordinal) ? url.Text() : throw url.Bad("Only HTTPS URLs are supported.");
        }

        var type = at.Only("type", "media_type", "data").Required("media_type").OneOf("image/jpeg", "image/png", "image/gif", "image/webp");
        var data = at.Required("data");
        var bytes = Upstream.Images.Decode(data.Text()) ?? throw at.Bad("invalid base64 data");
        return Upstream.Images.TypeOf(bytes) == type ? $"{type} {bytes.Length} bytes" : throw data.Bad($"Image does not match the provided media type {type}");
    }

    private VendorRefusal Unanswered(string path) => Unanswered(path, _open);

    private static VendorRefusal Unanswered(string path, List<string> ids) => AnthropicWording.Refuse(
        $"{path}: `tool_use` ids were found without `tool_result` blocks immediately after: {string.Join(", ", ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.");

    [GeneratedRegex("^[a-zA-Z0-9_-]+$")]
    private static partial Regex IdPattern();
}
