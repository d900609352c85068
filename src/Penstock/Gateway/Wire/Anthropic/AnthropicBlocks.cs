using System.Buffers.Text;
using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>Reads content: a string, or a list of blocks. Each role has blocks of its own; kinds we do not know become <see cref="OpaquePart"/>.</summary>
internal sealed class AnthropicBlocks(List<string> dialectOnly)
{
    private delegate ChatPart ReadBlock(JsonView block, string type);

    public IReadOnlyList<ChatPart> ReadSystem(JsonView content, bool mayBeEmpty) => ReadContent(content, mayBeEmpty, (block, type) => type switch
    {
        "text" => ReadText(block),
        "image" or "tool_use" or "tool_result" or "thinking" or "redacted_thinking" => throw Misplaced(block, type, "a system message"),
        _ => Opaque(block, type),
    });

    public IReadOnlyList<ChatPart> ReadUser(JsonView content) => ReadContent(content, mayBeEmpty: false, (block, type) => type switch
    {
        "text" => ReadText(block),
        "image" => ReadImage(block),
        "tool_result" => ReadToolResult(block),
        "tool_use" or "thinking" or "redacted_thinking" => throw Misplaced(block, type, "a user message"),
        _ => Opaque(block, type),
    });

    public IReadOnlyList<ChatPart> ReadAssistant(JsonView content, bool mayBeEmpty) => ReadContent(content, mayBeEmpty, (block, type) => type switch
    {
        "text" => ReadText(block),
        "tool_use" => ReadToolUse(block),
        "thinking" => ReadThinking(block),
        "redacted_thinking" => ReadRedacted(block),
        "image" or "tool_result" => throw Misplaced(block, type, "an assistant message"),
        _ => Opaque(block, type),
    });

    private static List<ChatPart> ReadContent(JsonView content, bool mayBeEmpty, ReadBlock read)
    {
        var parts = new List<ChatPart>();
        if (content.Kind == JsonValueKind.String)
        {
            var text = content.Text();
            if (text.Length > 0) parts.Add(new TextPart(text));
        }
        else if (content.Kind == JsonValueKind.Array)
        {
            foreach (var block in content.Items()) parts.Add(read(block, block.Required("type").NonEmptyText()) with { Cache = DialectOnly.CacheOf(block) });
        }
        else
        {
            throw content.Bad("must be a string or an array of content blocks");
        }

        return parts.Count > 0 || mayBeEmpty ? parts : throw content.Bad("must not be empty");
    }

    private TextPart ReadText(JsonView block)
    {
        var citations = block.Optional("citations");
        dialectOnly.NoteUnknown(block, "type", "text", "citations");
        if (citations is { } cited && cited.Count > 0) dialectOnly.Add(cited.Path);
        return new TextPart(block.Required("text").NonEmptyText());
    }

    private ChatPart ReadImage(JsonView block)
    {
        dialectOnly.NoteUnknown(block, "type", "source");
        var source = block.Required("source");
        var type = source.Required("type").NonEmptyText();
        switch (type)
        {
            case "base64":
                var mediaType = source.Required("media_type").OneOf("image/jpeg", "image/png", "image/gif", "image/webp");
                var data = source.Required("data");
                if (!Base64.IsValid(data.NonEmptyText())) throw data.Bad("must be base64");
                return new ImagePart(null, mediaType, data.Text());
            case "url":
                var url = source.Required("url");
                return Uri.TryCreate(url.Text(), UriKind.Absolute, out var address) && address.Scheme == Uri.UriSchemeHttps
                    ? new ImagePart(url.Text(), null, null)
                    : throw url.Bad("must be an https address");
            default:
                return new OpaquePart(source.Path, type);
        }
    }

    private ToolCallPart ReadToolUse(JsonView block)
    {
        var input = block.Required("input");
        if (input.Kind != JsonValueKind.Object) throw input.Bad("must be an object");
        dialectOnly.NoteUnknown(block, "type", "id", "name", "input", "caller");
        if (block.Optional("caller") is { } caller && caller.Required("type").Text() != "direct") dialectOnly.Add(caller.Path);
        return new ToolCallPart(block.Required("id").NonEmptyText(), block.Required("name").NonEmptyText(), input.Raw());
    }

    private ToolResultPart ReadToolResult(JsonView block)
    {
        dialectOnly.NoteUnknown(block, "type", "tool_use_id", "content", "is_error");
        IReadOnlyList<ChatPart> content = block.Optional("content") is { } view
            ? ReadContent(view, mayBeEmpty: true, (part, type) => type switch
            {
                "text" => ReadText(part),
                "image" => ReadImage(part),
                "tool_use" or "tool_result" or "thinking" or "redacted_thinking" => throw Misplaced(part, type, "a tool result"),
                _ => Opaque(part, type),
            })
            : [];
        return new ToolResultPart(block.Required("tool_use_id").NonEmptyText(), content, block.Optional("is_error")?.Flag() ?? false);
    }

    private ThinkingPart ReadThinking(JsonView block)
    {
        dialectOnly.NoteUnknown(block, "type", "thinking", "signature");
        return new ThinkingPart(block.Required("thinking").Text(), block.Required("signature").Text());
    }

    private RedactedThinkingPart ReadRedacted(JsonView block)
    {
        dialectOnly.NoteUnknown(block, "type", "data");
        return new RedactedThinkingPart(block.Required("data").Text());
    }

    private static OpaquePart Opaque(JsonView block, string type) => new(block.Path, type);

    private static RefusedException Misplaced(JsonView block, string type, string place)
    {
        var path = block.Path + ".type";
        return new RefusedException(Refusal.Invalid(path, $"'{path}' is '{type}', which {place} cannot hold."));
    }
}
