using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Keys;
using Penstock.Sqlite.Budgets;
using Penstock.Sqlite.Keys;
using Penstock.Sqlite.Usage;
using Penstock.Usage;

namespace Penstock.Sqlite.Tests;

public sealed class SqliteKeyStoreTests : KeyStoreContract
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override ValueTask<IKeyStore> OpenAsync() => ValueTask.FromResult<IKeyStore>(new SqliteKeyStore(_database = _folder.Open()));

    protected override async ValueTask CloseAsync()
    {
        if (_database is not null) await _database.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteUsageStoreTests : UsageStoreContract
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override ValueTask<IUsageStore> OpenAsync() => ValueTask.FromResult<IUsageStore>(new SqliteUsageStore(_database = _folder.Open()));

    protected override async ValueTask CloseAsync()
    {
        if (_database is not null) await _database.DisposeAsync();
        _folder.Dispose();
    }
}

public sealed class SqliteBudgetStoreTests : BudgetStoreContract
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync()
    {
        _database = _folder.Open();
        return ValueTask.FromResult<(IBudgetStore, IUsageStore)>((new SqliteBudgetStore(_database), new SqliteUsageStore(_database)));
    }

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
