using System.Text.Json;
using Penstock.Gateway;

namespace Penstock.Providers.OpenAi;

/// <summary>Writes <c>messages</c> from the neutral ones. What cannot be written was refused before (<see cref="OpenAiCrossing"/>).</summary>
internal static class OpenAiMessages
{
    public static void Write(IReadOnlyList<ChatMessage> messages, Utf8JsonWriter json)
    {
        json.WriteStartArray("messages");
        foreach (var message in messages) Write(message, json);
        json.WriteEndArray();
    }

    private static void Write(ChatMessage message, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("role", message.Role switch
        {
            ChatRole.System => "system",
            ChatRole.User => "user",
            ChatRole.Assistant => "assistant",
            _ => "tool",
        });
        if (message.Name is { } name) json.WriteString("name", name);
        if (message.Parts is [ToolResultPart result]) WriteResult(result, json);
        else if (message.Role == ChatRole.Assistant) WriteAssistant(message.Parts, json);
        else WriteContent([.. message.Parts.Where(part => part is TextPart or ImagePart)], "", json);
        json.WriteEndObject();
    }

    private static void WriteResult(ToolResultPart result, Utf8JsonWriter json)
    {
        json.WriteString("tool_call_id", result.CallId);
        // There is no field that says a tool failed, so the text does.
        WriteContent(result.Content, result.IsError ? "Error: " : "", json);
    }

    private static void WriteAssistant(IReadOnlyList<ChatPart> parts, Utf8JsonWriter json)
    {
        ChatPart[] text = [.. parts.Where(part => part is TextPart)];
        ToolCallPart[] calls = [.. parts.OfType<ToolCallPart>()];
        RefusedPart[] refusals = [.. parts.OfType<RefusedPart>()];
        ThinkingPart[] thinking = [.. parts.OfType<ThinkingPart>()];
        if (text.Length > 0) WriteContent(text, "", json);
        else json.WriteNull("content");
        if (thinking.Length > 0) json.WriteString("reasoning_content", string.Join("\n\n", thinking.Select(part => part.Text)));
        if (refusals.Length > 0) json.WriteString("refusal", string.Concat(refusals.Select(part => part.Text)));
        if (calls.Length > 0) WriteCalls(calls, json);
    }

    private static void WriteCalls(ToolCallPart[] calls, Utf8JsonWriter json)
    {
        json.WriteStartArray("tool_calls");
        foreach (var call in calls)
        {
            json.WriteStartObject();
            json.WriteString("id", call.Id);
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", call.Name);
            json.WriteString("arguments", call.Arguments);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>One text is written as a string, which every compatible server takes; several keep their borders.</summary>
    private static void WriteContent(IReadOnlyList<ChatPart> parts, string prefix, Utf8JsonWriter json)
    {
        if (parts is [] or [TextPart])
        {
            json.WriteString("content", prefix + (parts is [TextPart only] ? only.Text : ""));
            return;
        }

        json.WriteStartArray("content");
        foreach (var part in parts)
        {
            json.WriteStartObject();
            if (part is ImagePart image)
            {
                WriteImage(image, json);
            }
            else
            {
                json.WriteString("type", "text");
                json.WriteString("text", prefix + ((TextPart)part).Text);
                prefix = "";
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteImage(ImagePart image, Utf8JsonWriter json)
    {
        json.WriteString("type", "image_url");
        json.WriteStartObject("image_url");
        json.WriteString("url", image.Url ?? $"data:{image.MediaType};base64,{image.Data}");
        if (image.Detail is { } detail) json.WriteString("detail", detail);
        json.WriteEndObject();
    }
}
