using System.Collections.Concurrent;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite;

/// <summary>A few read-only connections, opened as they are needed. Each read sees one snapshot: all that was committed when it began.</summary>
internal sealed class ReadPool(string database) : IAsyncDisposable
{
    private const string Settings = "PRAGMA query_only = 1";
    private const string Begin = "BEGIN";
    private const string End = "COMMIT";

    private static readonly int Size = Math.Clamp(Environment.ProcessorCount, 2, 8);

    private readonly SemaphoreSlim _free = new(Size, Size);
    private readonly ConcurrentStack<Session> _sessions = new();
    private volatile bool _closed;

    /// <summary>Runs <paramref name="read"/> on a pool thread, because SQLite blocks and request threads must not; cancelling interrupts it.</summary>
    public async Task<T> RunAsync<T>(Func<Session, T> read, CancellationToken ct)
    {
        await _free.WaitAsync(ct);
        try
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(SqliteDatabase));
            return await Task.Run(() => Run(read, ct), ct);
        }
        finally
        {
            _free.Release();
        }
    }

    /// <summary>Waits for reads that run, then closes the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_closed) return;
        _closed = true;
        for (var i = 0; i < Size; i++) await _free.WaitAsync(CancellationToken.None);
        while (_sessions.TryPop(out var session)) session.Dispose();
        // Those still waiting for a connection are let through to be told that the store is closed.
        _free.Release(Size);
    }

    private T Run<T>(Func<Session, T> read, CancellationToken ct)
    {
        if (!_sessions.TryPop(out var session)) session = Open();
        try
        {
            return ReadSnapshot(session, read, ct);
        }
        catch (SqliteException e) when (e.PrimaryCode == Sqlite3.Interrupted && ct.IsCancellationRequested)
        {
            throw new OperationCanceledException(ct);
        }
        finally
        {
            _sessions.Push(session);
        }
    }

    private Session Open()
    {
        var session = Session.Open(database, readOnly: true);
        session.RunScript(Settings);
        return session;
    }

    private static T ReadSnapshot<T>(Session session, Func<Session, T> read, CancellationToken ct)
    {
        Execute(session, Begin);
        try
        {
            // Over before the snapshot ends: an interrupted COMMIT would leave it open.
            using (ct.Register(session.Interrupt)) return read(session);
        }
        finally
        {
            Execute(session, End);
        }
    }

    private static void Execute(Session session, string sql)
    {
        using var statement = session.Use(sql);
        statement.Run();
    }
}
