using System.Collections.Frozen;

namespace Penstock.Gateway;

/// <summary>What a call can ask of a vendor of its own dialect that may be billed beside the tokens our prices know, and so past any ceiling.</summary>
internal static class Extras
{
    /// <summary>Fields of the two dialects that pass through and change no price but by the tokens they make. Any other may.</summary>
    private static readonly FrozenSet<string> Covered = FrozenSet.Create(
        StringComparer.Ordinal,
        "cache_control", "context_management", "function_call", "functions", "logit_bias", "messages", "metadata", "output_config", "output_format", "prediction",
        "prompt_cache_key", "reasoning_effort", "response_format", "safety_identifier", "service_tier", "store", "stream_options", "system", "thinking", "tool_choice", "verbosity");

    /// <summary>Path of the first such field; null where there is none.</summary>
    public static string? Of(ChatCall call)
    {
        var sound = call.Messages.SelectMany(message => message.Parts).OfType<OpaquePart>().FirstOrDefault(part => part.Type == "input_audio");
        return sound?.Path ?? call.DialectOnly.FirstOrDefault(IsExtra);
    }

    private static bool IsExtra(string path)
    {
        var end = path.AsSpan().IndexOfAny('.', '[');
        var field = end < 0 ? path : path[..end];
        // A tool's own members are about its schema; a tool that is listed whole is run by the vendor.
        return field == "tools" ? path.EndsWith(']') : !Covered.Contains(field);
    }
}
