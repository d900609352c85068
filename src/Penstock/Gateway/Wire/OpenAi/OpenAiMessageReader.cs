using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.OpenAi;

/// <summary>Reads <c>messages</c>. A part that other dialects have no word for becomes an <see cref="OpaquePart"/> with its path.</summary>
internal static class OpenAiMessageReader
{
    public static IReadOnlyList<ChatMessage> Read(JsonView messages, List<string> dialectOnly)
    {
        if (messages.Kind == JsonValueKind.Array && messages.Count == 0) throw OpenAiFields.Refuse(messages, "'messages' is empty; give at least one message.");
        return [.. messages.Items().Select(message => ReadMessage(message, dialectOnly))];
    }

    private static ChatMessage ReadMessage(JsonView message, List<string> dialectOnly)
    {
        if (message.Kind != JsonValueKind.Object) throw message.Bad("must be an object with 'role' and 'content'");
        var read = message.Required("role").OneOf("system", "developer", "user", "assistant", "tool", "function") switch
        {
            "user" => ReadSaid(message, ChatRole.User, dialectOnly),
            "assistant" => ReadAssistant(message, dialectOnly),
            "tool" => ReadToolResult(message, dialectOnly),
            // Superseded by tools; only a provider of this dialect can still make sense of it.
            "function" => new ChatMessage(ChatRole.User, [new OpaquePart(message.Path, "function")]),
            _ => ReadSaid(message, ChatRole.System, dialectOnly),
        };
        return read with { Path = message.Path };
    }

    private static ChatMessage ReadSaid(JsonView message, ChatRole role, List<string> dialectOnly)
    {
        OpenAiFields.ListUnknown(message, dialectOnly, "role", "content", "name");
        return new ChatMessage(role, ReadContent(message.Required("content"), role, dialectOnly), NameOf(message));
    }

    private static ChatMessage ReadToolResult(JsonView message, List<string> dialectOnly)
    {
        OpenAiFields.ListUnknown(message, dialectOnly, "role", "content", "tool_call_id", "name");
        var id = message.Required("tool_call_id").NonEmptyText();
        return new ChatMessage(ChatRole.Tool, [new ToolResultPart(id, ReadContent(message.Required("content"), ChatRole.Tool, dialectOnly))], NameOf(message));
    }

    private static ChatMessage ReadAssistant(JsonView message, List<string> dialectOnly)
    {
        OpenAiFields.ListUnknown(message, dialectOnly, "role", "content", "name", "refusal", "tool_calls", "function_call", "audio");
        List<ChatPart> parts = message.Optional("content") is { } content ? [.. ReadContent(content, ChatRole.Assistant, dialectOnly)] : [];
        if (message.Optional("refusal")?.Text() is { Length: > 0 } refusal) parts.Add(new RefusedPart(refusal));
        var said = parts.Count;
        if (message.Optional("tool_calls") is { } calls) parts.AddRange(calls.Items().Select(call => ReadToolCall(call, dialectOnly)));
        if (message.Optional("function_call") is { } old) parts.Add(new OpaquePart(old.Path, "function_call"));
        if (message.Optional("audio") is { } audio) parts.Add(new OpaquePart(audio.Path, "audio"));
        if (parts.Count == 0)
            throw OpenAiFields.Refuse(message, $"'{message.Path}' is an assistant message with neither 'content' nor 'tool_calls'; give one of them.");

        // Beside a call, empty text says nothing, and other dialects refuse it.
        if (parts.Count > said) parts.RemoveAll(part => part is TextPart { Text.Length: 0 });
        return new ChatMessage(ChatRole.Assistant, parts, NameOf(message));
    }

    private static ChatPart ReadToolCall(JsonView call, List<string> dialectOnly)
    {
        var type = OpenAiFields.Object(call).Optional("type")?.NonEmptyText() ?? "function";
        if (type != "function") return new OpaquePart(call.Path, type);

        OpenAiFields.ListUnknown(call, dialectOnly, "id", "type", "function", "index");
        var function = OpenAiFields.Object(call.Required("function"));
        OpenAiFields.ListUnknown(function, dialectOnly, "name", "arguments");
        var given = function.Required("arguments");
        var arguments = given.Text();
        if (string.IsNullOrWhiteSpace(arguments)) arguments = "{}";
        // Models write arguments, and not always well. Here they are any text; elsewhere they must be an object.
        else if (!IsObject(arguments)) OpenAiFields.List(given, dialectOnly);
        return new ToolCallPart(call.Required("id").NonEmptyText(), function.Required("name").NonEmptyText(), arguments);
    }

    private static IReadOnlyList<ChatPart> ReadContent(JsonView content, ChatRole role, List<string> dialectOnly)
    {
        if (content.Kind == JsonValueKind.String) return [new TextPart(content.Text())];
        if (content.Kind != JsonValueKind.Array) throw content.Bad("must be a string or an array of parts");
        if (content.Count == 0) throw OpenAiFields.Refuse(content, $"'{content.Path}' is empty; give at least one part.");
        return [.. content.Items().Select(part => ReadPart(part, role, dialectOnly))];
    }

    private static ChatPart ReadPart(JsonView part, ChatRole role, List<string> dialectOnly)
    {
        if (part.Kind != JsonValueKind.Object) throw part.Bad("must be an object with a 'type'");
        var type = part.Required("type").NonEmptyText();
        switch (type)
        {
            case "text":
                OpenAiFields.ListUnknown(part, dialectOnly, "type", "text");
                return new TextPart(part.Required("text").Text());
            case "refusal" when role == ChatRole.Assistant:
                OpenAiFields.ListUnknown(part, dialectOnly, "type", "refusal");
                return new RefusedPart(part.Required("refusal").Text());
            case "image_url" when role == ChatRole.User:
                OpenAiFields.ListUnknown(part, dialectOnly, "type", "image_url");
                return ReadImage(part.Required("image_url"), dialectOnly);
            default:
                return new OpaquePart(part.Path, OpenAiFields.Brief(type));
        }
    }

    private static ImagePart ReadImage(JsonView image, List<string> dialectOnly)
    {
        if (image.Kind != JsonValueKind.Object) throw image.Bad("must be an object with a 'url'");
        OpenAiFields.ListUnknown(image, dialectOnly, "url", "detail");
        var detail = image.Optional("detail");
        var wanted = detail?.Text();
        if (wanted is not (null or "auto" or "low" or "high")) OpenAiFields.List(detail!.Value, dialectOnly);
        if (wanted is not ("low" or "high")) wanted = null;

        var view = image.Required("url");
        var url = view.NonEmptyText();
        if (url.StartsWith("data:", StringComparison.OrdinalIgnoreCase)) return ReadData(view, url, wanted);
        return Uri.TryCreate(url, UriKind.Absolute, out var parsed) && parsed.Scheme is "https" or "http"
            ? new ImagePart(url, null, null, wanted)
            : throw OpenAiFields.Refuse(view, $"'{view.Path}' must be an https:// address or a data: URL with base64.");
    }

    private static ImagePart ReadData(JsonView view, string url, string? detail)
    {
        // data:<media type>[;parameters];base64,<data> (RFC 2397)
        var comma = url.IndexOf(',');
        var head = comma < 0 ? default : url.AsSpan(5..comma);
        var media = head[..Math.Max(0, head.IndexOf(';'))];
        if (!head.EndsWith(";base64", StringComparison.OrdinalIgnoreCase) || media.IsEmpty || media.Length > 100)
            throw OpenAiFields.Refuse(view, $"'{view.Path}' is not of the form data:image/png;base64,….");
        var data = url[(comma + 1)..];
        return data.Length > 0 && Base64.IsValid(data)
            ? new ImagePart(null, media.ToString().ToLowerInvariant(), data, detail)
            : throw OpenAiFields.Refuse(view, $"'{view.Path}' holds data that is not base64.");
    }

    private static string? NameOf(JsonView message) => message.Optional("name")?.NonEmptyText();

    private static bool IsObject(string text)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text), new JsonReaderOptions { MaxDepth = 64 });
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return false;
            reader.Skip();
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
