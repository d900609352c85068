using System.Buffers;
using System.Text.Json;
using Penstock.Usage;

namespace Penstock.Gateway.Wire.OpenAi;

/// <summary>Writes a whole answer as a <c>chat.completion</c> object.</summary>
internal static class OpenAiCompletion
{
    public static void Write(AnswerHead head, AnswerFold answer, TokenCounts tokens, IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, OpenAiChunks.Json);
        json.WriteStartObject();
        json.WriteString("id", OpenAiChunks.IdOf(answer.Id, head));
        json.WriteString("object", "chat.completion");
        json.WriteNumber("created", head.At.ToUnixTimeSeconds());
        json.WriteString("model", answer.Model ?? head.Model);
        json.WriteStartArray("choices");
        foreach (var choice in answer.Choices) WriteChoice(choice, json);
        json.WriteEndArray();
        OpenAiChunks.WriteUsage(tokens, json);
        json.WriteEndObject();
    }

    private static void WriteChoice(FoldedChoice choice, Utf8JsonWriter json)
    {
        var calls = choice.ToolCalls;
        json.WriteStartObject();
        json.WriteNumber("index", choice.Index);
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        json.WriteString("content", choice.Text.Length == 0 && (calls.Count > 0 || choice.Refusal is not null) ? null : choice.Text);
        json.WriteString("refusal", choice.Refusal);
        if (choice.Thinking.Count > 0) json.WriteString("reasoning_content", string.Join("\n\n", choice.Thinking.Select(block => block.Text)));
        if (calls.Count > 0) WriteCalls(calls, json);
        json.WriteEndObject();
        json.WriteNull("logprobs");
        json.WriteString("finish_reason", OpenAiChunks.ReasonOf(choice.Reason ?? FinishReason.Stop));
        json.WriteEndObject();
    }

    private static void WriteCalls(IReadOnlyList<ToolCallPart> calls, Utf8JsonWriter json)
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
}
