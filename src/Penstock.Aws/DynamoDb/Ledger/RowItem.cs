using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Ledger;

/// <summary>A <see cref="LedgerRow"/> as attributes of an item. Times are kept to the millisecond.</summary>
internal static class RowItem
{
    public static Item Write(Item item, LedgerRow row) => item
        .Set("tenant", row.Tenant.Value)
        .Set("attempt", row.Attempt.Value)
        .Set("request", row.Request.Value)
        .Set("project", row.Project.Value)
        .Set("key", row.Key.Value)
        .Set("at", row.At.ToUnixTimeMilliseconds())
        .Set("operation", row.Operation)
        .Set("route", row.Route)
        .Set("provider", row.Provider)
        .Set("requested", row.RequestedModel)
        .Set("model", row.Model)
        .Set("input", row.Tokens.Input)
        .Set("cache_read", row.Tokens.CacheRead)
        .Set("cache_write_5m", row.Tokens.CacheWrite5m)
        .Set("cache_write_1h", row.Tokens.CacheWrite1h)
        .Set("output", row.Tokens.Output)
        .Set("reasoning", row.Tokens.Reasoning)
        .Set("cost", row.Cost.NanoDollars)
        .Set("avoided", row.Avoided.NanoDollars)
        .Set("own_key", row.OwnKey)
        .Set("prices", row.PriceVersion)
        .Set("estimated", row.Estimated)
        .Set("outcome", (long)row.Outcome)
        .Set("error", row.Error)
        .Set("latency", row.LatencyMs)
        .Set("first_token", row.FirstTokenMs)
        .Set("streamed", row.Streamed)
        .Set("conversation", row.Conversation)
        .Set("user", row.EndUser)
        .Set("template", row.Template)
        .Set("decision", row.Decision)
        .Set("run", row.Run);

    public static LedgerRow Read(Item item) => new()
    {
        Tenant = new TenantId(item.Text("tenant")),
        Attempt = new AttemptId(item.Text("attempt")),
        Request = new RequestId(item.Text("request")),
        Project = new ProjectId(item.Text("project")),
        Key = new KeyId(item.Text("key")),
        At = DateTimeOffset.FromUnixTimeMilliseconds(item.Long("at")),
        Operation = item.Text("operation"),
        Route = item.Text("route"),
        Provider = item.Text("provider"),
        RequestedModel = item.Text("requested"),
        Model = item.Text("model"),
        Tokens = new TokenCounts(item.Long("input"), item.Long("cache_read"), item.Long("cache_write_5m"), item.Long("cache_write_1h"), item.Long("output"), item.Long("reasoning")),
        Cost = new Money(item.Long("cost")),
        Avoided = new Money(item.Long("avoided")),
        OwnKey = item.Flag("own_key"),
        PriceVersion = item.Text("prices"),
        Estimated = item.Flag("estimated"),
        Outcome = (AttemptOutcome)item.Long("outcome"),
        Error = item.TextOrNull("error"),
        LatencyMs = (int)item.Long("latency"),
        FirstTokenMs = item.IntOrNull("first_token"),
        Streamed = item.Flag("streamed"),
        Conversation = item.TextOrNull("conversation"),
        EndUser = item.TextOrNull("user"),
        Template = item.TextOrNull("template"),
        Decision = item.TextOrNull("decision"),
        Run = item.TextOrNull("run"),
    };
}
