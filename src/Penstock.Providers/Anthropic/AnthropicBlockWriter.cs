using System.Buffers;
using System.Text.Json;
using Penstock.Gateway;

namespace Penstock.Providers.Anthropic;

/// <summary>Writes one turn of a conversation as a message with content blocks.</summary>
internal static class AnthropicBlockWriter
{
    /// <summary>What an id of a tool call may hold at Anthropic.</summary>
    private static readonly SearchValues<char> IdCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    public static void Write(Utf8JsonWriter json, AnthropicTurn turn)
    {
        json.WriteStartObject();
        json.WriteString("role", turn.Assistant ? "assistant" : "user");
        json.WriteStartArray("content");
        foreach (var part in turn.Parts) Write(json, part);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    public static void WriteText(Utf8JsonWriter json, string text)
    {
        Begin(json, "text");
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ChatPart part)
    {
        switch (part)
        {
            case TextPart text:
                WriteText(json, text.Text);
                break;
            case RefusedPart refused:
                WriteText(json, refused.Text);
                break;
            case ImagePart image:
                WriteImage(json, image);
                break;
            case ToolCallPart call:
                WriteToolUse(json, call);
                break;
            case ToolResultPart result:
                WriteToolResult(json, result);
                break;
            case ThinkingPart thinking:
                Begin(json, "thinking");
                json.WriteString("thinking", thinking.Text);
                json.WriteString("signature", thinking.Signature);
                json.WriteEndObject();
                break;
            case RedactedThinkingPart redacted:
                Begin(json, "redacted_thinking");
                json.WriteString("data", redacted.Data);
                json.WriteEndObject();
                break;
            default:
                throw new InvalidOperationException($"{part.GetType().Name} was to be refused before it is written.");
        }
    }

    private static void WriteImage(Utf8JsonWriter json, ImagePart image)
    {
        Begin(json, "image");
        json.WriteStartObject("source");
        if (image.Url is { } url)
        {
            json.WriteString("type", "url");
            json.WriteString("url", url);
        }
        else
        {
            json.WriteString("type", "base64");
            json.WriteString("media_type", image.MediaType);
            json.WriteString("data", image.Data);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteToolUse(Utf8JsonWriter json, ToolCallPart call)
    {
        Begin(json, "tool_use");
        json.WriteString("id", IdOf(call.Id));
        json.WriteString("name", call.Name);
        json.WritePropertyName("input");
        json.WriteRawValue(string.IsNullOrWhiteSpace(call.Arguments) ? "{}" : call.Arguments);
        json.WriteEndObject();
    }

    private static void WriteToolResult(Utf8JsonWriter json, ToolResultPart result)
    {
        Begin(json, "tool_result");
        json.WriteString("tool_use_id", IdOf(result.CallId));
        var content = result.Content.Where(part => !AnthropicTurns.IsEmpty(part)).ToList();
        if (content is [TextPart only])
        {
            json.WriteString("content", only.Text);
        }
        else if (content.Count > 0)
        {
            json.WriteStartArray("content");
            foreach (var part in content) Write(json, part);
            json.WriteEndArray();
        }

        if (result.IsError) json.WriteBoolean("is_error", true);
        json.WriteEndObject();
    }

    private static void Begin(Utf8JsonWriter json, string type)
    {
        json.WriteStartObject();
        json.WriteString("type", type);
    }

    /// <summary>Some servers name calls like <c>functions.search:0</c>. The same change on the call and on its result keeps them together.</summary>
    private static string IdOf(string id) => !id.AsSpan().ContainsAnyExcept(IdCharacters)
        ? id
        : string.Create(id.Length, id, static (span, from) =>
        {
            for (var i = 0; i < span.Length; i++) span[i] = IdCharacters.Contains(from[i]) ? from[i] : '_';
        });
}
