using System.Text.RegularExpressions;

namespace Penstock.Upstream.Bedrock;

/// <summary>Checks <c>messages</c>: turns that alternate, blocks that the model takes, and that every <c>toolUse</c> is answered in the very next message.</summary>
internal sealed partial class BedrockMessages
{
    private const int LargestImage = 3_750_000;

    private readonly List<string> _results = [];
    private readonly List<string> _images = [];
    private readonly BedrockModel _model;
    private readonly bool _tools;
    private List<string> _open = [];

    public BedrockMessages(Field messages, BedrockModel model, bool tools)
    {
        (_model, _tools) = (model, tools);
        var before = "assistant";
        var items = messages.Items(1);
        foreach (var message in items)
        {
            var role = message.Only("role", "content").Required("role").OneOf("user", "assistant");
            if (Turns == 0 && Tokens == 0 && role != "user") throw BedrockWording.Refuse("A conversation must start with a user message. Try again with a conversation that starts with a user message.");
            if (role == before) throw BedrockWording.Refuse("A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.");
            before = role;
            ReadMessage(message, role);
        }

        if (_open.Count > 0) throw Expected(items[^1].Path, _open);
        if (before == "assistant" && _model.Maker != Maker.Claude) throw BedrockWording.Refuse("The model does not support assistant message prefill. The conversation must end with a user message.");
    }

    public string LastUserText { get; private set; } = "";

    public IReadOnlyList<string> ToolResults => _results;

    public int Turns { get; private set; }

    public IReadOnlyList<string> Images => _images;

    public long Tokens { get; private set; }

    /// <summary>The text of a block, which must not be blank.</summary>
    public static string Text(Field block)
    {
        var text = block.Required("text").Text();
        return string.IsNullOrWhiteSpace(text) ? throw BedrockWording.Refuse($"The text field in the ContentBlock object at {block.Path} is blank. Add text to the text field, and try again.") : text;
    }

    private void ReadMessage(Field message, string role)
    {
        Tokens += Words.PerMessage;
        _results.Clear();
        if (role == "user") _images.Clear();
        else Turns++;
        var (before, answered, texts) = (_open, new HashSet<string>(), new List<string>());
        _open = [];
        foreach (var block in message.Required("content").Items(1)) ReadBlock(block, role, before, answered, texts);
        List<string> missing = [.. before.Where(id => !answered.Contains(id))];
        if (missing.Count > 0) throw Expected(message.Path, missing);
        if (role == "user" && texts.Count > 0) LastUserText = string.Join(' ', texts);
    }

    private void ReadBlock(Field block, string role, List<string> before, HashSet<string> answered, List<string> texts)
    {
        var kind = block.Value.EnumerateObject().Select(member => member.Name).FirstOrDefault() ?? "";
        block.Only(kind);
        switch (kind, role)
        {
            case ("text", _):
                texts.Add(Counted(Text(block)));
                break;
            case ("image", "user"):
                _images.Add(ReadImage(block.Required("image")));
                break;
            case ("toolUse", "assistant"):
                ReadCall(block.Required("toolUse"));
                break;
            case ("toolResult", "user"):
                ReadResult(block.Required("toolResult"), before, answered);
                break;
            case ("reasoningContent", "assistant") when _model.Maker == Maker.Claude:
                ReadReasoning(block.Required("reasoningContent"));
                break;
            case ("cachePoint", _) when _model.Maker is Maker.Claude or Maker.Nova:
                block.Required("cachePoint").Only("type", "ttl").Required("type").OneOf("default");
                break;
            default:
                throw BedrockWording.Refuse($"This model doesn't support the {kind} content block that you provided at {block.Path} in a message of the role {role}. Remove it and try again.");
        }
    }

    private static void ReadReasoning(Field reasoning)
    {
        if (reasoning.Only("reasoningText", "redactedContent").Optional("reasoningText") is not { } text) return;
        text.Only("text", "signature").Required("text").Text();
        if (text.Required("signature").Text() != Anthropic.AnthropicVendor.Signature) throw BedrockWording.Refuse($"The model returned the following errors: {text.Path}: Invalid `signature` in `thinking` block");
    }

    private void ReadCall(Field use)
    {
        var id = Id(use.Only("toolUseId", "name", "input").Required("toolUseId"));
        if (!_tools) throw BedrockWording.Refuse("The toolConfig field must be defined when using toolUse and toolResult content blocks.");
        if (_open.Contains(id)) throw BedrockWording.Refuse($"messages: toolUse ids must be unique: {id}");
        use.Required("name").Text();
        Tokens += Words.Count(use.Required("input").Object().Value.GetRawText()) + 1;
        _open.Add(id);
    }

    private void ReadResult(Field result, List<string> before, HashSet<string> answered)
    {
        var id = Id(result.Only("toolUseId", "content", "status").Required("toolUseId"));
        if (!before.Contains(id) || !answered.Add(id)) throw BedrockWording.Refuse($"The number of toolResult blocks at {result.Path} exceeds the number of toolUse blocks of previous turn.");
        if (result.Optional("status") is { } status)
        {
            if (_model.Maker is Maker.Llama or Maker.Mistral) throw BedrockWording.Refuse("This model doesn't support the status field. Remove status and try again.");
            status.OneOf("success", "error");
        }

        var failed = result.Optional("status")?.Text() == "error" ? "error: " : "";
        _results.Add(failed + string.Join(' ', result.Required("content").Items().Select(block => block.Only("text", "json", "image").Optional("image") is { } image ? ReadImage(image) : Counted(Text(block)))));
    }

    private string ReadImage(Field image)
    {
        if (!_model.Images) throw BedrockWording.Refuse("This model doesn't support the image content block that you provided. Remove it and try again.");
        Tokens += Words.PerImage;
        var format = image.Only("format", "source").Required("format").OneOf("png", "jpeg", "gif", "webp");
        var bytes = Upstream.Images.Decode(image.Required("source").Only("bytes").Required("bytes").Text());
        if (bytes is null || Upstream.Images.TypeOf(bytes) != $"image/{format}") throw BedrockWording.Refuse("The model returned the following errors: Could not process image");
        return bytes.Length <= LargestImage ? $"image/{format} {bytes.Length} bytes" : throw BedrockWording.Refuse("The model returned the following errors: image exceeds 3.75 MB maximum");
    }

    private string Counted(string text)
    {
        Tokens += Words.Count(text);
        return text;
    }

    private static string Id(Field id) => IdPattern().IsMatch(id.Text()) ? id.Text() : throw id.Bad("Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+, with 1 to 64 characters");

    private static VendorRefusal Expected(string path, List<string> ids) => BedrockWording.Refuse($"Expected toolResult blocks at {path}.content for the following Ids: {string.Join(", ", ids)}");

    [GeneratedRegex(@"^[a-zA-Z0-9_-]{1,64}\z")]
    private static partial Regex IdPattern();
}
