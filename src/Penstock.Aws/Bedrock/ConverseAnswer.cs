using System.Text.Json;
using Penstock.Gateway;

namespace Penstock.Aws.Bedrock;

/// <summary>Reads a whole answer of <c>converse</c>. Whatever does not fit the protocol throws what <see cref="JsonElement"/> throws.</summary>
internal static class ConverseAnswer
{
    public const string StopSequencePath = "/stop_sequence";

    public static ProviderFrame Read(ReadOnlyMemory<byte> body, string id, ProviderCall call)
    {
        using var json = JsonDocument.Parse(body);
        var updates = new List<ChatUpdate> { new AnswerStarted(id, call.Model) };
        var calls = 0;
        foreach (var block in json.RootElement.GetProperty("output").GetProperty("message").GetProperty("content").EnumerateArray()) AddBlock(block, updates, ref calls);
        updates.Add(Finish(json.RootElement, call.Call));
        updates.Add(new UsageReported(ConverseUsage.Read(json.RootElement.GetProperty("usage")), Final: true));
        return new ProviderFrame(null, default, updates, Last: true);
    }

    /// <param name="stopped">A whole answer, or a <c>messageStop</c>.</param>
    public static Finished Finish(JsonElement stopped, ChatCall call)
    {
        var reason = stopped.GetProperty("stopReason").GetString();
        return new Finished(0, reason switch
        {
            "stop_sequence" => FinishReason.StopSequence,
            "max_tokens" or "model_context_window_exceeded" => FinishReason.Length,
            "tool_use" => FinishReason.ToolCalls,
            "content_filtered" or "guardrail_intervened" => FinishReason.ContentFilter,
            "malformed_model_output" or "malformed_tool_use" => throw new FormatException($"an answer that ends with {reason}"),
            // "end_turn", and what is yet to be invented.
            _ => FinishReason.Stop,
        }, reason == "stop_sequence" ? Met(stopped, call) : null);
    }

    private static void AddBlock(JsonElement block, List<ChatUpdate> updates, ref int calls)
    {
        if (block.TryGetProperty("text", out var text))
        {
            if (text.GetString() is { Length: > 0 } said) updates.Add(new TextDelta(0, said));
        }
        else if (block.TryGetProperty("toolUse", out var use))
        {
            updates.Add(new ToolCallStarted(0, calls, use.GetProperty("toolUseId").GetString()!, use.GetProperty("name").GetString()!));
            if (use.GetProperty("input") is { ValueKind: JsonValueKind.Object } input && input.EnumerateObject().MoveNext()) updates.Add(new ToolCallDelta(0, calls, input.GetRawText()));
            calls++;
        }
        else if (block.TryGetProperty("reasoningContent", out var reasoning))
        {
            AddReasoning(reasoning, updates);
        }
    }

    private static void AddReasoning(JsonElement reasoning, List<ChatUpdate> updates)
    {
        if (reasoning.TryGetProperty("redactedContent", out var redacted)) updates.Add(new ThinkingRedacted(redacted.GetString()!));
        if (!reasoning.TryGetProperty("reasoningText", out var thought)) return;
        updates.Add(new ThinkingDelta(thought.GetProperty("text").GetString()!));
        if (thought.TryGetProperty("signature", out var signature) && signature.GetString() is { Length: > 0 } signed) updates.Add(new ThinkingSigned(signed));
    }

    /// <summary>Claude says which it met; of the others that can be known where there was one to meet.</summary>
    private static string? Met(JsonElement stopped, ChatCall call) =>
        stopped.TryGetProperty("additionalModelResponseFields", out var more) && more.ValueKind == JsonValueKind.Object && more.TryGetProperty("stop_sequence", out var met) && met.ValueKind == JsonValueKind.String
            ? met.GetString()
            : call.Stop.Count == 1 ? call.Stop[0] : null;
}
