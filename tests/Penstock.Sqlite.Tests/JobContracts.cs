using Penstock.Contracts;
using Penstock.Jobs;
using Penstock.Sqlite.Jobs;

namespace Penstock.Sqlite.Tests;

public sealed class SqliteJobQueueTests : JobQueueContract
{
    private readonly OpenedStore _store = new();
    private readonly ManualTime _time = new();

    protected override ValueTask<IJobQueue> OpenAsync() => ValueTask.FromResult<IJobQueue>(new SqliteJobQueue(_store.Database, _time));

    protected override ValueTask CloseAsync() => _store.DisposeAsync();

    protected override Task PassAsync(TimeSpan time)
    {
        _time.Advance(time);
        return Task.CompletedTask;
    }
}

public sealed class SqliteJobStoreTests : JobStoreContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<IJobStore> OpenAsync() => ValueTask.FromResult<IJobStore>(new SqliteJobStore(_store.Database));

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}

public sealed class SqliteJobEffectsTests : JobEffectsContract
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<(IJobQueue Queue, IJobStore Store)> OpenAsync() =>
        ValueTask.FromResult<(IJobQueue, IJobStore)>((new SqliteJobQueue(_store.Database, TimeProvider.System), new SqliteJobStore(_store.Database)));

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}
