using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Aws.DynamoDb;
using Penstock.Aws.DynamoDb.Budgets.Leases;
using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>Fresh tables, and nodes on them that take slices of budgets.</summary>
internal sealed class LeasedNodes(Emulator emulator, LeaseOptions options, params IReadOnlyList<FaultyHttp?> nodes) : IAsyncDisposable
{
    private readonly List<DynamoDatabase> _databases = [];
    private readonly List<LeaseReturner> _returners = [];

    public static readonly LeaseOptions Eager = new() { FromCalls = 2, OpenFor = TimeSpan.FromMilliseconds(300), Grace = TimeSpan.FromMilliseconds(200) };

    public DynamoOptions Options { get; private set; } = null!;

    public IReadOnlyList<DynamoLedger> Ledgers { get; private set; } = [];

    public async Task OpenAsync()
    {
        Options = emulator.NewOptions();
        foreach (var http in nodes) _databases.Add(Emulator.Connect(Options, http));
        await _databases[0].Tables.EnsureAsync(_databases[0].Client, _databases[0].Time, TestContext.Current.CancellationToken);
        Ledgers = [.. _databases.Select(database => new DynamoLedger(database, options))];
    }

    /// <summary>As a server does all the time.</summary>
    public async Task ReturnInTimeAsync()
    {
        foreach (var ledger in Ledgers) _returners.Add(new LeaseReturner(ledger.Leases!, NullLogger<LeaseReturner>.Instance));
        foreach (var returner in _returners) await returner.StartAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>As a server does when it stops.</summary>
    public async Task StopAsync()
    {
        foreach (var returner in _returners) await returner.StopAsync(CancellationToken.None);
        _returners.ForEach(returner => returner.Dispose());
        _returners.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var database in _databases) database.Dispose();
    }
}

/// <summary>A call is settled by the node that reserved for it; calls go to the nodes in turn.</summary>
internal sealed class Sticky(params IReadOnlyList<IBudgetStore> nodes) : IBudgetStore
{
    private IBudgetStore NodeOf(AttemptId attempt) => nodes[(int)((uint)string.GetHashCode(attempt.Value, StringComparison.Ordinal) % (uint)nodes.Count)];

    public Task<Reservation> ReserveAsync(HoldRequest request, CancellationToken ct) => NodeOf(request.Unsettled.Attempt).ReserveAsync(request, ct);

    public Task<bool> SettleAsync(LedgerRow row, CancellationToken ct) => NodeOf(row.Attempt).SettleAsync(row, ct);

    public Task<int> ExpireAsync(DateTimeOffset now, CancellationToken ct) => nodes[^1].ExpireAsync(now, ct);

    public Task PutAsync(Budget budget, CancellationToken ct) => nodes[0].PutAsync(budget, ct);

    public Task<bool> RemoveAsync(TenantId tenant, BudgetScope scope, BudgetPeriod period, CancellationToken ct) => nodes[^1].RemoveAsync(tenant, scope, period, ct);

    public Task<IReadOnlyList<BudgetStatus>> StatusAsync(TenantId tenant, IReadOnlyList<BudgetScope> scopes, IReadOnlyList<Budget> implied, DateTimeOffset at, CancellationToken ct) => nodes[0].StatusAsync(tenant, scopes, implied, at, ct);

    public Task<IReadOnlyList<BudgetStatus>> ListAsync(TenantId tenant, DateTimeOffset at, CancellationToken ct) => nodes[^1].ListAsync(tenant, at, ct);

    public Task<IReadOnlyList<LedgerEntry>> EntriesAsync(TenantId tenant, long after, int limit, CancellationToken ct) => nodes[0].EntriesAsync(tenant, after, limit, ct);

    public Task<IReadOnlyList<string>> VerifyAsync(CancellationToken ct) => nodes[^1].VerifyAsync(ct);
}

/// <summary>The cap holds where two nodes admit calls from slices.</summary>
public class LeasedHardCapTests(Emulator emulator) : HardCapContract
{
    private readonly LeasedNodes _nodes = new(emulator, LeasedNodes.Eager, null, null);

    private protected virtual LeasedNodes Nodes => _nodes;

    protected override int Decisions => 1_600;

    protected override bool ReservesEach => false;

    protected override async ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync()
    {
        await Nodes.OpenAsync();
        await Nodes.ReturnInTimeAsync();
        return (new Sticky(Nodes.Ledgers[0].Budgets, Nodes.Ledgers[1].Budgets), Nodes.Ledgers[0].Usage);
    }

    protected override async Task RestAsync()
    {
        await Nodes.StopAsync();
        // Without slices nothing of the race could have gone wrong.
        Assert.Contains(await EntriesAsync(Acme), entry => entry.Kind == LedgerEntryKind.Reserve && entry.Row.Attempt.Value.StartsWith("slice_", StringComparison.Ordinal));
    }

    protected override ValueTask CloseAsync() => Nodes.DisposeAsync();
}

/// <summary>The same, and on one of the nodes every twelfth call meets a fault.</summary>
public sealed class FaultyLeasedHardCapTests(Emulator emulator) : LeasedHardCapTests(emulator)
{
    private readonly LeasedNodes _nodes = new(emulator, LeasedNodes.Eager, null, FaultyHttp.Random(5, oneIn: 12));

    private protected override LeasedNodes Nodes => _nodes;

    protected override int Decisions => 800;
}
