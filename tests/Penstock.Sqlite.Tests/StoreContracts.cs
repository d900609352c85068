using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Gateway.Cache;
using Penstock.Idempotency;
using Penstock.Keys;
using Penstock.Sqlite.Budgets;
using Penstock.Sqlite.Cache;
using Penstock.Sqlite.Idempotency;
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
