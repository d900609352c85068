using Microsoft.Extensions.DependencyInjection;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite;
using Penstock.Usage;

namespace Penstock.Bench.Money;

/// <summary>The embedded store as a server has it.</summary>
internal sealed class Store : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    public Store(string folder)
    {
        _services = new ServiceCollection().AddSqliteStore(new SqliteOptions { DataFolder = folder }).BuildServiceProvider();
        (Budgets, Usage) = (_services.GetRequiredService<IBudgetStore>(), _services.GetRequiredService<IUsageStore>());
    }

    public IBudgetStore Budgets { get; }

    public IUsageStore Usage { get; }

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    public static LedgerRow Row(string attempt, int key, DateTimeOffset at) => new()
    {
        Tenant = TenantId.Default,
        Attempt = new AttemptId(attempt),
        Request = new RequestId($"req_{attempt}"),
        Project = new ProjectId($"project-{key % 4}"),
        Key = new KeyId($"key-{key:00}"),
        At = at,
        Operation = "chat",
        Route = "/v1/chat/completions",
        Provider = "openai",
        RequestedModel = "fast",
        Model = "gpt-4o-mini",
        Tokens = TokenCounts.Of(812, 245),
        Cost = new Kernel.Money(268_800),
        PriceVersion = "2026-11-01",
        Outcome = AttemptOutcome.Completed,
        LatencyMs = 1_240,
        FirstTokenMs = 310,
        Streamed = true,
    };
}
