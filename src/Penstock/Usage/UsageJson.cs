using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Usage;

/// <summary>How usage stands in answers. Amounts are USD, exact; what comes from a histogram says by how much it may be wrong.</summary>
internal static class UsageJson
{
    private const decimal NanosPerDollar = 1_000_000_000m;

    /// <summary>Members of a sum, at the top of an answer or in a group.</summary>
    /// <param name="markupPercent">What is added to the cost where it is passed on. A caller's own provider key is billed by its provider, and nothing is added.</param>
    public static void WriteSum(Utf8JsonWriter json, UsageSum sum, decimal markupPercent)
    {
        json.WriteNumber("totalCost", sum.Cost.Usd);
        var markup = Markup(sum.Cost, markupPercent);
        json.WriteNumber("markup", markup);
        json.WriteNumber("billed", sum.Cost.Usd + markup);
        json.WriteNumber("requests", sum.Attempts);
        json.WriteNumber("failed", sum.Failed);
        WriteTokens(json, sum.Tokens);
        json.WriteNumber("cacheHits", sum.CacheHits);
        json.WriteNumber("savedCost", sum.Saved.Usd);
        json.WriteStartObject("ownKey");
        json.WriteNumber("requests", sum.OwnKeyAttempts);
        json.WriteNumber("cost", sum.OwnKeyCost.Usd);
        json.WriteEndObject();
    }

    /// <summary>Not rounded, so that the markups of groups add up to that of their sum.</summary>
    public static decimal Markup(Money cost, decimal percent) => cost.Usd * percent / 100;

    public static void WriteSpread(Utf8JsonWriter json, UsageSpread spread)
    {
        WriteQuantiles(json, "latencyMs", spread.Latency, 1);
        WriteQuantiles(json, "firstTokenMs", spread.FirstToken, 1);
        WriteQuantiles(json, "costPerRequest", spread.Cost, NanosPerDollar);
    }

    /// <summary>Nothing where nothing was counted.</summary>
    public static void WriteQuantiles(Utf8JsonWriter json, string name, LogHistogram histogram, decimal unit)
    {
        if (histogram.Count == 0) return;
        json.WriteStartObject(name);
        foreach (var (quantile, percent) in new[] { (0.50, "p50"), (0.95, "p95"), (0.99, "p99") }) json.WriteNumber(percent, (decimal)histogram.Quantile(quantile)!.Value / unit);
        json.WriteNumber("error", LogHistogram.RelativeError);
        json.WriteEndObject();
    }

    /// <summary>The running month: what the platform pays, and what goes to callers' own provider keys.</summary>
    public static void WriteProjection(Utf8JsonWriter json, UsageSum month, DateTimeOffset now)
    {
        var (start, end) = Forecast.MonthOf(now);
        json.WriteStartObject("projection");
        json.WriteString("from", start);
        json.WriteString("to", end);
        json.WriteNumber("elapsed", Forecast.Elapsed(start, end, now));
        foreach (var (name, spent) in new[] { ("platform", month.Cost), ("ownKey", month.OwnKeyCost) })
        {
            json.WriteStartObject(name);
            json.WriteNumber("spent", spent.Usd);
            if (Forecast.AtEnd(spent, start, end, now) is { } projected) json.WriteNumber("projected", projected.Usd);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    public static void WriteConversations(Utf8JsonWriter json, LogHistogram costs)
    {
        json.WriteNumber("conversations", costs.Count);
        WriteQuantiles(json, "costPerConversation", costs, NanosPerDollar);
    }

    public static void WriteRow(Utf8JsonWriter json, LedgerRow row)
    {
        json.WriteStartObject();
        json.WriteString("attemptId", row.Attempt.Value);
        json.WriteString("requestId", row.Request.Value);
        json.WriteString("at", row.At);
        json.WriteString("keyId", row.Key.Value);
        json.WriteString("project", row.Project.Value);
        json.WriteString("operation", row.Operation);
        json.WriteString("route", row.Route);
        json.WriteString("provider", row.Provider);
        json.WriteString("requestedModel", row.RequestedModel);
        json.WriteString("model", row.Model);
        WriteTokens(json, row.Tokens);
        json.WriteNumber("cost", row.Cost.Usd);
        json.WriteNumber("avoidedCost", row.Avoided.Usd);
        json.WriteBoolean("ownKey", row.OwnKey);
        json.WriteString("priceVersion", row.PriceVersion);
        json.WriteBoolean("estimated", row.Estimated);
        json.WriteString("outcome", OutcomeNames.Of(row.Outcome));
        if (row.Error is { } error) json.WriteString("error", error);
        json.WriteNumber("latencyMs", row.LatencyMs);
        if (row.FirstTokenMs is { } first) json.WriteNumber("firstTokenMs", first);
        json.WriteBoolean("streamed", row.Streamed);
        if (row.Conversation is { } conversation) json.WriteString("conversation", conversation);
        if (row.EndUser is { } user) json.WriteString("user", user);
        if (row.Template is { } template) json.WriteString("template", template);
        if (row.Decision is { } decision) json.WriteString("decision", decision);
        if (row.Run is { } run) json.WriteString("run", run);
        json.WriteEndObject();
    }

    private static void WriteTokens(Utf8JsonWriter json, TokenCounts tokens)
    {
        json.WriteNumber("inputTokens", tokens.TotalInput);
        json.WriteNumber("outputTokens", tokens.TotalOutput);
        json.WriteNumber("cachedInputTokens", tokens.CacheRead);
        json.WriteNumber("cacheWriteTokens", tokens.CacheWrite5m + tokens.CacheWrite1h);
        json.WriteNumber("reasoningTokens", tokens.Reasoning);
    }
}
