using System.Text.Json;
using Penstock.Gateway;

namespace Penstock.Providers.Anthropic;

/// <summary>Reads a whole answer. Whatever does not fit the protocol throws what <see cref="JsonElement"/> throws.</summary>
internal static class AnthropicAnswerReader
{
    public static ProviderFrame ReadWhole(ReadOnlyMemory<byte> body, AnthropicFailures failures)
    {
        using var json = JsonDocument.Parse(body);
        var message = json.RootElement;
        var type = Text(message, "type");
        if (type == "error") throw failures.InBand(message);
        if (type != "message") throw new FormatException($"type '{type}'");

        var updates = new List<ChatUpdate> { new AnswerStarted(Text(message, "id"), Text(message, "model")) };
        var calls = 0;
        foreach (var block in message.GetProperty("content").EnumerateArray()) AddBlock(block, updates, ref calls);
        updates.Add(Finish(message, calls > 0));
        if (message.TryGetProperty("usage", out var reported) && reported.ValueKind == JsonValueKind.Object)
        {
            var usage = new AnthropicUsage();
            usage.Merge(reported);
            updates.Add(usage.Report(final: true));
        }

        return new ProviderFrame(null, body, updates, Last: true);
    }

    /// <param name="stopped">A whole message, or the <c>delta</c> of a <c>message_delta</c>.</param>
    public static Finished Finish(JsonElement stopped, bool toolsCalled)
    {
        var sequence = stopped.TryGetProperty("stop_sequence", out var met) ? met.GetString() : null;
        var reason = stopped.TryGetProperty("stop_reason", out var given) ? given.GetString() : null;
        return new Finished(0, reason switch
        {
            "stop_sequence" => FinishReason.StopSequence,
            "max_tokens" or "model_context_window_exceeded" => FinishReason.Length,
            "tool_use" => FinishReason.ToolCalls,
            "refusal" => FinishReason.ContentFilter,
            null when toolsCalled => FinishReason.ToolCalls,
            // "end_turn", "pause_turn" (only with tools that Anthropic runs itself), and what is yet to be invented.
            _ => FinishReason.Stop,
        }, sequence);
    }

    public static string Text(JsonElement of, string name) => of.GetProperty(name).GetString() ?? throw new FormatException($"'{name}' is null");

    /// <summary>The arguments a block carries whole; null where it carries none, which a stream's beginning does.</summary>
    public static string? Input(JsonElement block) =>
        block.TryGetProperty("input", out var input) && input.ValueKind == JsonValueKind.Object && input.EnumerateObject().MoveNext() ? input.GetRawText() : null;

    private static void AddBlock(JsonElement block, List<ChatUpdate> updates, ref int calls)
    {
        switch (Text(block, "type"))
        {
            case "text":
                updates.Add(new TextDelta(0, Text(block, "text")));
                break;
            case "thinking":
                updates.Add(new ThinkingDelta(Text(block, "thinking")));
                if (block.TryGetProperty("signature", out var signature) && signature.GetString() is { Length: > 0 } signed) updates.Add(new ThinkingSigned(signed));
                break;
            case "redacted_thinking":
                updates.Add(new ThinkingRedacted(Text(block, "data")));
                break;
            case "tool_use":
                updates.Add(new ToolCallStarted(0, calls, Text(block, "id"), Text(block, "name")));
                if (Input(block) is { } input) updates.Add(new ToolCallDelta(0, calls, input));
                calls++;
                break;
        }
    }
}
