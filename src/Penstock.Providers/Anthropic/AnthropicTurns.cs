using Penstock.Gateway;

namespace Penstock.Providers.Anthropic;

/// <summary>One turn of a conversation; neighbours of one role are one turn.</summary>
internal sealed record AnthropicTurn(bool Assistant, List<ChatPart> Parts);

/// <summary>
/// A conversation as Anthropic takes it. Its rules, where other vendors are freer: results of tools stand in a user message, all of one turn
/// together, before anything else and in the order of their calls; no text is empty; instructions stand apart from the conversation.
/// </summary>
internal static class AnthropicTurns
{
    public static List<AnthropicTurn> Of(ChatCall call)
    {
        var turns = new List<AnthropicTurn>();
        foreach (var message in call.Messages)
        {
            if (message.Role == ChatRole.System) continue;
            var parts = message.Parts.Where(part => !IsEmpty(part)).ToList();
            if (parts.Count == 0) continue;
            var assistant = message.Role == ChatRole.Assistant;
            if (turns.Count > 0 && turns[^1].Assistant == assistant) turns[^1].Parts.AddRange(parts);
            else turns.Add(new AnthropicTurn(assistant, parts));
        }

        for (var i = 0; i < turns.Count; i++)
        {
            if (!turns[i].Assistant) PutResultsFirst(turns[i].Parts, i > 0 ? turns[i - 1].Parts : []);
        }

        return turns;
    }

    /// <summary>
    /// All instructions in order, wherever they stood: OpenAI allows them between messages, Anthropic has one place for all models
    /// (only its newest take them within a conversation).
    /// </summary>
    public static IEnumerable<string> Instructions(ChatCall call) =>
        call.Messages.Where(message => message.Role == ChatRole.System).SelectMany(message => message.Parts).OfType<TextPart>().Select(part => part.Text).Where(text => text.Length > 0);

    public static bool IsEmpty(ChatPart part) => part is TextPart { Text.Length: 0 } or RefusedPart { Text.Length: 0 };

    private static void PutResultsFirst(List<ChatPart> parts, List<ChatPart> asked)
    {
        var order = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var call in asked.OfType<ToolCallPart>()) order.TryAdd(call.Id, order.Count);
        var sorted = parts.OrderBy(part => part is ToolResultPart result ? order.GetValueOrDefault(result.CallId, int.MaxValue - 1) : int.MaxValue).ToList();
        parts.Clear();
        parts.AddRange(sorted);
    }
}
