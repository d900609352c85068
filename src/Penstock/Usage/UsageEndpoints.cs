using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Usage;

/// <summary>What was used. An admin sees the tenant; any other key sees itself.</summary>
internal sealed class UsageEndpoints(KeyRing ring, IUsageStore store)
{
    private const int MostRows = 1000;

    private static readonly string[] Filters = ["from", "to", "key", "project", "model", "provider", "user", "conversation"];

    private static readonly Dictionary<string, UsageGrouping> Groupings = Enum.GetValues<UsageGrouping>().ToDictionary(grouping => grouping.ToString().ToLowerInvariant());

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/usage", SumAsync);
        routes.MapGet("/v1/usage/attempts", ListAsync);
    }

    private async Task SumAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http);
        var report = await store.SumAsync(caller.Tenant, Read(http.Request.Query, caller, "groupBy"), http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            WriteSum(json, report.Total);
            json.WriteStartArray("groups");
            foreach (var group in report.Groups)
            {
                json.WriteStartObject();
                json.WriteString("name", group.Name);
                WriteSum(json, group.Sum);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    private async Task ListAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http);
        var query = Read(http.Request.Query, caller, "limit");
        var limit = Text(http.Request.Query, "limit") is { } text ? Whole(text) : 100;
        var rows = await store.ListAsync(caller.Tenant, query, limit, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteStartArray("attempts");
            foreach (var row in rows) WriteRow(json, row);
            json.WriteEndArray();
        });
    }

    /// <param name="own">The one parameter that only this route has.</param>
    private static UsageQuery Read(IQueryCollection query, Caller caller, string own)
    {
        foreach (var (name, values) in query)
        {
            if (!Filters.Contains(name) && name != own) throw new RefusedException(Refusal.Invalid(name, $"'{name}' is no parameter here. Known: {string.Join(", ", Filters)}, {own}."));
            if (values.Count > 1) throw new RefusedException(Refusal.Invalid(name, $"'{name}' is given {values.Count} times; give it once."));
        }

        return new UsageQuery
        {
            From = Instant(query, "from") ?? DateTimeOffset.UnixEpoch,
            To = Instant(query, "to") ?? DateTimeOffset.MaxValue,
            Key = caller.Has(Scopes.Admin) ? Text(query, "key") is { } key ? new KeyId(key) : null : caller.Key.Id,
            Project = Text(query, "project") is { } project ? new ProjectId(project) : null,
            Model = Text(query, "model"),
            Provider = Text(query, "provider"),
            EndUser = Text(query, "user"),
            Conversation = Text(query, "conversation"),
            GroupBy = Grouping(Text(query, "groupBy")),
        };
    }

    private static string? Text(IQueryCollection query, string name) => query[name].ToString() is { Length: > 0 } text ? text : null;

    private static DateTimeOffset? Instant(IQueryCollection query, string name)
    {
        if (Text(query, name) is not { } text) return null;
        return RequestTime.TryRead(text, out var instant)
            ? instant
            : throw new RefusedException(Refusal.Invalid(name, $"'{name}' must be a time such as 2026-11-30 or 2026-11-30T12:00:00Z."));
    }

    private static int Whole(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value is >= 1 and <= MostRows
        ? value
        : throw new RefusedException(Refusal.Invalid("limit", $"'limit' must be a whole number from 1 to {MostRows}."));

    private static UsageGrouping Grouping(string? name)
    {
        if (name is null) return UsageGrouping.None;
        return Groupings.TryGetValue(name, out var grouping)
            ? grouping
            : throw new RefusedException(Refusal.Invalid("groupBy", $"'groupBy' must be one of {string.Join(", ", Groupings.Keys)}."));
    }

    private static void WriteSum(Utf8JsonWriter json, UsageSum sum)
    {
        json.WriteNumber("totalCost", sum.Cost.Usd);
        json.WriteNumber("requests", sum.Attempts);
        json.WriteNumber("failed", sum.Failed);
        WriteTokens(json, sum.Tokens);
    }

    private static void WriteTokens(Utf8JsonWriter json, TokenCounts tokens)
    {
        json.WriteNumber("inputTokens", tokens.TotalInput);
        json.WriteNumber("outputTokens", tokens.TotalOutput);
        json.WriteNumber("cachedInputTokens", tokens.CacheRead);
        json.WriteNumber("cacheWriteTokens", tokens.CacheWrite5m + tokens.CacheWrite1h);
        json.WriteNumber("reasoningTokens", tokens.Reasoning);
    }

    private static void WriteRow(Utf8JsonWriter json, LedgerRow row)
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
        json.WriteString("priceVersion", row.PriceVersion);
        json.WriteBoolean("estimated", row.Estimated);
        json.WriteString("outcome", OutcomeNames.Of(row.Outcome));
        if (row.Error is { } error) json.WriteString("error", error);
        json.WriteNumber("latencyMs", row.LatencyMs);
        if (row.FirstTokenMs is { } first) json.WriteNumber("firstTokenMs", first);
        json.WriteBoolean("streamed", row.Streamed);
        if (row.Conversation is { } conversation) json.WriteString("conversation", conversation);
        if (row.EndUser is { } user) json.WriteString("user", user);
        json.WriteEndObject();
    }
}
