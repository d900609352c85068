using System.Text.Json;
using System.Text.RegularExpressions;

namespace Penstock.Upstream.OpenAi;

/// <summary>Checks <c>messages</c>: roles, parts, images, and that every tool call is answered right after it.</summary>
internal sealed partial class OpenAiMessages
{
    private readonly List<string> _results = [];
    private readonly List<string> _images = [];
    private readonly List<string> _system = [];
    private readonly List<string> _texts = [];
    private HashSet<string> _open = [];
    private bool _inResults;

    public OpenAiMessages(Field messages)
    {
        var items = messages.Items(min: 1);
        for (var i = 0; i < items.Count; i++) ReadMessage(items[i], i);
        CloseCalls($"messages[{items.Count - 1}]");
    }

    public string LastUserText { get; private set; } = "";

    public string System => string.Join(' ', _system);

    /// <summary>Empty unless tool messages end the conversation.</summary>
    public IReadOnlyList<string> ToolResults => _results;

    /// <summary>How often the assistant has spoken.</summary>
    public int Turns { get; private set; }

    public IReadOnlyList<string> Images => _images;

    public string AllText => string.Join('\n', _texts);

    public long Tokens { get; private set; }

    private void ReadMessage(Field message, int index)
    {
        var role = message.Required("role").OneOf("system", "assistant", "user", "function", "tool", "developer");
        if (role != "tool")
        {
            CloseCalls($"messages.[{index}].role");
            _results.Clear();
            _inResults = false;
        }

        if (message.Optional("name") is { } name && !NamePattern().IsMatch(name.Text()))
            throw OpenAiWording.Refuse($"Invalid '{name.Path}': string does not match pattern. Expected a string that matches the pattern '^[^\\s<|\\\\/>]+$'.", name.Path, "invalid_value");
        Tokens += Words.PerMessage;
        switch (role)
        {
            case "system" or "developer":
                _system.Add(ReadContent(message.Only("role", "content", "name").Required("content"), "text"));
                break;
            case "user":
                _images.Clear();
                var said = ReadContent(message.Only("role", "content", "name").Required("content"), "text", "image_url");
                if (said.Length > 0) LastUserText = said;
                break;
            case "assistant":
                Turns++;
                ReadAssistant(message, index);
                break;
            case "tool":
                ReadResult(message, index);
                break;
            default:
                throw OpenAiWording.Refuse("stand-in: function messages are not answered; send tool messages", message.Path);
        }
    }

    private void ReadAssistant(Field message, int index)
    {
        // Clients send back an answer's message as they got it, which the vendor takes.
        message.Only("role", "content", "name", "refusal", "tool_calls", "audio", "function_call", "annotations");
        var calls = message.Optional("tool_calls")?.Items(min: 1) ?? [];
        if (message.Optional("content") is { } content) ReadContent(content, "text", "refusal");
        else if (calls.Count == 0 && message.Optional("refusal") is null)
            throw OpenAiWording.Refuse("Invalid value for 'content': expected a string, got null.", $"messages.[{index}].content");
        message.Optional("refusal")?.Text();

        foreach (var call in calls)
        {
            var id = call.Only("id", "type", "function").Required("id").Text();
            if (id.Length > 40) throw OpenAiWording.Refuse($"Invalid '{call.Path}.id': string too long. Expected a string with maximum length 40, but got a string with length {id.Length} instead.", $"{call.Path}.id", "string_above_max_length");
            call.Required("type").OneOf("function");
            var function = call.Required("function").Only("name", "arguments");
            OpenAiSchemas.CheckName(function.Required("name"));
            Tokens += Words.Count(function.Required("arguments").Text()) + 1;
            if (!_open.Add(id)) throw OpenAiWording.Refuse($"Duplicate value for 'tool_call_id' of '{id}' in message[{index}].", $"messages.[{index}].tool_calls");
        }
    }

    private void ReadResult(Field message, int index)
    {
        var id = message.Only("role", "content", "tool_call_id", "name").Required("tool_call_id").Text();
        if (_open.Count == 0 && !_inResults)
            throw OpenAiWording.Refuse("Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.", $"messages.[{index}].role");
        if (!_open.Remove(id)) throw OpenAiWording.Refuse($"Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message.", $"messages.[{index}].tool_call_id");
        _inResults = true;
        _results.Add(ReadContent(message.Required("content"), "text"));
    }

    /// <summary>Every call of the assistant must have had its result by now.</summary>
    private void CloseCalls(string path)
    {
        if (_open.Count == 0) return;
        var ids = string.Join(", ", _open);
        _open = [];
        throw OpenAiWording.Refuse($"An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {ids}", path);
    }

    /// <summary>A string, or parts of the <paramref name="allowed"/> types; gives the text.</summary>
    private string ReadContent(Field content, params ReadOnlySpan<string> allowed)
    {
        if (content.Kind is not (JsonValueKind.String or JsonValueKind.Array))
            throw OpenAiWording.Refuse($"Invalid type for '{content.Path}': expected one of a string or array of objects, but got {(content.Kind == JsonValueKind.Object ? "an object" : "a " + content.Kind.ToString().ToLowerInvariant())} instead.", content.Path, "invalid_type");
        var text = content.Kind == JsonValueKind.String ? content.Text() : "";
        if (content.Kind == JsonValueKind.Array)
        {
            var texts = new List<string>();
            foreach (var part in content.Items(min: 1)) ReadPart(part, part.Required("type").OneOf(allowed), texts);
            text = string.Join(' ', texts);
        }

        _texts.Add(text);
        Tokens += Words.Count(text);
        return text;
    }

    private void ReadPart(Field part, string type, List<string> texts)
    {
        if (type == "image_url") _images.Add(ReadImage(part.Only("type", "image_url").Required("image_url").Only("url", "detail")));
        else texts.Add(part.Only("type", type).Required(type).Text());
    }

    private string ReadImage(Field image)
    {
        image.Optional("detail")?.OneOf("auto", "low", "high");
        var url = image.Required("url");
        var text = url.Text();
        Tokens += Words.PerImage;
        if (Uri.TryCreate(text, UriKind.Absolute, out var address) && (address.Scheme == Uri.UriSchemeHttps || address.Scheme == Uri.UriSchemeHttp)) return text;
        var match = DataUrl().Match(text);
        if (!match.Success)
            throw OpenAiWording.Refuse($"Invalid '{url.Path}': expected a base64-encoded data URL with an image MIME type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), or an http(s) URL.", url.Path, "invalid_value");
        var bytes = Upstream.Images.Decode(match.Groups[2].Value)
            ?? throw OpenAiWording.Refuse("Invalid base64 image_url.", url.Path, "invalid_base64");
        var found = Upstream.Images.TypeOf(bytes)
            ?? throw OpenAiWording.Refuse("You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png', 'jpeg', 'gif', 'webp'].", null, "image_parse_error");
        return $"{found} {bytes.Length} bytes";
    }

    [GeneratedRegex(@"^data:(image/[a-z+.-]+);base64,(.*)$", RegexOptions.Singleline)]
    private static partial Regex DataUrl();

    [GeneratedRegex(@"^[^\s<|\\/>]+$")]
    private static partial Regex NamePattern();
}
