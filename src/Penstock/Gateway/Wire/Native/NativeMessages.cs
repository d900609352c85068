using System.Buffers.Text;
using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.Native;

/// <summary>Reads <c>systemPrompt</c> and <c>messages</c>.</summary>
internal static class NativeMessages
{
    public static List<ChatMessage> Read(JsonView root)
    {
        var given = root.Required("messages");
        if (given.Count == 0) throw given.Bad("must hold at least one message");
        var messages = new List<ChatMessage>(given.Count + 1);
        if (root.Optional("systemPrompt") is { } prompt) messages.Add(new ChatMessage(ChatRole.System, [new TextPart(prompt.Text())]) { Path = prompt.Path });
        var calls = new HashSet<string>();
        foreach (var item in given.Items()) messages.Add(Message(item, calls) with { Path = item.Path });
        return messages;
    }

    private static ChatMessage Message(JsonView item, HashSet<string> calls)
    {
        if (item.Kind != JsonValueKind.Object) throw item.Bad("must be an object with 'role' and 'content'");
        switch (item.Required("role").OneOf("system", "user", "assistant", "tool"))
        {
            case "system":
                item.AllowOnly("role", "content", "name");
                return new ChatMessage(ChatRole.System, Parts(item.Required("content"), images: false), NameOf(item));
            case "user":
                item.AllowOnly("role", "content", "name");
                return new ChatMessage(ChatRole.User, Parts(item.Required("content"), images: true), NameOf(item));
            case "assistant":
                item.AllowOnly("role", "content", "name", "toolCalls");
                return new ChatMessage(ChatRole.Assistant, Turn(item, calls), NameOf(item));
            default:
                item.AllowOnly("role", "content", "toolCallId", "isError");
                return new ChatMessage(ChatRole.Tool, [Result(item, calls)]);
        }
    }

    private static string? NameOf(JsonView item) => item.Optional("name")?.NonEmptyText();

    private static List<ChatPart> Turn(JsonView item, HashSet<string> calls)
    {
        var parts = item.Optional("content") is { } content ? Parts(content, images: false) : [];
        if (item.Optional("toolCalls") is { } given)
        {
            foreach (var call in given.Items()) parts.Add(Call(call, calls));
        }

        return parts.Count > 0 ? parts : throw item.Bad("must have 'content' or 'toolCalls'");
    }

    private static ToolCallPart Call(JsonView given, HashSet<string> calls)
    {
        given.AllowOnly("id", "name", "arguments");
        var id = given.Required("id");
        if (!calls.Add(id.NonEmptyText())) throw id.Bad("is the id of an earlier tool call; give each call an id of its own");
        var arguments = given.Optional("arguments");
        if (arguments is { Kind: not JsonValueKind.Object } other) throw other.Bad("must be an object");
        return new ToolCallPart(id.Text(), NativeRequest.Name(given.Required("name")), arguments?.Raw() ?? "{}");
    }

    private static ToolResultPart Result(JsonView item, HashSet<string> calls)
    {
        var id = item.Required("toolCallId");
        if (!calls.Contains(id.NonEmptyText())) throw id.Bad("is not the id of a tool call in an earlier assistant message");
        return new ToolResultPart(id.Text(), Parts(item.Required("content"), images: true), item.Optional("isError")?.Flag() ?? false);
    }

    private static List<ChatPart> Parts(JsonView content, bool images)
    {
        if (content.Kind == JsonValueKind.String) return [new TextPart(content.Text())];
        if (content.Kind != JsonValueKind.Array) throw content.Bad("must be a string or an array of parts");
        if (content.Count == 0) throw content.Bad("must hold at least one part");
        return [.. content.Items().Select(item => Part(item, images))];
    }

    private static ChatPart Part(JsonView item, bool images)
    {
        if (item.Kind != JsonValueKind.Object) throw item.Bad("must be an object with 'type'");
        var type = item.Required("type");
        if (type.OneOf("text", "image") == "text")
        {
            item.AllowOnly("type", "text");
            return new TextPart(item.Required("text").Text());
        }

        if (!images) throw type.Bad("is an image, which only a user or tool message can hold");
        item.AllowOnly("type", "url", "mediaType", "data");
        return Image(item);
    }

    private static ImagePart Image(JsonView item)
    {
        var url = item.Optional("url");
        var media = item.Optional("mediaType");
        var data = item.Optional("data");
        if (url is { } link)
        {
            if (media is not null || data is not null) throw item.Bad("must have either 'url', or 'mediaType' and 'data'");
            var sound = Uri.TryCreate(link.Text(), UriKind.Absolute, out var parsed) && parsed.Scheme == Uri.UriSchemeHttps;
            return sound ? new ImagePart(link.Text(), null, null) : throw link.Bad("must be an https URL; send an image of your own as 'mediaType' and base64 'data'");
        }

        if (media is not { } kind || data is not { } bytes) throw item.Bad("must have either 'url', or 'mediaType' and 'data'");
        kind.OneOf("image/png", "image/jpeg", "image/gif", "image/webp");
        if (!Base64.IsValid(bytes.NonEmptyText())) throw bytes.Bad("must be base64");
        return new ImagePart(null, kind.Text(), bytes.Text());
    }
}
