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
