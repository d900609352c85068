using System.Text;
using Penstock.Gateway;

namespace Penstock.Providers.Tokens;

/// <summary>A bound on input tokens that holds without a tokenizer.</summary>
internal static class InputBound
{
    /// <summary>More than any vendor wraps around a message, a part or a tool.</summary>
    private const int PerPiece = 32;

    /// <summary>More than the system text any vendor puts before tools or a response format.</summary>
    private const int Preamble = 1_024;

    public static long? Of(ChatCall call, string model)
    {
        if (call.DialectOnly.Count > 0) return null;
        long bound = PerPiece;
        foreach (var message in call.Messages)
        {
            bound += PerPiece + Bytes(message.Name);
            foreach (var part in message.Parts)
            {
                if (OfPart(part, model) is not { } known) return null;
                bound += known;
            }
        }

        if (call.Tools.Count > 0 || call.ResponseFormat is not null) bound += Preamble;
        bound += call.Tools.Sum(tool => PerPiece + Bytes(tool.Name) + Bytes(tool.Description) + Bytes(tool.Schema));
        if (call.ResponseFormat is { } format) bound += PerPiece + Bytes(format.Name) + Bytes(format.Description) + Bytes(format.Schema);
        return bound;
    }

    /// <summary>
    /// What an image is most likely metered as. OpenAI: 85 in low detail, else 85 and 170 a tile of 512 pixels, for a picture of 1,024 × 1,024;
    /// the small models of that family meter some 33 times as much for the same price. Anthropic: about 1,600 for a picture of full size.
    /// </summary>
    public static long ImageEstimate(ImagePart image, string model)
    {
        var low = image.Detail == "low";
        if (Tokenizers.StartsWithAny(model, "gpt-4o-mini")) return low ? 2_833 : 25_501;
        if (Tokenizers.RulesOf(model) is not null) return low ? 85 : 765;
        return 1_600;
    }

    private static long? OfPart(ChatPart part, string model) => part switch
    {
        TextPart text => PerPiece + Bytes(text.Text),
        RefusedPart refused => PerPiece + Bytes(refused.Text),
        ThinkingPart thinking => PerPiece + Bytes(thinking.Text),
        RedactedThinkingPart redacted => PerPiece + Bytes(redacted.Data),
        ToolCallPart call => PerPiece + Bytes(call.Id) + Bytes(call.Name) + Bytes(call.Arguments),
        // 2,833 and 5,667 a tile, at most eight tiles; other models stay far below 6,000.
        ImagePart => Tokenizers.StartsWithAny(model, "gpt-4o-mini") ? 48_169 : 6_000,
        ToolResultPart result => OfResult(result, model),
        _ => null,
    };

    private static long? OfResult(ToolResultPart result, string model)
    {
        long bound = PerPiece + Bytes(result.CallId);
        foreach (var part in result.Content)
        {
            if (OfPart(part, model) is not { } known) return null;
            bound += known;
        }

        return bound;
    }

    private static long Bytes(string? text) => text is null ? 0 : Encoding.UTF8.GetByteCount(text);
}
