using Penstock.Gateway;
using Penstock.Providers.Anthropic;

namespace Penstock.Aws.Bedrock;

/// <summary>A conversation as Bedrock takes it: by Anthropic's rules, and no text is blank (https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html).</summary>
internal static class ConverseTurns
{
    public static List<AnthropicTurn> Of(ChatCall call) => AnthropicTurns.Of(call with
    {
        Messages = [.. call.Messages.Select(message => message with { Parts = [.. message.Parts.Where(part => !IsBlank(part))] })],
    });

    /// <summary>All instructions in order, wherever they stood.</summary>
    public static IEnumerable<TextPart> Instructions(ChatCall call) =>
        call.Messages.Where(message => message.Role == ChatRole.System).SelectMany(message => message.Parts).OfType<TextPart>().Where(part => !IsBlank(part));

    public static bool IsBlank(ChatPart part) => part switch
    {
        TextPart text => string.IsNullOrWhiteSpace(text.Text),
        RefusedPart refused => string.IsNullOrWhiteSpace(refused.Text),
        _ => false,
    };
}
