using Penstock.Sqlite.Native;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed class WriteQueueTests : IAsyncLifetime
{
    private const string Insert = "INSERT INTO numbers (n) VALUES ($n)";
    private const string SelectAll = "SELECT n FROM numbers ORDER BY n";

    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase _database = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = _folder.Open();
        await _database.WriteAsync(
            session =>
            {
                session.RunScript("CREATE TABLE numbers (n INTEGER PRIMARY KEY)");
                return true;
            },
            Ct);
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Writes_that_wait_together_are_committed_together()
    {
        var before = _database.Commits;
        using var writer = await HoldWriterAsync();
        var waiting = Enumerable.Range(0, 500).Select(i => AddAsync(i)).ToList();

        writer.Release();
        await Task.WhenAll(waiting);

        // The one that held the writer, and all the others.
        Assert.Equal(2, _database.Commits - before);
        Assert.Equal(500, (await NumbersAsync()).Count);
    }

    [Fact]
    public async Task A_write_completes_only_after_its_commit()
    {
        using var writer = await HoldWriterAsync();
        var waiting = AddAsync(1);
        writer.Release();
        await waiting;

        Assert.Equal([1], await NumbersAsync());
    }

    [Fact]
    public async Task An_operation_that_fails_is_undone_alone_and_fails_its_own_caller_alone()
    {
        using var writer = await HoldWriterAsync();
        var good = AddAsync(1);
        var thrown = _database.WriteAsync<bool>(
            session =>
            {
                Run(session, 2);
                throw new InvalidDataException("mine");
            },
            Ct);
        var duplicate = AddAsync(1);
        var later = AddAsync(3);
        writer.Release();

        await good;
        Assert.Equal("mine", (await Assert.ThrowsAsync<InvalidDataException>(() => thrown)).Message);
        Assert.Contains("UNIQUE", (await Assert.ThrowsAsync<SqliteException>(() => duplicate)).Message, StringComparison.Ordinal);
        await later;
        Assert.Equal([1, 3], await NumbersAsync());
    }

    [Fact]
    public async Task An_operation_that_ends_the_shared_transaction_fails_the_group_and_the_writer_goes_on()
    {
        using var writer = await HoldWriterAsync();
        var first = AddAsync(1);
        var vandal = _database.WriteAsync(
            session =>
            {
                session.RunScript("ROLLBACK");
                return true;
            },
            Ct);
        var last = AddAsync(2);
        writer.Release();

        await Assert.ThrowsAsync<InvalidOperationException>(() => first);
        await Assert.ThrowsAsync<InvalidOperationException>(() => vandal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => last);
        Assert.Empty(await NumbersAsync());
        await AddAsync(3);
        Assert.Equal([3], await NumbersAsync());
    }

    [Fact]
    public async Task A_full_disk_is_told_to_callers_and_the_writer_goes_on_once_there_is_room()
    {
        await AddAsync(1);
        await LimitPagesAsync(1);
        var refused = _database.WriteAsync(
            session =>
            {
                for (var i = 1_000; i < 100_000; i++) Run(session, i);
                return true;
            },
            Ct);
        Assert.Contains("full", (await Assert.ThrowsAsync<SqliteException>(() => refused)).Message, StringComparison.Ordinal);

        await LimitPagesAsync(1_000_000);
        await AddAsync(2);
        Assert.Equal([1, 2], await NumbersAsync());
    }

    [Fact]
    public async Task A_full_queue_makes_callers_wait_and_a_waiting_caller_can_leave()
    {
        using var writer = await HoldWriterAsync();
        var accepted = Enumerable.Range(0, WriteQueue.Capacity).Select(i => AddAsync(i)).ToList();
        using var leaving = new CancellationTokenSource();
        var leaves = _database.WriteAsync(session => Run(session, 9_998), leaving.Token);
        var stays = AddAsync(9_999);

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaves);
        writer.Release();
        await Task.WhenAll([.. accepted, stays]);

        Assert.Equal(Enumerable.Range(0, WriteQueue.Capacity).Append(9_999), await NumbersAsync());
    }

    [Fact]
    public async Task A_write_that_was_accepted_is_carried_out_though_its_caller_cancels()
    {
        using var writer = await HoldWriterAsync();
        using var cancelled = new CancellationTokenSource();
        var accepted = _database.WriteAsync(session => Run(session, 1), cancelled.Token);

        await cancelled.CancelAsync();
        writer.Release();

        Assert.Equal(1, await accepted);
        Assert.Equal([1], await NumbersAsync());
    }

    [Fact]
    public async Task Closing_carries_out_what_was_accepted_and_refuses_what_comes_after()
    {
        using var writer = await HoldWriterAsync();
        var accepted = Enumerable.Range(0, 100).Select(i => AddAsync(i)).ToList();
        var closing = _database.DisposeAsync().AsTask();
        writer.Release();
        await closing;

        await Task.WhenAll(accepted);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => AddAsync(1_000));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => NumbersAsync());
        Assert.False(File.Exists(_database.File + "-wal"), "The log was not folded into the database.");

        await _database.DisposeAsync();
        _database = _folder.Open();
        Assert.Equal(Enumerable.Range(0, 100), await NumbersAsync());
    }

    [Fact]
    public async Task A_read_sees_one_snapshot_and_cannot_write()
    {
        var counts = await _database.ReadAsync(
            session =>
            {
                var before = Count(session);
                AddAsync(1).GetAwaiter().GetResult();
                return (before, Count(session));
            },
            Ct);

        Assert.Equal((0, 0), counts);
        Assert.Equal([1], await NumbersAsync());
        await Assert.ThrowsAsync<SqliteException>(() => _database.ReadAsync(session => Run(session, 2), Ct));
        Assert.Equal([1], await NumbersAsync());
    }

    [Fact(Timeout = 60_000)]
    public async Task A_cancelled_read_is_interrupted_and_its_connection_stays_good()
    {
        const string endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
        for (var i = 0; i < 10; i++)
        {
            using var cancelled = new CancellationTokenSource();
            var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var read = _database.ReadAsync(
                session =>
                {
                    using var row = session.Use(endless);
                    while (row.Step()) started.TrySetResult();
                    return true;
                },
                cancelled.Token);
            await started.Task;
            await cancelled.CancelAsync();

            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
            Assert.Empty(await NumbersAsync());
        }
    }

    [Fact]
    public async Task A_forgotten_or_unknown_parameter_is_an_error()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(() => _database.WriteAsync(
            session =>
            {
                using var insert = session.Use(Insert);
                return insert.Run();
            },
            Ct));
        await Assert.ThrowsAsync<ArgumentException>(() => _database.WriteAsync(
            session =>
            {
                using var insert = session.Use(Insert);
                return insert.Set("$n", 1).Set("$m", 2).Run();
            },
            Ct));
        Assert.Empty(await NumbersAsync());
    }

    /// <summary>SQLite raises a limit below the present size to that size.</summary>
    private Task<bool> LimitPagesAsync(int pages) => _database.WriteAsync(
        session =>
        {
            session.RunScript($"PRAGMA max_page_count = {pages}");
            return true;
        },
        Ct);

    private Task<HeldWriter> HoldWriterAsync() => HeldWriter.HoldAsync(_database, Ct);

    private Task<int> AddAsync(int n) => _database.WriteAsync(session => Run(session, n), Ct);

    private Task<List<int>> NumbersAsync() => _database.ReadAsync(
        session =>
        {
            using var row = session.Use(SelectAll);
            var numbers = new List<int>();
            while (row.Step()) numbers.Add(row.Int(0));
            return numbers;
        },
        Ct);

    private static int Run(Session session, int n)
    {
        using var insert = session.Use(Insert);
        return insert.Set("$n", n).Run();
    }

    private static int Count(Session session)
    {
        using var row = session.Use("SELECT count(*) FROM numbers");
        row.Step();
        return row.Int(0);
    }
}
