using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite;
using Penstock.Usage;

namespace Penstock.Chaos;

/// <summary>The embedded store of a worker that has ended, opened to look.</summary>
internal sealed class Books : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    private Books(ServiceProvider services) => _services = services;

    public IRunStore Runs => _services.GetRequiredService<IRunStore>();

    /// <summary>The ledger verifies, or the test fails.</summary>
    public static async Task<Books> OpenAsync(string folder)
    {
        var books = new Books(new ServiceCollection().AddSingleton(TimeProvider.System).AddSqliteStore(new SqliteOptions { DataFolder = Path.Combine(folder, "data") }).BuildServiceProvider());
        Assert.Empty(await books._services.GetRequiredService<IBudgetStore>().VerifyAsync(TestContext.Current.CancellationToken));
        return books;
    }

    /// <summary>Newest first.</summary>
    public Task<IReadOnlyList<LedgerRow>> RowsAsync() => _services.GetRequiredService<IUsageStore>().ListAsync(TenantId.Default, new UsageQuery(), 100_000, TestContext.Current.CancellationToken);

    public async Task<IReadOnlyList<JournalEntry>> JournalAsync(string id)
    {
        var run = (await Runs.GetAsync(TenantId.Default, new RunId(id), TestContext.Current.CancellationToken))!;
        var journal = new List<JournalEntry>();
        while (journal.Count < run.NextSeq) journal.AddRange(await Runs.JournalAsync(run.Tenant, run.Id, journal.Count, 1_000, TestContext.Current.CancellationToken));
        return journal;
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}

/// <summary>Waits on a condition, not on time.</summary>
internal static class Wait
{
    public static async Task UntilAsync(Func<Task<bool>> holds, TimeSpan patience, Func<string> what)
    {
        var since = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(since) > patience) Assert.Fail($"Waited {patience} for nothing: {what()}");
            await Task.Delay(TimeSpan.FromMilliseconds(30), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }
}
