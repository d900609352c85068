using System.Globalization;
using System.Text.Json;

namespace Penstock.EndToEnd.Running;

/// <summary>A row of the ledger as <c>GET /v1/usage/attempts</c> shows it.</summary>
internal sealed record Entry(
    string Attempt, string Request, DateTimeOffset At, string Key, string Provider, string Model, string Outcome, string? Error, bool Estimated, bool Streamed,
    long Input, long CacheRead, long CacheWrite, long Output, long Reasoning, decimal Cost, string? Conversation, int LatencyMs, int? FirstTokenMs, string Route, string? Run)
{
    private const int MostRows = 1000;

    /// <summary>All rows of the caller's tenant from <paramref name="from"/> on, asked for in windows small enough for one page each.</summary>
    public static async Task<IReadOnlyList<Entry>> AllAsync(Api api, DateTimeOffset? from = null)
    {
        var rows = new List<Entry>();
        await AddAsync(api, rows, from ?? DateTimeOffset.UnixEpoch, TimeProvider.System.GetUtcNow().AddMinutes(1));
        return rows;
    }

    private static async Task AddAsync(Api api, List<Entry> rows, DateTimeOffset from, DateTimeOffset to)
    {
        var page = await api.GetAsync(string.Create(CultureInfo.InvariantCulture, $"/v1/usage/attempts?limit={MostRows}&from={from.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fff}Z&to={to.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fff}Z"));
        var found = page.GetProperty("attempts").EnumerateArray().Select(Read).ToArray();
        if (found.Length < MostRows)
        {
            rows.AddRange(found);
            return;
        }

        // Newest first: what the page holds after its oldest instant is whole, the rest is asked for again.
        var oldest = new DateTimeOffset(found[^1].At.Ticks / TimeSpan.TicksPerMillisecond * TimeSpan.TicksPerMillisecond, TimeSpan.Zero);
        var whole = found.Where(row => row.At > oldest).ToArray();
        Assert.NotEmpty(whole);
        rows.AddRange(whole);
        await AddAsync(api, rows, from, oldest.AddMilliseconds(1));
    }

    private static Entry Read(JsonElement row) => new(
        Text(row, "attemptId")!, Text(row, "requestId")!, row.GetProperty("at").GetDateTimeOffset(), Text(row, "keyId")!, Text(row, "provider")!, Text(row, "model")!, Text(row, "outcome")!,
        Text(row, "error"), row.GetProperty("estimated").GetBoolean(), row.GetProperty("streamed").GetBoolean(),
        row.GetProperty("inputTokens").GetInt64(), row.GetProperty("cachedInputTokens").GetInt64(), row.GetProperty("cacheWriteTokens").GetInt64(),
        row.GetProperty("outputTokens").GetInt64(), row.GetProperty("reasoningTokens").GetInt64(), row.GetProperty("cost").GetDecimal(), Text(row, "conversation"),
        row.GetProperty("latencyMs").GetInt32(), row.TryGetProperty("firstTokenMs", out var first) ? first.GetInt32() : null, Text(row, "route")!, Text(row, "run"));

    private static string? Text(JsonElement row, string name) => row.TryGetProperty(name, out var value) ? value.GetString() : null;
}
