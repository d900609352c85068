using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Sqlite.Budgets;
using Penstock.Sqlite.Native;
using Penstock.Sqlite.Usage;
using Penstock.Usage;
using Xunit;

namespace Penstock.Sqlite.Tests;

/// <summary>A database from before there was one ledger, opened by this build.</summary>
public sealed class OldLedgerTests : IDisposable
{
    // 2026-11-21 12:00:00 UTC. A call that took 1 s; one that expired and was corrected; one whose name only looks like a correction; one that runs.
    private const string Rows = """
        INSERT INTO ledger VALUES ('acme', 'a1', 'r1', 'search', 'k1', 1795262401000, 'chat', '/v1/complete', 'openai', 'fast', 'gpt-4o-mini', 1, 2, 3, 4, 5, 6, 250, 'v1', 0, 0, NULL, 1000, 90, 1, 'c', 'anna');
        INSERT INTO ledger VALUES ('acme', 'x', 'r2', 'search', 'k1', 1795266000000, 'chat', '/v1/complete', 'openai', 'fast', 'gpt-4o-mini', 0, 0, 0, 0, 0, 0, 600, 'v1', 1, 5, NULL, 3600000, NULL, 0, 'c', NULL);
        INSERT INTO ledger VALUES ('acme', 'x:adjust', 'r2', 'search', 'k1', 1795269600000, 'chat', '/v1/complete', 'openai', 'fast', 'gpt-4o-mini', 7, 0, 0, 0, 8, 0, -350, 'v1', 0, 0, NULL, 2000, NULL, 0, 'c', NULL);
        INSERT INTO ledger VALUES ('acme', 'odd:adjust', 'r3', 'search', 'k2', 1795262400000, 'chat', '/v1/complete', 'openai', 'fast', 'gpt-4o-mini', 1, 0, 0, 0, 1, 0, 7, 'v1', 0, 2, 'provider_failed', 0, NULL, 0, NULL, NULL);
        INSERT INTO ledger VALUES ('rival', 'a1', 'r4', 'default', 'k1', 1795262400000, 'chat', '/v1/complete', 'openai', 'fast', 'gpt-4o-mini', 1, 0, 0, 0, 1, 0, 9, 'v1', 0, 0, NULL, 0, NULL, 0, NULL, NULL);
        INSERT INTO holds VALUES ('acme', 'running', 400, 1795262400000, 1795266000000, 'r5', 'search', 'k1', 'chat', '/v1/complete', 'openai', 'fast', 'gpt-4o-mini', 'v1', 1, 'c', 'anna');
        INSERT INTO budgets VALUES ('acme', 2, 'k1', 2, 1000, 1, 'UTC');
        INSERT INTO budget_balances VALUES ('acme', 2, 'k1', 2, 1793491200000, 500, 400);
        INSERT INTO budget_entries VALUES ('acme', 'running', 1, 2, 'k1', 2, 1793491200000, 400, 0);
        """;

    private static readonly TenantId Acme = new("acme");
    private static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public OldLedgerTests()
    {
        Directory.CreateDirectory(_folder.Path);
        using var session = Session.Open(Path.Combine(_folder.Path, "penstock.db"), readOnly: false);
        Migrations.Apply(session, "penstock.db", [.. Migrations.All.Take(2)], new ManualTime());
        session.RunScript(Rows);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_was_booked_becomes_entries_at_the_time_the_attempt_began_and_what_ran_goes_on()
    {
        await using var database = _folder.Open();
        var (budgets, usage) = (new SqliteBudgetStore(database), new SqliteUsageStore(database));

        Assert.Equal(
            [
                ("a1", LedgerEntryKind.Settle, 0, 250, Noon), ("x", LedgerEntryKind.Expire, 0, 600, Noon), ("x", LedgerEntryKind.Adjust, 0, -350, Noon),
                ("odd:adjust", LedgerEntryKind.Settle, 0, 7, Noon), ("running", LedgerEntryKind.Reserve, 400, 0, Noon),
            ],
            (await budgets.EntriesAsync(Acme, 0, 100, Ct)).Select(entry => (entry.Row.Attempt.Value, entry.Kind, entry.Held.NanoDollars, entry.Spent.NanoDollars, entry.Row.At)));
        Assert.Empty(await budgets.VerifyAsync(Ct));
        Assert.Equal(new UsageSum(3, 1, new TokenCounts(9, 2, 3, 4, 14, 6), new Money(507)), (await usage.SumAsync(Acme, new UsageQuery(), Ct)).Total);
        Assert.Equal(1, (await usage.ConversationCostsAsync(Acme, Noon, Noon.AddDays(1), Ct)).Buckets[LogHistogram.BucketOf(500)]);

        var status = Assert.Single(await budgets.ListAsync(Acme, Noon, Ct));
        Assert.Equal((500, 400), (status.Spent.NanoDollars, status.Held.NanoDollars));
        var running = (await budgets.EntriesAsync(Acme, 0, 100, Ct))[^1].Row;
        Assert.True(await budgets.SettleAsync(running with { Cost = new Money(100) }, Ct));
        Assert.False(await budgets.SettleAsync(running with { Attempt = new AttemptId("x"), Cost = new Money(1) }, Ct));
        Assert.Equal(new Money(600), Assert.Single(await budgets.ListAsync(Acme, Noon, Ct)).Spent);
        Assert.Empty(await budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task Rollups_are_made_once()
    {
        await using (_folder.Open())
        {
        }

        await using var again = _folder.Open();
        Assert.Equal(new Money(507), (await new SqliteUsageStore(again).SumAsync(Acme, new UsageQuery(), Ct)).Total.Cost);
    }
}
