using Penstock.Aws.DynamoDb;
using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>Each fault alone, on a call that is written once all the same.</summary>
public sealed class FaultTests(Emulator emulator) : IAsyncLifetime
{
    private static readonly TenantId Acme = new("acme");
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    private static readonly Budget Cap = new() { Tenant = Acme, Scope = new(BudgetScopeKind.Key, "k1"), Period = BudgetPeriod.Month, Limit = new Money(1_000) };

    private DynamoOptions _options = null!;
    private DynamoDatabase _database = null!;
    private DynamoLedger _plain = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _options = emulator.NewOptions();
        _database = Emulator.Connect(_options);
        await _database.Tables.EnsureAsync(_database.Client, _database.Time, Ct);
        _plain = new DynamoLedger(_database);
        await _plain.Budgets.PutAsync(Cap, Ct);
        // So that the balance is open and a fault meets what it is meant for.
        await _plain.Budgets.ListAsync(Acme, Now, Ct);
    }

    public ValueTask DisposeAsync()
    {
        _database.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(Fault.Throttled)]
    [InlineData(Fault.ThroughputExceeded)]
    [InlineData(Fault.Conflict)]
    [InlineData(Fault.AnswerLost)]
    [InlineData(Fault.ConnectionLost)]
    internal async Task A_reservation_and_its_settle_are_written_once_whatever_happens_to_the_write(Fault fault)
    {
        var reserving = FaultyHttp.First("TransactWriteItems", fault, 3);
        using (var database = Emulator.Connect(_options, reserving))
        {
            Assert.Equal(new Money(600), (await new DynamoLedger(database).Budgets.ReserveAsync(Request("a1", 600), Ct)).Granted);
        }

        var settling = FaultyHttp.First("TransactWriteItems", fault, 3);
        using (var database = Emulator.Connect(_options, settling))
        {
            Assert.Equal(new Money(600), Assert.Single(await _plain.Budgets.ListAsync(Acme, Now, Ct)).Held);
            Assert.True(await new DynamoLedger(database).Budgets.SettleAsync(Row("a1", 250), Ct));
        }

        Assert.Equal((3, 3), (reserving.Made[fault], settling.Made[fault]));
        var status = Assert.Single(await _plain.Budgets.ListAsync(Acme, Now, Ct));
        Assert.Equal((250, 0), (status.Spent.NanoDollars, status.Held.NanoDollars));
        Assert.Equal(2, (await _plain.Budgets.EntriesAsync(Acme, 0, 10, Ct)).Count);
        Assert.Empty(await _plain.Budgets.VerifyAsync(Ct));
    }

    [Fact]
    public async Task A_list_of_keys_is_whole_though_a_batch_leaves_some_out()
    {
        var faults = FaultyHttp.First("BatchGetItem", Fault.Unprocessed, 2);
        using var database = Emulator.Connect(_options, faults);
        var store = new Penstock.Aws.DynamoDb.Keys.DynamoKeyStore(database);
        foreach (var id in new[] { "a", "b", "c", "d", "e" }) await store.AddAsync(Key(id), Ct);

        Assert.Equal(["a", "b", "c", "d", "e"], (await store.ListAsync(Acme, Ct)).Select(key => key.Id.Value));

        Assert.Equal(2, faults.Made[Fault.Unprocessed]);
    }

    [Fact]
    public async Task Balances_that_a_batch_leaves_out_are_asked_for_again()
    {
        foreach (var scope in BudgetScope.Over(Row("a", 0))) await _plain.Budgets.PutAsync(Cap with { Scope = scope }, Ct);
        await _plain.Budgets.ReserveAsync(Request("a1", 600), Ct);
        var faults = FaultyHttp.First("BatchGetItem", Fault.Unprocessed, 2);
        using var database = Emulator.Connect(_options, faults);

        var statuses = await new DynamoLedger(database).Budgets.ListAsync(Acme, Now, Ct);

        Assert.Equal(2, faults.Made[Fault.Unprocessed]);
        Assert.Equal(4, statuses.Count);
        Assert.All(statuses, status => Assert.Equal(new Money(600), status.Held));
    }

    [Fact]
    public async Task A_store_that_stays_busy_is_an_error_and_changes_nothing()
    {
        using var database = Emulator.Connect(_options, new FaultyHttp(operation => operation == "TransactWriteItems" ? Fault.Conflict : null));

        var error = await Assert.ThrowsAsync<DynamoBusyException>(() => new DynamoLedger(database).Budgets.ReserveAsync(Request("a1", 600), Ct));

        Assert.Contains("Try again", error.Message, StringComparison.Ordinal);
        Assert.Equal(Money.Zero, Assert.Single(await _plain.Budgets.ListAsync(Acme, Now, Ct)).Held);
        Assert.Empty(await _plain.Budgets.EntriesAsync(Acme, 0, 10, Ct));
    }

    [Fact]
    public async Task A_key_is_rotated_once_though_the_answer_is_lost()
    {
        var faults = FaultyHttp.First("UpdateItem", Fault.AnswerLost, 2);
        using var database = Emulator.Connect(_options, faults);
        var key = Key("k");
        var store = new Penstock.Aws.DynamoDb.Keys.DynamoKeyStore(database);
        await store.AddAsync(key, Ct);

        Assert.True(await store.RotateAsync(Acme, key.Id, new byte[] { 2 }, Now, Ct));

        var rotated = (await store.FindAsync(key.Id, Ct))!;
        Assert.Equal((2, 1), (rotated.Hash.Span[0], rotated.PreviousHash!.Value.Span[0]));
        Assert.Equal(2, faults.Made[Fault.AnswerLost]);
    }

    private static Penstock.Keys.KeyRecord Key(string id) =>
        new() { Tenant = Acme, Project = ProjectId.Default, Id = new KeyId(id), Name = id, Hash = new byte[] { 1 }, Scopes = Penstock.Keys.Scopes.Complete, CreatedAt = Now };

    internal static LedgerRow Row(string attempt, long cost) => new()
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

    internal static HoldRequest Request(string attempt, long wanted) => new()
    {
        Unsettled = Row(attempt, 0) with { Tokens = default, Outcome = AttemptOutcome.Unknown, Estimated = true, LatencyMs = 0 },
        Wanted = new Money(wanted),
        Least = new Money(wanted),
        ExpiresAt = Now.AddHours(1),
    };
}

/// <summary>The whole suites, with a fault on every eighth call.</summary>
public sealed class FaultyBudgetStoreTests(Emulator emulator) : BudgetStoreContract
{
    private readonly OpenedTables _tables = new(emulator, FaultyHttp.Random(1, oneIn: 8));

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => _tables.LedgerAsync();

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class FaultyRunBudgetTests(Emulator emulator) : RunBudgetContract
{
    private readonly OpenedTables _tables = new(emulator, FaultyHttp.Random(3, oneIn: 8));

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => _tables.LedgerAsync();

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> ReopenAsync()
    {
        var ledger = new DynamoLedger(_tables.Database);
        return ValueTask.FromResult<(IBudgetStore, IUsageStore)>((ledger.Budgets, ledger.Usage));
    }

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class FaultyLedgerBooksTests(Emulator emulator) : LedgerBooksContract
{
    private readonly OpenedTables _tables = new(emulator, FaultyHttp.Random(2, oneIn: 8));

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => _tables.LedgerAsync();

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}
