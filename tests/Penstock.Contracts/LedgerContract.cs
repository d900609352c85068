using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What the suites of budgets and of usage share: one ledger behind two ports. An adapter's tests say how to open an empty one.</summary>
public abstract class LedgerContract : IAsyncLifetime
{
    protected static readonly TenantId Acme = new("acme");
    protected static readonly TenantId Rival = new("rival");
    protected static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected IBudgetStore Budgets { get; private protected set; } = null!;

    protected IUsageStore Usage { get; private protected set; } = null!;

    public async ValueTask InitializeAsync() => (Budgets, Usage) = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>An empty store.</summary>
    protected abstract ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync();

    protected abstract ValueTask CloseAsync();

    /// <summary>An attempt of key <c>k1</c> that began at <see cref="Now"/>.</summary>
    protected static LedgerRow Row(string attempt, long cost = 0) => new()
    {
        Tenant = Acme,
        Attempt = new AttemptId(attempt),
        Request = new RequestId("req_1"),
        Project = ProjectId.Default,
        Key = new KeyId("k1"),
        At = Now,
        Operation = "chat",
        Route = "/v1/chat/completions",
        Provider = "openai",
        RequestedModel = "fast",
        Model = "gpt-4o-mini",
        Tokens = TokenCounts.Of(10, 20),
        Cost = new Money(cost),
        PriceVersion = "2026-11-01",
        Outcome = AttemptOutcome.Completed,
        LatencyMs = 250,
    };

    /// <summary>Holds for an hour from the attempt's beginning.</summary>
    protected static HoldRequest Request(LedgerRow row, long wanted, long? least = null) => new()
    {
        Unsettled = row with { Cost = Money.Zero, Tokens = default, Outcome = AttemptOutcome.Unknown, Estimated = true, LatencyMs = 0, FirstTokenMs = null, Error = null },
        Wanted = new Money(wanted),
        Least = new Money(least ?? wanted),
        ExpiresAt = row.At.AddHours(1),
    };

    protected static HoldRequest Request(string attempt, long wanted, long? least = null) => Request(Row(attempt), wanted, least);

    protected static Budget Limit(BudgetScope scope, BudgetPeriod period, long nanos) => new() { Tenant = Acme, Scope = scope, Period = period, Limit = new Money(nanos) };

    protected async Task<IReadOnlyList<LedgerEntry>> EntriesAsync(TenantId tenant)
    {
        const int page = 5_000;
        var entries = new List<LedgerEntry>();
        while (true)
        {
            var next = await Budgets.EntriesAsync(tenant, entries.Count == 0 ? 0 : entries[^1].Number, page, Ct);
            entries.AddRange(next);
            if (next.Count < page) return entries;
        }
    }

    /// <summary>The buckets of these values.</summary>
    protected static IReadOnlyDictionary<int, long> Histogram(IEnumerable<long> values)
    {
        var histogram = new LogHistogram();
        foreach (var value in values) histogram.Add(value);
        return histogram.Buckets;
    }

    protected async Task<IReadOnlyDictionary<int, long>> ConversationsAsync(DateTimeOffset from, DateTimeOffset to) => (await Usage.ConversationCostsAsync(Acme, from, to, Ct)).Buckets;
}
