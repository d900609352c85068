using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>What the in-process providers meter as input: all text as they count it, tools with it, and a fixed number for each image.</summary>
internal static class Metering
{
    private const int TokensPerImage = 85;

    public static long InputOf(ChatCall call) => call.Messages.Sum(message => message.Parts.Sum(Of))
        + call.Tools.Sum(tool => Pieces.Count(tool.Name) + Pieces.Count(tool.Description ?? "") + Pieces.Count(tool.Schema ?? ""));

    private static long Of(ChatPart part) => part switch
    {
        TextPart text => Pieces.Count(text.Text),
        RefusedPart refused => Pieces.Count(refused.Text),
        ThinkingPart thinking => Pieces.Count(thinking.Text),
        ToolCallPart call => Pieces.Count(call.Name) + Pieces.Count(call.Arguments),
        ToolResultPart result => result.Content.Sum(Of),
        ImagePart => TokensPerImage,
        _ => 0,
    };
}
