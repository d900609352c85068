using Penstock.Aws.DynamoDb;
using Penstock.Aws.DynamoDb.Cache;
using Penstock.Aws.DynamoDb.Idempotency;
using Penstock.Aws.DynamoDb.Keys;
using Penstock.Aws.DynamoDb.Limits;
using Penstock.Aws.DynamoDb.Prompts;
using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Gateway.Cache;
using Penstock.Idempotency;
using Penstock.Keys;
using Penstock.Limits;
using Penstock.Prompts;
using Penstock.Usage;
using Xunit;

namespace Penstock.Aws.Tests;

public sealed class DynamoKeyStoreTests(Emulator emulator) : KeyStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override async ValueTask<IKeyStore> OpenAsync() => new DynamoKeyStore(await _tables.OpenAsync());

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoProviderKeyStoreTests(Emulator emulator) : ProviderKeyStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override async ValueTask<IProviderKeyStore> OpenAsync() => new DynamoProviderKeyStore(await _tables.OpenAsync());

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoCacheStoreTests(Emulator emulator) : CacheStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override async ValueTask<ICacheStore> OpenAsync() => new DynamoCacheStore(await _tables.OpenAsync());

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoIdempotencyStoreTests(Emulator emulator) : IdempotencyStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override async ValueTask<IIdempotencyStore> OpenAsync() => new DynamoIdempotencyStore(await _tables.OpenAsync());

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoUsageStoreTests(Emulator emulator) : UsageStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => _tables.LedgerAsync();

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoUsageRollupsTests(Emulator emulator) : UsageRollupsContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => _tables.LedgerAsync();

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoBudgetStoreTests(Emulator emulator) : BudgetStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => _tables.LedgerAsync();

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoLedgerBooksTests(Emulator emulator) : LedgerBooksContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => _tables.LedgerAsync();

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoRunBudgetTests(Emulator emulator) : RunBudgetContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => _tables.LedgerAsync();

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> ReopenAsync()
    {
        var ledger = new DynamoLedger(_tables.Database);
        return ValueTask.FromResult<(IBudgetStore, IUsageStore)>((ledger.Budgets, ledger.Usage));
    }

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoAlertStoreTests(Emulator emulator) : AlertStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override async ValueTask<AlertStores> OpenAsync() => Stores(new DynamoLedger(await _tables.OpenAsync()));

    protected override ValueTask<AlertStores> ReopenAsync() => ValueTask.FromResult(Stores(new DynamoLedger(_tables.Database)));

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();

    private AlertStores Stores(DynamoLedger ledger) => new(ledger.Alerts, ledger.Budgets, new DynamoKeyStore(_tables.Database));
}

public sealed class DynamoHardCapTests(Emulator emulator) : HardCapContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override int Decisions => 1_600;

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => _tables.LedgerAsync();

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoBudgetPropertyTests(Emulator emulator, ITestOutputHelper output) : BudgetProperties(output)
{
    private readonly OpenedTables _tables = new(emulator);

    protected override int Cases => 25;

    protected override int ConcurrentCases => 5;

    // Each time a budget is made anew, those that run hold on one balance more, and a transaction has a hundred items.
    protected override int MostChanges => 60;

    protected override bool IsTooBusy(Exception e) => e is DynamoBusyException;

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => _tables.LedgerAsync();

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoLimitStoreTests(Emulator emulator) : LimitStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override async ValueTask<ILimitStore> OpenAsync(TimeProvider time) => new DynamoLimitStore(await _tables.OpenAsync(), time);

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

/// <summary>Fresh tables, and one node on them.</summary>
internal sealed class OpenedTables(Emulator emulator, FaultyHttp? faults = null) : IAsyncDisposable
{
    private DynamoDatabase? _database;

    public DynamoDatabase Database => _database!;

    public async ValueTask<DynamoDatabase> OpenAsync() => _database = await emulator.OpenAsync(faults);

    public async ValueTask<(IBudgetStore, IUsageStore)> LedgerAsync()
    {
        var ledger = new DynamoLedger(await OpenAsync());
        return (ledger.Budgets, ledger.Usage);
    }

    public ValueTask DisposeAsync()
    {
        _database?.Dispose();
        return ValueTask.CompletedTask;
    }
}

public sealed class DynamoPromptStoreTests(Emulator emulator) : PromptStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override async ValueTask<IPromptStore> OpenAsync() => new DynamoPromptStore(await _tables.OpenAsync());

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}
