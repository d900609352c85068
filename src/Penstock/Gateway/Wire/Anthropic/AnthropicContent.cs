using System.Text.Json;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>Writes one finished content block of an answer.</summary>
internal static class AnthropicContent
{
    /// <summary>Empty text is left out: Anthropic never sends it and refuses it when it comes back.</summary>
    public static void Write(Utf8JsonWriter json, ChatPart part)
    {
        switch (part)
        {
            case TextPart { Text.Length: > 0 } text:
                WriteText(json, text.Text);
                break;
            case RefusedPart { Text.Length: > 0 } refused:
                WriteText(json, refused.Text);
                break;
            case ThinkingPart thinking:
                json.WriteStartObject();
                json.WriteString("type", "thinking");
                json.WriteString("thinking", thinking.Text);
                json.WriteString("signature", thinking.Signature ?? "");
                json.WriteEndObject();
                break;
            case RedactedThinkingPart redacted:
                WriteRedacted(json, redacted.Data);
                break;
            case ToolCallPart call:
                json.WriteStartObject();
                json.WriteString("type", "tool_use");
                json.WriteString("id", call.Id);
                json.WriteString("name", call.Name);
                json.WritePropertyName("input");
                WriteInput(json, call.Arguments);
                json.WriteEndObject();
                break;
        }
    }

    private static void WriteText(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type", "text");
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    private static void WriteRedacted(Utf8JsonWriter json, string data)
    {
        json.WriteStartObject();
        json.WriteString("type", "redacted_thinking");
        json.WriteString("data", data);
        json.WriteEndObject();
    }

    /// <summary>
    /// <c>input</c> must be an object, and a model may write none, if only because it was cut off. Such text is shown under
    /// <c>INVALID_JSON</c>, Anthropic's own name for it, so that a tool refuses it instead of running with nothing.
    /// </summary>
    private static void WriteInput(Utf8JsonWriter json, string arguments)
    {
        if (IsObject(arguments))
        {
            json.WriteRawValue(arguments, skipInputValidation: true);
            return;
        }

        json.WriteStartObject();
        json.WriteString("INVALID_JSON", arguments);
        json.WriteEndObject();
    }

    private static bool IsObject(string text)
    {
        try
        {
            using var parsed = JsonDocument.Parse(text);
            return parsed.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
