using System.Text.Json;
using Penstock.Usage;

namespace Penstock.Providers.OpenAi;

/// <summary>OpenAI's overlapping totals turned into six disjoint counts that are never negative.</summary>
internal static class OpenAiUsage
{
    /// <summary>More than any model reads or writes at once; a provider that claims more is not believed, and sums stay within a long.</summary>
    private const long MostTokens = 1_000_000_000;

    /// <summary>Null where <paramref name="usage"/> counts nothing; a zero that is given is a zero.</summary>
    public static TokenCounts? Read(JsonElement usage)
    {
        if (usage.ValueKind != JsonValueKind.Object) return null;
        var prompt = Count(usage, "prompt_tokens");
        var completion = Count(usage, "completion_tokens");
        if (prompt is null && completion is null) return null;

        var read = prompt ?? 0;
        // DeepSeek's name for the same count stands beside the total, not in its details.
        var cached = Math.Min(read, Detail(usage, "prompt_tokens_details", "cached_tokens") ?? Count(usage, "prompt_cache_hit_tokens") ?? 0);
        var written = completion ?? 0;
        var reasoning = Detail(usage, "completion_tokens_details", "reasoning_tokens") ?? 0;
        // Some servers count reasoning beside the completion, not inside it; their total gives them away.
        var beside = reasoning > 0 && Count(usage, "total_tokens") == read + written + reasoning;
        if (!beside) reasoning = Math.Min(written, reasoning);
        return new TokenCounts(read - cached, cached, 0, 0, beside ? written : written - reasoning, reasoning);
    }

    /// <summary>Null for a class that prices do not know.</summary>
    public static string? PriceClass(string? serviceTier) => serviceTier switch
    {
        "default" or "standard" => "standard",
        "flex" or "priority" or "batch" => serviceTier,
        _ => null,
    };

    private static long? Detail(JsonElement usage, string details, string name) =>
        usage.TryGetProperty(details, out var inner) && inner.ValueKind == JsonValueKind.Object ? Count(inner, name) : null;

    private static long? Count(JsonElement owner, string name)
    {
        if (!owner.TryGetProperty(name, out var value) || value.ValueKind != JsonValueKind.Number) return null;
        return (long)Math.Clamp(value.GetDouble(), 0, MostTokens);
    }
}
