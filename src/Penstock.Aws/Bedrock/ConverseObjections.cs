using System.Text.Json;
using Penstock.Gateway;
using Penstock.Kernel;

namespace Penstock.Aws.Bedrock;

/// <summary>What a call may ask for and Converse, or the family of the model, has no counterpart of, named as the client names it.</summary>
internal sealed class ConverseObjections(ChatCall call, BedrockModel model, string target)
{
    private readonly ModelFamily _family = model.Family;

    public Refusal? First()
    {
        if (call.DialectOnly is [var field, ..]) return Refusal.CannotCross(field, target);
        if (call.EndUser is { } user && !ConverseRequest.FitsMetadata(user))
            return Refusal.CannotCross(call.Dialect == Dialect.Anthropic ? "metadata.user_id" : "user", target, "Bedrock's labels have 256 characters or fewer: letters, digits, blanks and _ . : / = + - @ $ # ,");
        return OfSampling() ?? OfAnswer() ?? OfTools() ?? OfMessages();
    }

    private Refusal? OfSampling()
    {
        if (call.Temperature > 1) return Refusal.CannotCross("temperature", target, "Bedrock takes 0 to 1; lower it, or choose a model of another provider.");
        if (call.TopK is not null && _family is ModelFamily.Llama or ModelFamily.Other) return Refusal.CannotCross(Name("top_k", "topK"), target);
        if (call.Seed is not null) return Refusal.CannotCross("seed", target);
        if (call.FrequencyPenalty is not (null or 0)) return Refusal.CannotCross(Name("frequency_penalty", "frequencyPenalty"), target);
        if (call.PresencePenalty is not (null or 0)) return Refusal.CannotCross(Name("presence_penalty", "presencePenalty"), target);
        if (call.Stop.Any(string.IsNullOrWhiteSpace)) return Refusal.CannotCross(call.Dialect == Dialect.Anthropic ? "stop_sequences" : "stop", target, "Bedrock takes no stop sequence of white space alone.");
        return null;
    }

    private Refusal? OfAnswer()
    {
        if (call.Choices > 1) return Refusal.CannotCross("n", target, "Bedrock gives one answer to a call; ask several times.");
        if (call.Logprobs) return Refusal.CannotCross("logprobs", target);
        if (call.TopLogprobs is not null) return Refusal.CannotCross("top_logprobs", target);
        if (call.ResponseFormat is { Schema: null }) return Refusal.CannotCross(Name("response_format", "responseFormat"), target, "Bedrock wants a JSON Schema; give one.");
        if (call.ResponseFormat is not null && _family != ModelFamily.Claude) return Refusal.CannotCross(Name("response_format", "responseFormat"), target, "Of the models there, Claude's answer in a form; choose one of them, or say the form in the prompt.");
        return null;
    }

    private Refusal? OfTools()
    {
        if (call.Tools.Count == 0) return null;
        var forced = call.ToolChoice?.Kind is ToolChoiceKind.Required or ToolChoiceKind.Named;
        if (forced && _family is ModelFamily.Llama or ModelFamily.Other) return Refusal.CannotCross(Name("tool_choice", "toolChoice"), target, "Its models choose themselves whether they call a tool; leave it to them.");
        if (call.ToolChoice?.Kind == ToolChoiceKind.Named && _family == ModelFamily.Mistral) return Refusal.CannotCross(Name("tool_choice", "toolChoice"), target, "Mistral's models can be told to call some tool there, and not which.");
        // Without its tools Bedrock takes no history in which they were called.
        if (call.ToolChoice?.Kind == ToolChoiceKind.None && call.Messages.Any(message => message.Parts.Any(part => part is ToolCallPart or ToolResultPart)))
            return Refusal.CannotCross(Name("tool_choice", "toolChoice"), target, "Bedrock cannot forbid tools in a conversation that has called some; leave it out, and ask for an answer in words.");
        if (call.ParallelToolCalls == false) return Refusal.CannotCross(Name("parallel_tool_calls", "parallelToolCalls"), target, "Bedrock leaves it to the model how many tools it calls.");
        return call.Tools.Any(tool => tool.Strict == true) && _family != ModelFamily.Claude ? Refusal.CannotCross("tools[].strict", target) : null;
    }

    private Refusal? OfMessages()
    {
        for (var i = 0; i < call.Messages.Count; i++)
        {
            if (OfMessage(call.Messages[i], call.PathOf(i)) is { } refusal) return refusal;
        }

        var turns = ConverseTurns.Of(call);
        if (turns.Count == 0) return Refusal.CannotCross("messages", target, "Bedrock wants at least one message that is not blank and not of the system.");
        return turns[0].Assistant ? Refusal.CannotCross("messages", target, "A conversation begins with the user there.") : null;
    }

    private Refusal? OfMessage(ChatMessage message, string path)
    {
        // A tool's name on its result only repeats the call's.
        if (message is { Name: not null, Role: not ChatRole.Tool }) return Refusal.CannotCross($"{path}.name", target);
        for (var i = 0; i < message.Parts.Count; i++)
        {
            var at = $"{path}.content[{i}]";
            var refusal = message.Parts[i] switch
            {
                ToolCallPart made => OfCall(made, at),
                ToolResultPart result => result.Content.Select((part, inner) => OfPart(part, ChatRole.User, $"{path}.content[{inner}]")).FirstOrDefault(found => found is not null),
                var part => OfPart(part, message.Role, at),
            };
            if (refusal is not null) return refusal;
        }

        return null;
    }

    private Refusal? OfPart(ChatPart part, ChatRole role, string path) => part switch
    {
        OpaquePart opaque => Refusal.CannotCross(opaque.Path, target),
        ImagePart when role != ChatRole.User => Refusal.CannotCross(path, target, "Images are taken in user messages only; move it there."),
        ImagePart { Detail: not null } => Refusal.CannotCross($"{path}.image_url.detail", target, "Bedrock chooses the detail; leave it out, or say 'auto'."),
        ImagePart { Url: not null } => Refusal.CannotCross($"{path}.image_url.url", target, "Bedrock fetches no images; send it as base64."),
        ImagePart { MediaType: not ("image/jpeg" or "image/png" or "image/gif" or "image/webp") } =>
            Refusal.CannotCross($"{path}.image_url.url", target, "Bedrock takes image/jpeg, image/png, image/gif and image/webp."),
        ThinkingPart or RedactedThinkingPart when _family != ModelFamily.Claude => Refusal.CannotCross(path, target, "It is a 'thinking' block: leave it out, or go on with the model that wrote it."),
        ThinkingPart { Signature: null or "" } => Refusal.CannotCross(path, target, "Claude takes back only its own reasoning, signed; leave it out."),
        _ => null,
    };

    private static Refusal? OfCall(ToolCallPart made, string path)
    {
        if (string.IsNullOrWhiteSpace(made.Arguments)) return null;
        try
        {
            using var parsed = JsonDocument.Parse(made.Arguments);
            if (parsed.RootElement.ValueKind == JsonValueKind.Object) return null;
        }
        catch (JsonException)
        {
            // Said below, as of any other text that is no object.
        }

        return Refusal.Invalid(path, $"The arguments at '{path}' must be the text of a JSON object: Bedrock takes them as an object.");
    }

    private string Name(string usual, string native) => call.Dialect == Dialect.Native ? native : usual;
}
