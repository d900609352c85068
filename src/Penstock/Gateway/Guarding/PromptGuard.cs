using System.Collections.Frozen;
using System.Text.Json;
using Penstock.Guards;
using Penstock.Kernel;

namespace Penstock.Gateway.Guarding;

/// <summary>
/// Rules applied to a request's body before anything else reads it, in whatever dialect: a provider, the ledger, the cache and the log know only what is left.
/// Everything that is text is looked at: instructions, messages of every role, results of tools, arguments, descriptions of tools, the end user's name.
/// </summary>
internal static class PromptGuard
{
    /// <summary>
    /// Names, ids and settings; addresses of pictures and files, which a changed letter breaks; and reasoning that is signed, which must go back as it came.
    /// </summary>
    private static readonly FrozenSet<string> NoText = FrozenSet.Create(
        "cache_control", "call_id", "container", "detail", "encrypted_content", "encrypted_index", "file_data", "file_id", "format", "id", "image_url", "jsonrpc", "mediaType", "media_type", "method", "modalities", "model",
        "name", "protocolVersion", "reasoning_effort", "role", "service_tier", "signature", "stream_options", "template", "thinking", "toolCallId", "toolChoice", "tool_call_id", "tool_choice", "tool_use_id", "type", "url", "verbosity");

    public static ReadOnlyMemory<byte> Apply(ReadOnlyMemory<byte> body, GuardRules rules, GuardTally tally)
    {
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 64 });
            var edits = new JsonEdits(body);
            new TextWalk(rules, tally, edits, NoText).Walk(document.RootElement);
            return edits.Apply();
        }
        catch (JsonException)
        {
            // Whoever reads the body next refuses it, and says why.
            return body;
        }
        catch (InvalidOperationException)
        {
            throw new RefusedException(Refusal.Invalid("", "The body has a member whose name holds half of a surrogate pair, which is no text."));
        }
    }
}
