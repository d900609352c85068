using System.Text.Json;
using Penstock.Usage;

namespace Penstock.Aws.Bedrock;

/// <summary>
/// <c>TokenUsage</c> as six disjoint counts: <c>inputTokens</c> excludes both caches, writes are split by how long they are kept where
/// <c>cacheDetails</c> says so, and reasoning is not told apart from output.
/// </summary>
internal static class ConverseUsage
{
    public static TokenCounts Read(JsonElement usage)
    {
        var (hour, rest) = (0L, Count(usage, "cacheWriteInputTokens"));
        if (usage.TryGetProperty("cacheDetails", out var details) && details.ValueKind == JsonValueKind.Array)
        {
            foreach (var detail in details.EnumerateArray())
            {
                if (detail.TryGetProperty("ttl", out var ttl) && ttl.ValueEquals("1h")) hour += Count(detail, "inputTokens");
            }
        }

        hour = Math.Min(hour, rest);
        return new TokenCounts(Count(usage, "inputTokens"), Count(usage, "cacheReadInputTokens"), rest - hour, hour, Count(usage, "outputTokens"), 0);
    }

    private static long Count(JsonElement of, string name) =>
        of.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null ? Math.Max(0, found.GetInt64()) : 0;
}
