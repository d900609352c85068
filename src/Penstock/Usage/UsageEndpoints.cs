using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Usage;

/// <summary>What was used. An admin sees the tenant; any other key sees itself.</summary>
internal sealed class UsageEndpoints(KeyRing ring, IUsageStore store, UsageSection section, TimeProvider time)
{
    private const int MostRows = 1000;

    private static readonly string[] Range = ["from", "to"];

    private static readonly string[] Filters = [.. Range, "key", "project", "model", "provider", "user", "conversation", "request"];

    private static readonly Dictionary<string, UsageGrouping> Groupings = Enum.GetValues<UsageGrouping>().ToDictionary(grouping => grouping.ToString().ToLowerInvariant());

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/usage", SumAsync);
        routes.MapGet("/v1/usage/attempts", ListAsync);
        routes.MapGet("/v1/usage/conversations", ConversationsAsync);
    }

    private async Task SumAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http);
        Check(http.Request.Query, [.. Filters, "groupBy"]);
        var query = Read(http.Request.Query, caller);
        var report = await store.SumAsync(caller.Tenant, query, http.RequestAborted);
        var now = time.GetUtcNow();
        var (start, end) = Forecast.MonthOf(now);
        var month = await store.SumAsync(caller.Tenant, query with { From = start, To = end, GroupBy = UsageGrouping.None }, http.RequestAborted);
        var markup = section.Current.MarkupPercent;
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            UsageJson.WriteSum(json, report.Total, markup);
            json.WriteNumber("markupPercent", markup);
            UsageJson.WriteSpread(json, report.Spread);
            UsageJson.WriteProjection(json, month.Total, now);
            json.WriteStartArray("groups");
            foreach (var group in report.Groups)
            {
                json.WriteStartObject();
                json.WriteString("name", group.Name);
                UsageJson.WriteSum(json, group.Sum, markup);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    private async Task ListAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http);
        Check(http.Request.Query, [.. Filters, "limit"]);
        var query = Read(http.Request.Query, caller);
        var limit = Text(http.Request.Query, "limit") is { } text ? Whole(text) : 100;
        var rows = await store.ListAsync(caller.Tenant, query, limit, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteStartArray("attempts");
            foreach (var row in rows) UsageJson.WriteRow(json, row);
            json.WriteEndArray();
        });
    }

    private async Task ConversationsAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http);
        Check(http.Request.Query, Range);
        var query = Read(http.Request.Query, caller);
        var costs = caller.Has(Scopes.Admin)
            ? await store.ConversationCostsAsync(caller.Tenant, query.From, query.To, http.RequestAborted)
            : await OwnConversationsAsync(caller, query, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json => UsageJson.WriteConversations(json, costs));
    }

    /// <summary>What a key's own calls cost in each conversation: the store's histogram holds every key's.</summary>
    private async Task<LogHistogram> OwnConversationsAsync(Caller caller, UsageQuery query, CancellationToken ct)
    {
        var days = query with { From = DayOf(query.From), To = DayAfter(query.To), GroupBy = UsageGrouping.Conversation };
        var report = await store.SumAsync(caller.Tenant, days, ct);
        var costs = new LogHistogram();
        foreach (var conversation in report.Groups.Where(group => group.Name.Length > 0)) costs.Add(conversation.Sum.Cost.NanoDollars);
        return costs;
    }

    private static DateTimeOffset DayOf(DateTimeOffset at) => new(at.UtcDateTime.Date, TimeSpan.Zero);

    /// <summary>The next midnight, or <paramref name="at"/> where it is one, or the end of time.</summary>
    private static DateTimeOffset DayAfter(DateTimeOffset at) => at == DayOf(at) || DayOf(at) == DayOf(DateTimeOffset.MaxValue) ? at : DayOf(at).AddDays(1);

    private static void Check(IQueryCollection query, string[] known)
    {
        foreach (var (name, values) in query)
        {
            if (!known.Contains(name)) throw new RefusedException(Refusal.Invalid(name, $"'{name}' is no parameter here. Known: {string.Join(", ", known)}."));
            if (values.Count > 1) throw new RefusedException(Refusal.Invalid(name, $"'{name}' is given {values.Count} times; give it once."));
        }
    }

    private static UsageQuery Read(IQueryCollection query, Caller caller) => new()
    {
        From = Instant(query, "from") ?? DateTimeOffset.UnixEpoch,
        To = Instant(query, "to") ?? DateTimeOffset.MaxValue,
        Key = caller.Has(Scopes.Admin) ? Text(query, "key") is { } key ? new KeyId(key) : null : caller.Key.Id,
        Project = Text(query, "project") is { } project ? new ProjectId(project) : null,
        Model = Text(query, "model"),
        Provider = Text(query, "provider"),
        EndUser = Text(query, "user"),
        Conversation = Text(query, "conversation"),
        Request = Text(query, "request") is { } request ? new RequestId(request) : null,
        GroupBy = Grouping(Text(query, "groupBy")),
    };

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
}
