using Penstock.Agents;
using Penstock.Contracts;
using Penstock.Sqlite.Agents;

namespace Penstock.Sqlite.Tests;

public sealed class SqliteRunStoreTests : RunStoreContract
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override bool OwnedByOneProcess => true;

    protected override ValueTask<IRunStore> OpenAsync() => ValueTask.FromResult<IRunStore>(new SqliteRunStore(_database = _folder.Open()));

    protected override async ValueTask<IRunStore> ReopenAsync()
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

public sealed class SqliteMemoryStoreTests : MemoryStoreContract
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override ValueTask<IMemoryStore> OpenAsync() => ValueTask.FromResult<IMemoryStore>(new SqliteMemoryStore(_database = _folder.Open()));

    protected override async ValueTask<IMemoryStore> ReopenAsync()
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

public sealed class SqliteRunFaultsTests : RunFaultsContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<IRunStore> OpenAsync() => ValueTask.FromResult<IRunStore>(new SqliteRunStore(_store.Database));

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}
