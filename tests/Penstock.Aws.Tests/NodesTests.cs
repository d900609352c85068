using Penstock.Aws.DynamoDb;
using Penstock.Aws.DynamoDb.Budgets;
using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>Several nodes on the same tables: nothing that one remembers may make it wrong.</summary>
public sealed class NodesTests(Emulator emulator) : IAsyncLifetime
{
    private static readonly TenantId Acme = new("acme");
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    private static readonly Budget Cap = new() { Tenant = Acme, Scope = new(BudgetScopeKind.Key, "k1"), Period = BudgetPeriod.Month, Limit = new Money(1_000) };

    private readonly OpenedNodes _nodes = new(emulator);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private DynamoBudgetStore A => _nodes.Ledgers[0].Budgets;

    private DynamoBudgetStore B => _nodes.Ledgers[1].Budgets;

    public async ValueTask InitializeAsync() => await _nodes.OpenAsync();

    public ValueTask DisposeAsync() => _nodes.DisposeAsync();

    [Fact]
    public async Task A_change_on_one_node_is_in_force_for_the_next_call_on_another()
    {
        Assert.Equal(new Money(500), (await B.ReserveAsync(FaultTests.Request("a1", 500), Ct)).Granted);

        await A.PutAsync(Cap with { Limit = new Money(600) }, Ct);
        Assert.Null((await B.ReserveAsync(FaultTests.Request("a2", 101), Ct)).Granted);

        await A.PutAsync(Cap with { Limit = new Money(601) }, Ct);
        Assert.Equal(new Money(101), (await B.ReserveAsync(FaultTests.Request("a3", 101), Ct)).Granted);

        await A.RemoveAsync(Acme, Cap.Scope, Cap.Period, Ct);
        Assert.Equal(new Money(10_000), (await B.ReserveAsync(FaultTests.Request("a4", 10_000), Ct)).Granted);
    }

    [Fact]
    public async Task An_attempt_reserved_on_one_node_is_settled_on_another()
    {
        await A.PutAsync(Cap, Ct);
        await A.ReserveAsync(FaultTests.Request("a1", 600), Ct);

        Assert.True(await B.SettleAsync(FaultTests.Row("a1", 250), Ct));
        Assert.False(await A.SettleAsync(FaultTests.Row("a1", 250), Ct));

        var status = Assert.Single(await A.ListAsync(Acme, Now, Ct));
        Assert.Equal((250, 0), (status.Spent.NanoDollars, status.Held.NanoDollars));
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(3UL)]
    public async Task Budgets_that_are_put_and_removed_while_calls_run_never_lose_or_double_what_those_move(ulong seed)
    {
        var (source, gate) = (new SeededSource(seed), new Lock());
        int Below(int end)
        {
            lock (gate) return source.Below(end);
        }

        async Task CallAsync(int worker)
        {
            for (var i = 0; i < 12; i++)
            {
                var (here, there) = Below(2) == 0 ? (A, B) : (B, A);
                var name = $"{worker}-{i}";
                if (Below(4) == 0)
                {
                    await here.SettleAsync(FaultTests.Row(name, 7), Ct);
                    continue;
                }

                if ((await here.ReserveAsync(FaultTests.Request(name, 1 + Below(50)), Ct)).Granted is not { } granted) continue;
                if (Below(6) > 0) await there.SettleAsync(FaultTests.Row(name, granted.NanoDollars / 2), Ct);
            }
        }

        async Task ChangeAsync()
        {
            for (var i = 0; i < 10; i++)
            {
                var scope = BudgetScope.Over(FaultTests.Row("a", 0))[Below(4)];
                if (Below(3) == 0) await A.RemoveAsync(Acme, scope, BudgetPeriod.Month, Ct);
                else await B.PutAsync(Cap with { Scope = scope, Limit = new Money(100_000 + i), TimeZone = Below(2) == 0 ? "UTC" : "Europe/Zurich" }, Ct);
                await A.ListAsync(Acme, Now, Ct);
            }
        }

        await Task.WhenAll([.. Enumerable.Range(0, 12).Select(worker => Task.Run(() => CallAsync(worker), Ct)), Task.Run(ChangeAsync, Ct)]);

        var entries = await A.EntriesAsync(Acme, 0, 10_000, Ct);
        foreach (var scope in BudgetScope.Over(FaultTests.Row("a", 0))) await B.PutAsync(Cap with { Scope = scope, Limit = new Money(100_000) }, Ct);
        var statuses = await A.ListAsync(Acme, Now, Ct);
        Assert.Equal(4, statuses.Count);
        Assert.All(statuses, status => Assert.Equal((entries.Sum(entry => entry.Spent.NanoDollars), entries.Sum(entry => entry.Held.NanoDollars)), (status.Spent.NanoDollars, status.Held.NanoDollars)));
        Assert.Empty(await B.VerifyAsync(Ct));
    }

    [Fact]
    public async Task An_account_whose_opener_died_at_its_gate_is_opened_by_the_next_call()
    {
        await A.ReserveAsync(FaultTests.Request("a1", 300), Ct);
        await A.SettleAsync(FaultTests.Row("a1", 200), Ct);
        await A.ReserveAsync(FaultTests.Request("a2", 100), Ct);
        // All that an opening writes after its gate are updates and transactions; this node cannot do the second.
        var left = 1;
        using var dying = Emulator.Connect(_nodes.Options, new FaultyHttp(operation => operation switch
        {
            "UpdateItem" when Interlocked.Decrement(ref left) < 0 => Fault.Throttled,
            _ => null,
        }));
        await Assert.ThrowsAsync<DynamoBusyException>(() => new DynamoLedger(dying).Budgets.PutAsync(Cap with { Period = BudgetPeriod.Total }, Ct));

        Assert.True(await B.SettleAsync(FaultTests.Row("a2", 50), Ct));
        Assert.True(await A.SettleAsync(FaultTests.Row("a3", 5), Ct));

        var status = Assert.Single(await B.ListAsync(Acme, Now, Ct));
        Assert.Equal((255, 0), (status.Spent.NanoDollars, status.Held.NanoDollars));
        Assert.Empty(await B.VerifyAsync(Ct));
    }
}

/// <summary>The cap holds where two nodes decide in turn, and on one of them every twelfth call meets a fault.</summary>
public sealed class NodesHardCapTests(Emulator emulator) : HardCapContract
{
    private readonly OpenedNodes _nodes = new(emulator, FaultyHttp.Random(3, oneIn: 12));

    protected override int Decisions => 800;

    protected override async ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync()
    {
        await _nodes.OpenAsync();
        return (new InTurn(_nodes.Ledgers[0].Budgets, _nodes.Ledgers[1].Budgets), _nodes.Ledgers[0].Usage);
    }

    protected override ValueTask CloseAsync() => _nodes.DisposeAsync();
}

/// <summary>Fresh tables, and two nodes on them.</summary>
internal sealed class OpenedNodes(Emulator emulator, FaultyHttp? second = null) : IAsyncDisposable
{
    private readonly List<DynamoDatabase> _databases = [];

    public DynamoOptions Options { get; private set; } = null!;

    public IReadOnlyList<DynamoLedger> Ledgers { get; private set; } = [];

    public async Task OpenAsync()
    {
        Options = emulator.NewOptions();
        _databases.Add(Emulator.Connect(Options));
        _databases.Add(Emulator.Connect(Options, second));
        await _databases[0].Tables.EnsureAsync(_databases[0].Client, _databases[0].Time, TestContext.Current.CancellationToken);
        Ledgers = [.. _databases.Select(database => new DynamoLedger(database))];
    }

    public ValueTask DisposeAsync()
    {
        foreach (var database in _databases) database.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Each call goes to the next node, as a load balancer would have it.</summary>
internal sealed class InTurn(params IReadOnlyList<IBudgetStore> nodes) : IBudgetStore
{
    private int _calls;

    private IBudgetStore Next => nodes[(Interlocked.Increment(ref _calls) & int.MaxValue) % nodes.Count];

    public Task<Reservation> ReserveAsync(HoldRequest request, CancellationToken ct) => Next.ReserveAsync(request, ct);

    public Task<bool> SettleAsync(LedgerRow row, CancellationToken ct) => Next.SettleAsync(row, ct);

    public Task<int> ExpireAsync(DateTimeOffset now, CancellationToken ct) => Next.ExpireAsync(now, ct);

    public Task PutAsync(Budget budget, CancellationToken ct) => Next.PutAsync(budget, ct);

    public Task<bool> RemoveAsync(TenantId tenant, BudgetScope scope, BudgetPeriod period, CancellationToken ct) => Next.RemoveAsync(tenant, scope, period, ct);

    public Task<IReadOnlyList<BudgetStatus>> StatusAsync(TenantId tenant, IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at, CancellationToken ct) => Next.StatusAsync(tenant, scopes, implied, at, ct);

    public Task<IReadOnlyList<BudgetStatus>> ListAsync(TenantId tenant, DateTimeOffset at, CancellationToken ct) => Next.ListAsync(tenant, at, ct);

    public Task<IReadOnlyList<LedgerEntry>> EntriesAsync(TenantId tenant, long after, int limit, CancellationToken ct) => Next.EntriesAsync(tenant, after, limit, ct);

    public Task<IReadOnlyList<string>> VerifyAsync(CancellationToken ct) => Next.VerifyAsync(ct);
}
