using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Penstock.Gateway;
using Penstock.Providers.Anthropic;

namespace Penstock.Aws.Bedrock;

/// <summary>Writes one turn as a message with content blocks.</summary>
internal static class ConverseBlocks
{
    private const int LongestId = 64;

    /// <summary>What an id of a tool call may hold.</summary>
    private static readonly SearchValues<char> IdCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    public static void Write(AnthropicTurn turn, ModelFamily family, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("role", turn.Assistant ? "assistant" : "user");
        json.WriteStartArray("content");
        foreach (var part in turn.Parts)
        {
            Write(part, family, json);
            WriteCache(part.Cache, family, json);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    public static void WriteText(string text, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    /// <summary>A block of its own behind what it marks, at those who know one.</summary>
    public static void WriteCache(CacheMark? mark, ModelFamily family, Utf8JsonWriter json)
    {
        if (mark is null || family is not (ModelFamily.Claude or ModelFamily.Nova)) return;
        Begin("cachePoint", json);
        json.WriteString("type", "default");
        if (mark == CacheMark.OneHour && family == ModelFamily.Claude) json.WriteString("ttl", "1h");
        End(json);
    }

    private static void Write(ChatPart part, ModelFamily family, Utf8JsonWriter json)
    {
        switch (part)
        {
            case TextPart text:
                WriteText(text.Text, json);
                break;
            case RefusedPart refused:
                WriteText(refused.Text, json);
                break;
            case ImagePart image:
                WriteImage(image, json);
                break;
            case ToolCallPart call:
                WriteCall(call, json);
                break;
            case ToolResultPart result:
                WriteResult(result, family, json);
                break;
            case ThinkingPart thinking:
                Begin("reasoningContent", json);
                json.WriteStartObject("reasoningText");
                json.WriteString("text", thinking.Text);
                json.WriteString("signature", thinking.Signature);
                json.WriteEndObject();
                End(json);
                break;
            case RedactedThinkingPart redacted:
                Begin("reasoningContent", json);
                json.WriteString("redactedContent", redacted.Data);
                End(json);
                break;
            default:
                throw new InvalidOperationException($"{part.GetType().Name} was to be refused before it is written.");
        }
    }

    private static void WriteImage(ImagePart image, Utf8JsonWriter json)
    {
        Begin("image", json);
        json.WriteString("format", image.MediaType!["image/".Length..]);
        json.WriteStartObject("source");
        json.WriteString("bytes", image.Data);
        json.WriteEndObject();
        End(json);
    }

    private static void WriteCall(ToolCallPart call, Utf8JsonWriter json)
    {
        Begin("toolUse", json);
        json.WriteString("toolUseId", IdOf(call.Id));
        json.WriteString("name", call.Name);
        json.WritePropertyName("input");
        json.WriteRawValue(string.IsNullOrWhiteSpace(call.Arguments) ? "{}" : call.Arguments);
        End(json);
    }

    private static void WriteResult(ToolResultPart result, ModelFamily family, Utf8JsonWriter json)
    {
        // Only these two are told by a field that a tool failed; the others read it.
        var told = family is ModelFamily.Claude or ModelFamily.Nova;
        Begin("toolResult", json);
        json.WriteString("toolUseId", IdOf(result.CallId));
        json.WriteStartArray("content");
        var before = result.IsError && !told ? "Error: " : "";
        foreach (var part in result.Content.Where(part => !ConverseTurns.IsBlank(part)))
        {
            if (part is TextPart text) WriteText(before + text.Text, json);
            else Write(part, family, json);
            before = "";
        }

        if (before.Length > 0) WriteText("Error", json);
        json.WriteEndArray();
        if (result.IsError && told) json.WriteString("status", "error");
        End(json);
    }

    private static void Begin(string kind, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteStartObject(kind);
    }

    private static void End(Utf8JsonWriter json)
    {
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Other vendors name calls more freely. The same change on the call and on its result keeps them together.</summary>
    private static string IdOf(string id) => id.Length <= LongestId && !id.AsSpan().ContainsAnyExcept(IdCharacters)
        ? id
        : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)))[..32];
}
