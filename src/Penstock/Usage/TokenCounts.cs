namespace Penstock.Usage;

/// <summary>
/// Six disjoint counts of one call. OpenAI's, Anthropic's and OpenTelemetry's totals are derived from them on the way out.
/// <see cref="Reasoning"/> is priced as output.
/// </summary>
public readonly record struct TokenCounts(long Input, long CacheRead, long CacheWrite5m, long CacheWrite1h, long Output, long Reasoning)
{
    public static TokenCounts Of(long input, long output) => new(input, 0, 0, 0, output, 0);

    /// <summary>Everything the model read, cached or not (OpenAI's <c>prompt_tokens</c>).</summary>
    public long TotalInput => Input + CacheRead + CacheWrite5m + CacheWrite1h;

    /// <summary>Everything the model wrote, reasoning included (OpenAI's <c>completion_tokens</c>).</summary>
    public long TotalOutput => Output + Reasoning;

    public long Total => TotalInput + TotalOutput;
}
