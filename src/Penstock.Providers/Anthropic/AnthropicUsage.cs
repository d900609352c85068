using System.Text.Json;
using Penstock.Gateway;
using Penstock.Usage;

namespace Penstock.Providers.Anthropic;

/// <summary>
/// Anthropic's <c>usage</c>, which a stream gives in pieces: each count is cumulative, so a later value replaces an earlier one, a count
/// that is absent or null stays as it was, and a zero is a zero. <c>input_tokens</c> excludes both caches; <c>output_tokens</c> includes reasoning.
/// </summary>
internal sealed class AnthropicUsage
{
    private long _input;
    private long _cacheRead;
    private long _cacheWrite5m;
    private long _cacheWrite1h;
    private long _output;
    private long _reasoning;
    private string? _priceClass;

    public void Merge(JsonElement usage)
    {
        _input = Count(usage, "input_tokens") ?? _input;
        _cacheRead = Count(usage, "cache_read_input_tokens") ?? _cacheRead;
        _output = Count(usage, "output_tokens") ?? _output;
        MergeCacheWrites(usage);
        if (Member(usage, "output_tokens_details") is { } details) _reasoning = Count(details, "thinking_tokens") ?? _reasoning;
        if (usage.TryGetProperty("service_tier", out var tier) && tier.ValueKind == JsonValueKind.String) _priceClass = tier.GetString();
    }

    public UsageReported Report(bool final)
    {
        var reasoning = Math.Min(_reasoning, _output);
        return new UsageReported(new TokenCounts(_input, _cacheRead, _cacheWrite5m, _cacheWrite1h, _output - reasoning, reasoning), final, _priceClass);
    }

    /// <summary>Writes are split by how long they are kept, at different prices; a total without its split counts as five minutes, the default.</summary>
    private void MergeCacheWrites(JsonElement usage)
    {
        if (Member(usage, "cache_creation") is { } split)
        {
            _cacheWrite5m = Count(split, "ephemeral_5m_input_tokens") ?? _cacheWrite5m;
            _cacheWrite1h = Count(split, "ephemeral_1h_input_tokens") ?? _cacheWrite1h;
        }

        if (Count(usage, "cache_creation_input_tokens") is { } total && total != _cacheWrite5m + _cacheWrite1h)
        {
            _cacheWrite1h = Math.Min(_cacheWrite1h, total);
            _cacheWrite5m = total - _cacheWrite1h;
        }
    }

    private static JsonElement? Member(JsonElement of, string name) =>
        of.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Object ? found : null;

    private static long? Count(JsonElement of, string name) =>
        of.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null ? Math.Max(0, found.GetInt64()) : null;
}
