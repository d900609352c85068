using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Sqlite.Tests;

internal static class Rows
{
    public static RunRecord Run(string id) => new()
    {
        Tenant = TenantId.Default,
        Id = new RunId(id),
        Project = ProjectId.Default,
        Key = new KeyId("key-1"),
        Agent = "research",
        Version = "1.0.0",
        Hash = "hash",
        Path = id,
        Limit = new Money(500_000_000),
        CreatedAt = new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero),
        WakeAt = new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero),
    };

    public static LedgerRow Row(string attempt) => new()
    {
        Tenant = TenantId.Default,
        Attempt = new AttemptId(attempt),
        Request = new RequestId("req_1"),
        Project = ProjectId.Default,
        Key = new KeyId("key-1"),
        At = new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.Zero),
        Operation = "chat",
        Route = "/v1/chat/completions",
        Provider = "openai",
        RequestedModel = "fast",
        Model = "gpt-4o-mini",
        Tokens = TokenCounts.Of(10, 20),
        Cost = new Money(1_500),
        PriceVersion = "2026-11-01",
        Outcome = AttemptOutcome.Completed,
        LatencyMs = 250,
    };
}
