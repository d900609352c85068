using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tests.Configuration;
using Penstock.Tests.Gateway;
using Penstock.Tests.Keys;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Usage;

public sealed class RetentionTests : IAsyncDisposable
{
    private readonly EmbeddedStore _store = new();
    private readonly UsageSection _section = new();
    private readonly ManualTime _time = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task Attempts_go_when_they_are_older_than_they_are_kept_and_their_sums_stay()
    {
        Assert.Empty(_section.Read("""{"usage": {"keepDays": 2}}"""));
        foreach (var days in new[] { 0, 1, 3 }) await _store.Budgets.SettleAsync(Row($"{days}", _time.GetUtcNow().AddDays(-days)), Ct);
        using var retention = new Retention(_store.Usage, _section, _time, NullLogger<Retention>.Instance);

        await retention.StartAsync(Ct);
        await GatewayHost.UntilAsync(async () => (await ListAsync()).SequenceEqual(["0", "1"]), "the oldest to go");
        _time.Advance(TimeSpan.FromDays(1) + Retention.Every);
        await GatewayHost.UntilAsync(async () => (await ListAsync()).SequenceEqual(["0"]), "the next to go");
        await retention.StopAsync(Ct);

        Assert.Equal(3, (await _store.Usage.SumAsync(TenantId.Default, new UsageQuery(), Ct)).Total.Attempts);
    }

    [Fact]
    public void Attempts_are_kept_for_400_days_unless_configured()
    {
        Assert.Equal(TimeSpan.FromDays(400), new UsageSection().Current.KeepFor);
        Assert.Contains("keepDays", Assert.Single(_section.Read("""{"usage": {"keepDays": 0}}""")), StringComparison.Ordinal);
        Assert.Single(_section.Read("""{"usage": {"keep": 3}}"""));
    }

    private async Task<IEnumerable<string>> ListAsync() => (await _store.Usage.ListAsync(TenantId.Default, new UsageQuery(), 10, Ct)).Select(row => row.Attempt.Value);

    private static LedgerRow Row(string attempt, DateTimeOffset at) => new()
    {
        Tenant = TenantId.Default,
        Attempt = new AttemptId(attempt),
        Request = new RequestId("req_1"),
        Project = ProjectId.Default,
        Key = new KeyId("k1"),
        At = at,
        Operation = "chat",
        Route = "/v1/complete",
        Provider = "openai",
        RequestedModel = "fast",
        Model = "gpt-4o-mini",
        Tokens = TokenCounts.Of(1, 1),
        Cost = new Money(1),
        PriceVersion = "test",
        Outcome = AttemptOutcome.Completed,
        LatencyMs = 1,
    };
}
