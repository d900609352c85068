namespace Penstock.Usage;

/// <summary>
/// Six disjoint counts of one call. OpenAI's, Anthropic's and OpenTelemetry's totals are derived from them on the way out.
/// <see cref="Reasoning"/> is priced as output.
/// </summary>
public readonly record struct TokenCounts(long Input, long CacheRead, long CacheWrite5m, long CacheWrite1h, long Output, long Reasoning)
{
    /// <summary>More than any model reads or writes at once.</summary>
    private const long Most = 1_000_000_000;

    public static TokenCounts Of(long input, long output) => new(input, 0, 0, 0, output, 0);

    /// <summary>Everything the model read, cached or not (OpenAI's <c>prompt_tokens</c>).</summary>
    public long TotalInput => Input + CacheRead + CacheWrite5m + CacheWrite1h;

    /// <summary>Everything the model wrote, reasoning included (OpenAI's <c>completion_tokens</c>).</summary>
    public long TotalOutput => Output + Reasoning;

    public long Total => TotalInput + TotalOutput;

    /// <summary>Each count from 0 to 10⁹: a provider that claims another is not believed, and no sum or cost of it overflows.</summary>
    public TokenCounts Bounded() => new(Bounded(Input), Bounded(CacheRead), Bounded(CacheWrite5m), Bounded(CacheWrite1h), Bounded(Output), Bounded(Reasoning));

    public static TokenCounts operator +(TokenCounts left, TokenCounts right) => checked(new TokenCounts(
        left.Input + right.Input,
        left.CacheRead + right.CacheRead,
        left.CacheWrite5m + right.CacheWrite5m,
        left.CacheWrite1h + right.CacheWrite1h,
        left.Output + right.Output,
        left.Reasoning + right.Reasoning));

    private static long Bounded(long count) => Math.Clamp(count, 0, Most);
}
