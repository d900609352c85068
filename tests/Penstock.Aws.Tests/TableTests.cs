using Amazon.DynamoDBv2;
using Penstock.Aws.DynamoDb;
using Penstock.Aws.DynamoDb.Usage;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Aws.Tests;

public sealed class TableTests(Emulator emulator) : IAsyncLifetime
{
    private static readonly TenantId Acme = new("acme");

    private DynamoDatabase _database = null!;
    private DynamoLedger _ledger = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _ledger = new DynamoLedger(_database = await emulator.OpenAsync());

    public ValueTask DisposeAsync()
    {
        _database.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Usage_and_budgets_have_the_keys_they_are_known_by_and_all_tables_are_on_demand()
    {
        var tables = _database.Tables;
        foreach (var (name, keys) in new[] { (tables.Usage, "userId S, timestamp N"), (tables.Budgets, "userId S"), (tables.Idempotency, "id S"), (tables.Limits, "id S"), (tables.Cache, "id S"), (tables.Keys, "pk S, sk S"), (tables.Ledger, "pk S, sk S"), (tables.Runs, "pk S, sk S"), (tables.Memory, "pk S, sk S") })
        {
            var table = (await _database.Client.DescribeTableAsync(name, Ct)).Table;
            var types = table.AttributeDefinitions.ToDictionary(attribute => attribute.AttributeName, attribute => attribute.AttributeType.Value);
            Assert.Equal(keys, string.Join(", ", table.KeySchema.Select(key => $"{key.AttributeName} {types[key.AttributeName]}")));
            Assert.Equal(BillingMode.PAY_PER_REQUEST, table.BillingModeSummary.BillingMode);
            var ttl = (await _database.Client.DescribeTimeToLiveAsync(name, Ct)).TimeToLiveDescription;
            Assert.Equal(("ttl", TimeToLiveStatus.ENABLED), (ttl.AttributeName, ttl.TimeToLiveStatus));
        }
    }

    [Fact]
    public async Task A_second_node_that_creates_the_tables_changes_nothing()
    {
        await _ledger.Budgets.SettleAsync(FaultTests.Row("a1", 1), Ct);

        await _database.Tables.EnsureAsync(_database.Client, _database.Time, Ct);

        Assert.Single(await _ledger.Usage.ListAsync(Acme, new UsageQuery(), 10, Ct));
    }

    [Fact]
    public async Task A_thousand_calls_of_one_user_in_one_millisecond_are_all_kept()
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, 1_000), new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = Ct }, async (i, ct) =>
            await _ledger.Budgets.SettleAsync(FaultTests.Row($"a{i}", 1) with { EndUser = "anna" }, ct));

        Assert.Equal(1_000, (await _ledger.Usage.ListAsync(Acme, new UsageQuery(), int.MaxValue, Ct)).Select(row => row.Attempt).Distinct().Count());
        Assert.Equal(1_000, (await _ledger.Usage.SumAsync(Acme, new UsageQuery { EndUser = "anna" }, Ct)).Total.Attempts);
    }

    [Fact]
    public async Task Two_attempts_that_would_take_one_number_are_both_kept()
    {
        var rows = Pair();

        foreach (var row in rows) Assert.True(await _ledger.Budgets.SettleAsync(row, Ct));

        Assert.Equal(2, (await _ledger.Usage.ListAsync(Acme, new UsageQuery(), 10, Ct)).Count);
    }

    [Theory]
    [InlineData("SET #used = #used + :one")]
    [InlineData("SET #spent = #spent + :one, #used = #used + :one")]
    public async Task The_audit_names_a_run_whose_balance_is_not_what_its_attempts_are(string damage)
    {
        var account = await BookOnRunAsync();
        Assert.Empty(await _ledger.Budgets.VerifyAsync(Ct));

        await _database.UpdateAsync(_database.Tables.Budgets, new Item().Set("userId", account), damage, "attribute_exists(#userId)", new Item().Set(":one", 1), Ct);

        Assert.Contains(await _ledger.Budgets.VerifyAsync(Ct), difference => difference.Contains("run 'run_a'", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_audit_names_a_run_that_has_no_balance()
    {
        var account = await BookOnRunAsync();

        await _database.DeleteAsync(_database.Tables.Budgets, [new Item().Set("userId", account)], Ct);

        Assert.Contains(await _ledger.Budgets.VerifyAsync(Ct), difference => difference.EndsWith("and its balance is none.", StringComparison.Ordinal));
    }

    /// <summary>The balance's key.</summary>
    private async Task<string> BookOnRunAsync()
    {
        await _ledger.Budgets.SettleAsync(FaultTests.Row("a1", 5) with { Run = "run_a" }, Ct);
        return Assert.Single(await _database.ScanAsync(_database.Tables.Budgets, Ct)).Text("userId");
    }

    /// <summary>Two attempts of one millisecond whose items would have one key.</summary>
    private static LedgerRow[] Pair()
    {
        var seen = new Dictionary<(string, long), LedgerRow>();
        for (var i = 0; ; i++)
        {
            var row = FaultTests.Row($"a{i}", 1);
            var item = AttemptRows.Write(LedgerEntryKind.Settle, row, collisions: 0);
            if (!seen.TryAdd((item.Text("userId"), item.Long("timestamp")), row)) return [seen[(item.Text("userId"), item.Long("timestamp"))], row];
        }
    }
}
