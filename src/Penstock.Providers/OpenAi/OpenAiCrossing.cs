using Penstock.Gateway;
using Penstock.Kernel;

namespace Penstock.Providers.OpenAi;

/// <summary>What of another dialect has no counterpart in OpenAI's. It is refused by the client's own name for it.</summary>
internal static class OpenAiCrossing
{
    private const int MostStops = 4;

    /// <summary>The client's bytes go out as they came: everything crosses.</summary>
    public static bool IsHome(ChatCall call) => call.Dialect == Dialect.OpenAi && !call.Body.IsEmpty;

    public static Refusal? FirstObstacle(ChatCall call, string target)
    {
        if (IsHome(call)) return null;
        if (call.DialectOnly.Count > 0) return Refusal.CannotCross(call.DialectOnly[0], target);
        if (call.TopK is not null) return Refusal.CannotCross(call.Dialect == Dialect.Anthropic ? "top_k" : "topK", target);
        if (call.Stop.Count > MostStops)
            return Refusal.CannotCross(call.Dialect == Dialect.Anthropic ? "stop_sequences" : "stop", target, $"It takes at most {MostStops} stop sequences; remove {call.Stop.Count - MostStops}.");
        for (var i = 0; i < call.Messages.Count; i++)
        {
            if (InMessage(call.Messages[i], call.PathOf(i), target) is { } refusal) return refusal;
        }

        return null;
    }

    private static Refusal? InMessage(ChatMessage message, string path, string target)
    {
        if (message is { Role: ChatRole.Tool, Parts: [ToolResultPart result] })
            return result.Content.Select((piece, i) => InToolResult(piece, $"{path}.content[{i}]", target)).FirstOrDefault(found => found is not null);
        return message.Parts.Select((part, i) => InPart(part, message.Role, $"{path}.content[{i}]", target)).FirstOrDefault(found => found is not null);
    }

    private static Refusal? InPart(ChatPart part, ChatRole role, string path, string target) => (part, role) switch
    {
        (OpaquePart opaque, _) => Refusal.CannotCross(opaque.Path, target),
        // Unsigned reasoning came from a server of this dialect, and goes back to the field it came from.
        (ThinkingPart { Signature: null or "" }, ChatRole.Assistant) => null,
        (ThinkingPart, _) => Refusal.CannotCross(path, target, "It is a 'thinking' block: leave it out, or go on with the model that wrote it."),
        (RedactedThinkingPart, _) => Refusal.CannotCross(path, target, "It is a 'redacted_thinking' block: leave it out, or go on with the model that wrote it."),
        (ImagePart, not ChatRole.User) => Refusal.CannotCross(path, target, "Images are taken in user messages only; move it there."),
        (ToolCallPart or RefusedPart, not ChatRole.Assistant) => Refusal.CannotCross(path, target, "Tool calls and refusals stand in assistant messages only."),
        (ToolResultPart, _) => Refusal.CannotCross(path, target, "Tool results stand in tool messages only, one in each."),
        _ => null,
    };

    private static Refusal? InToolResult(ChatPart part, string path, string target) => part switch
    {
        TextPart => null,
        OpaquePart opaque => Refusal.CannotCross(opaque.Path, target),
        ImagePart => Refusal.CannotCross(path, target, "Tool results are text there; describe the image, or send it in a user message."),
        _ => Refusal.CannotCross(path, target, "Tool results are text there."),
    };
}
