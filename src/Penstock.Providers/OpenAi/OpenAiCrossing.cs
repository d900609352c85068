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
        foreach (var message in call.Messages)
        {
            if (InMessage(message, target) is { } refusal) return refusal;
        }

        return null;
    }

    private static Refusal? InMessage(ChatMessage message, string target)
    {
        foreach (var part in message.Parts)
        {
            var inside = part is ToolResultPart result ? result.Content : [];
            foreach (var piece in inside)
            {
                if (InToolResult(piece, target) is { } refusal) return refusal;
            }

            if (InPart(part, message.Role, target) is { } obstacle) return obstacle;
        }

        return null;
    }

    private static Refusal? InPart(ChatPart part, ChatRole role, string target) => (part, role) switch
    {
        (OpaquePart opaque, _) => Refusal.CannotCross(opaque.Path, target),
        (ThinkingPart, _) => InMessages("thinking", "Leave out the 'thinking' blocks of earlier answers, or go on with the model that wrote them.", target),
        (RedactedThinkingPart, _) => InMessages("redacted_thinking", "Leave out the 'redacted_thinking' blocks of earlier answers, or go on with the model that wrote them.", target),
        (ImagePart, not ChatRole.User) => InMessages("image", "Images are taken in user messages only; move it there.", target),
        (ToolCallPart or RefusedPart, not ChatRole.Assistant) => InMessages("tool call", "Tool calls and refusals stand in assistant messages only.", target),
        (ToolResultPart, not ChatRole.Tool) => InMessages("tool result", "Tool results stand in tool messages only.", target),
        _ => null,
    };

    private static Refusal? InToolResult(ChatPart part, string target) => part switch
    {
        TextPart => null,
        OpaquePart opaque => Refusal.CannotCross(opaque.Path, target),
        ImagePart => InMessages("image of a tool result", "Tool results are text there; describe the image, or send it in a user message.", target),
        _ => InMessages("part of a tool result", "Tool results are text there.", target),
    };

    // Where a message stood in the client's body is not known here, so the field is the list.
    private static Refusal InMessages(string what, string instead, string target) => Refusal.CannotCross(what, target, instead) with { Field = "messages" };
}
