using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Gateway.Cache;
using Penstock.Idempotency;
using Penstock.Keys;
using Penstock.Prompts;
using Penstock.Sqlite.Budgets;
using Penstock.Sqlite.Cache;
using Penstock.Sqlite.Idempotency;
using Penstock.Sqlite.Keys;
using Penstock.Sqlite.Prompts;
using Penstock.Sqlite.Usage;
using Penstock.Usage;

namespace Penstock.Sqlite.Tests;

public sealed class SqliteKeyStoreTests : KeyStoreContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<IKeyStore> OpenAsync() => ValueTask.FromResult<IKeyStore>(new SqliteKeyStore(_store.Database));

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}

public sealed class SqliteProviderKeyStoreTests : ProviderKeyStoreContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<IProviderKeyStore> OpenAsync() => ValueTask.FromResult<IProviderKeyStore>(new SqliteProviderKeyStore(_store.Database));

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}

public sealed class SqliteUsageStoreTests : UsageStoreContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => ValueTask.FromResult(_store.Ledger);

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}

public sealed class SqliteUsageRollupsTests : UsageRollupsContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => ValueTask.FromResult(_store.Ledger);

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}

public sealed class SqliteBudgetStoreTests : BudgetStoreContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => ValueTask.FromResult(_store.Ledger);

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}

public sealed class SqliteLedgerBooksTests : LedgerBooksContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => ValueTask.FromResult(_store.Ledger);

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}

public sealed class SqliteRunBudgetTests : RunBudgetContract
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync()
    {
        _database = _folder.Open();
        return ValueTask.FromResult<(IBudgetStore, IUsageStore)>((new SqliteBudgetStore(_database), new SqliteUsageStore(_database)));
    }

    protected override async ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> ReopenAsync()
    {
        await _database!.DisposeAsync();
        return await OpenAsync();
    }

    protected override async ValueTask CloseAsync()
    {
        if (_database is not null) await _database.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteHardCapTests : HardCapContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => ValueTask.FromResult(_store.Ledger);

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}

/// <summary>The embedded store on a folder of its own.</summary>
internal sealed class OpenedStore : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();

    public OpenedStore() => Database = _folder.Open();

    public SqliteDatabase Database { get; }

    public (IBudgetStore, IUsageStore) Ledger => (new SqliteBudgetStore(Database), new SqliteUsageStore(Database));

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteCacheStoreTests : CacheStoreContract
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override ValueTask<ICacheStore> OpenAsync() => ValueTask.FromResult<ICacheStore>(new SqliteCacheStore(_database = _folder.Open()));

    protected override async ValueTask CloseAsync()
    {
        if (_database is not null) await _database.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteIdempotencyStoreTests : IdempotencyStoreContract
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override ValueTask<IIdempotencyStore> OpenAsync() => ValueTask.FromResult<IIdempotencyStore>(new SqliteIdempotencyStore(_database = _folder.Open()));

    protected override async ValueTask CloseAsync()
    {
        if (_database is not null) await _database.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteAlertStoreTests : AlertStoreContract
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override ValueTask<AlertStores> OpenAsync()
    {
        _database = _folder.Open();
        return ValueTask.FromResult(new AlertStores(new SqliteAlertStore(_database), new SqliteBudgetStore(_database), new SqliteKeyStore(_database)));
    }

    protected override async ValueTask<AlertStores> ReopenAsync()
    {
        await _database!.DisposeAsync();
        return await OpenAsync();
    }

    protected override async ValueTask CloseAsync()
    {
        if (_database is not null) await _database.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqlitePromptStoreTests : PromptStoreContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<IPromptStore> OpenAsync() => ValueTask.FromResult<IPromptStore>(new SqlitePromptStore(_store.Database));

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}
