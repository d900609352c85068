using System.Text.Json;
using Penstock.Gateway;
using Penstock.Kernel;

namespace Penstock.Providers.Anthropic;

/// <summary>What a call of another dialect may ask for and Anthropic has no counterpart of, named as the client names it.</summary>
internal static class AnthropicObjections
{
    public static Refusal? First(ChatCall call, string target)
    {
        if (call.DialectOnly is [var field, ..]) return Refusal.CannotCross(field, target);
        return OfSettings(call, target) ?? OfMessages(call, target);
    }

    private static Refusal? OfSettings(ChatCall call, string target)
    {
        if (call.Temperature > 1) return Refusal.CannotCross("temperature", target, "Anthropic takes 0 to 1; lower it, or choose a model of another provider.");
        if (call.Choices > 1) return Refusal.CannotCross("n", target, "Anthropic gives one answer to a call; ask several times.");
        if (call.Seed is not null) return Refusal.CannotCross("seed", target);
        if (call.Logprobs) return Refusal.CannotCross("logprobs", target);
        if (call.TopLogprobs is not null) return Refusal.CannotCross("top_logprobs", target);
        var native = call.Dialect == Dialect.Native;
        if (call.FrequencyPenalty is not (null or 0)) return Refusal.CannotCross(native ? "frequencyPenalty" : "frequency_penalty", target);
        if (call.PresencePenalty is not (null or 0)) return Refusal.CannotCross(native ? "presencePenalty" : "presence_penalty", target);
        if (call.ResponseFormat is { Schema: null }) return Refusal.CannotCross(native ? "responseFormat" : "response_format", target, "Anthropic wants a JSON Schema; give one.");
        if (call.Stop.Any(string.IsNullOrWhiteSpace)) return Refusal.CannotCross("stop", target, "Anthropic takes no stop sequence of white space alone.");
        return null;
    }

    private static Refusal? OfMessages(ChatCall call, string target)
    {
        for (var i = 0; i < call.Messages.Count; i++)
        {
            if (OfMessage(call.Messages[i], call.PathOf(i), target) is { } refusal) return refusal;
        }

        return AnthropicTurns.Of(call).Count > 0
            ? null
            : Refusal.CannotCross("messages", target, "Anthropic wants at least one message that is not empty and not of the system.");
    }

    private static Refusal? OfMessage(ChatMessage message, string path, string target)
    {
        // A tool's name on its result only repeats the call's.
        if (message is { Name: not null, Role: not ChatRole.Tool }) return Refusal.CannotCross($"{path}.name", target);
        var calls = 0;
        for (var i = 0; i < message.Parts.Count; i++)
        {
            var refusal = message.Parts[i] switch
            {
                ToolCallPart call => OfToolCall(call, $"{path}.tool_calls[{calls++}].function.arguments"),
                ToolResultPart result => result.Content.Select((part, at) => OfPart(part, $"{path}.content[{at}]", target)).FirstOrDefault(found => found is not null),
                var part => OfPart(part, $"{path}.content[{i}]", target),
            };
            if (refusal is not null) return refusal;
        }

        return null;
    }

    private static Refusal? OfPart(ChatPart part, string path, string target) => part switch
    {
        OpaquePart opaque => Refusal.CannotCross(opaque.Path, target),
        ImagePart { Detail: not null } => Refusal.CannotCross($"{path}.image_url.detail", target, "Anthropic chooses the detail; leave it out, or say 'auto'."),
        ImagePart { Url: { } url } when !url.StartsWith("https://", StringComparison.OrdinalIgnoreCase) =>
            Refusal.CannotCross($"{path}.image_url.url", target, "Anthropic fetches images from https addresses only; give one, or send the image as base64."),
        ImagePart { MediaType: not (null or "image/jpeg" or "image/png" or "image/gif" or "image/webp") } =>
            Refusal.CannotCross($"{path}.image_url.url", target, "Anthropic takes image/jpeg, image/png, image/gif and image/webp."),
        ThinkingPart { Signature: null or "" } => Refusal.CannotCross(path, target, "Anthropic takes back only its own reasoning, signed; leave it out."),
        _ => null,
    };

    private static Refusal? OfToolCall(ToolCallPart call, string path)
    {
        if (string.IsNullOrWhiteSpace(call.Arguments)) return null;
        try
        {
            using var parsed = JsonDocument.Parse(call.Arguments);
            if (parsed.RootElement.ValueKind == JsonValueKind.Object) return null;
        }
        catch (JsonException)
        {
            // Said below, as of any other text that is no object.
        }

        return Refusal.Invalid(path, $"'{path}' must be the text of a JSON object: Anthropic takes arguments as an object.");
    }
}
