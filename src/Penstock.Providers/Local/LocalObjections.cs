using System.Text.Json;
using Penstock.Gateway;
using Penstock.Kernel;

namespace Penstock.Providers.Local;

/// <summary>What the local provider cannot do, named as the client's dialect names it.</summary>
internal static class LocalObjections
{
    /// <summary>Names within a schema are the client's and may have any length.</summary>
    private const int LongestPath = 200;

    private const string Instead = "Remove it, or choose a language model (set OPENAI_API_KEY or ANTHROPIC_API_KEY).";

    public static Refusal? First(ChatCall call, string target)
    {
        if (Beyond(call, target) is { } beyond) return beyond;
        if (call.Tools.Count == 0 && call.ToolChoice is { Kind: ToolChoiceKind.Required or ToolChoiceKind.Named }) return Cannot(call.Dialect == Dialect.Native ? "toolChoice" : "tool_choice", target);
        return OfMessages(call, target);
    }

    /// <summary>What neither of the in-process providers can do.</summary>
    public static Refusal? Beyond(ChatCall call, string target)
    {
        if (call.DialectOnly.Count > 0) return Cannot(call.DialectOnly[0], target);
        if (call.Choices > 1) return Cannot("n", target);
        if (call.Logprobs) return Cannot("logprobs", target);
        if (call.TopLogprobs is not null) return Cannot("top_logprobs", target);
        var opaque = call.Messages.SelectMany(message => message.Parts).OfType<OpaquePart>().FirstOrDefault();
        return opaque is not null ? Cannot(opaque.Path, target) : OfFormat(call, target);
    }

    private static Refusal? OfMessages(ChatCall call, string target)
    {
        foreach (var part in call.Messages.SelectMany(message => message.Parts))
        {
            var refusal = part switch
            {
                TextPart or RefusedPart or ToolCallPart => null,
                ToolResultPart result when !result.Content.Any(content => content is ImagePart) => null,
                ImagePart or ToolResultPart => InMessages("An image", target),
                _ => InMessages("A thinking block", target),
            };
            if (refusal is not null) return refusal;
        }

        return null;
    }

    private static Refusal? OfFormat(ChatCall call, string target)
    {
        if (call.ResponseFormat?.Schema is not { } schema) return null;
        var path = call.Dialect switch
        {
            Dialect.OpenAi => "response_format.json_schema.schema",
            Dialect.Anthropic => "output_config.format.schema",
            _ => "responseFormat.schema",
        };
        try
        {
            using var document = JsonDocument.Parse(schema);
            if (!Schema.IsText(document.RootElement)) return Refusal.Invalid(path, $"'{path}' holds half of a surrogate pair, which is no text.");
            return Schema.FirstNotObeyed(document.RootElement, path) is { } member ? Cannot(member, target) : null;
        }
        catch (JsonException)
        {
            return Refusal.Invalid(path, $"'{path}' is not valid JSON.");
        }
    }

    private static Refusal Cannot(string field, string target) =>
        Refusal.CannotCross(field.Length <= LongestPath ? field : field[..LongestPath] + "…", target, Instead);

    private static Refusal InMessages(string what, string target) =>
        Refusal.CannotCross("messages", target) with { Message = $"{what} in 'messages' cannot be sent to {target}. {Instead}" };
}
