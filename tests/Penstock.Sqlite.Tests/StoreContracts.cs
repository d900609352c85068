using Penstock.Contracts;
using Penstock.Keys;
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
