using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Sqlite.Tests;

internal static class Rows
{
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
