using System.Collections.Concurrent;
using System.Threading.Channels;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite;

/// <summary>What a group of operations gathers in memory, to be written once for all of them. It is the writer's alone.</summary>
internal interface IGathered
{
    /// <summary>Writes what was gathered, as the last part of the group's transaction. What it throws undoes the group.</summary>
    void Flush(Session session);

    /// <summary>The group was undone: what was gathered, and what was remembered of the database, is not so.</summary>
    void Discard();
}

/// <summary>
/// The one writer. Operations wait in a bounded queue; its thread takes all that wait, up to a bound, runs each in a savepoint of its own,
/// commits them with one sync to the disk, and only then tells their callers. An operation that throws is undone alone.
/// </summary>
internal sealed class WriteQueue : IAsyncDisposable
{
    /// <summary>Operations that may wait; the next caller waits for room.</summary>
    public const int Capacity = 4_096;

    /// <summary>Most operations in one transaction: bounds how long the first of them waits for the last.</summary>
    private const int LargestGroup = 1_024;

    /// <summary>How often the writer lets others run before it commits fewer operations than the last time.</summary>
    private const int Patience = 8;

    private const string Begin = "BEGIN IMMEDIATE";
    private const string Commit = "COMMIT";
    private const string Rollback = "ROLLBACK";
    private const string Mark = "SAVEPOINT operation";
    private const string Keep = "RELEASE operation";
    private const string Undo = "ROLLBACK TO operation";

    private readonly Session _session;
    private readonly IGathered _gathered;
    private readonly Thread _thread;
    private readonly List<Waiting> _group = new(LargestGroup);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly Channel<Waiting> _waiting = Channel.CreateBounded<Waiting>(
        // Whoever adds wakes the writer itself, not by way of a pool thread; what the writer wakes only goes on to wait for its outcome.
        new BoundedChannelOptions(Capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait, AllowSynchronousContinuations = true });

    /// <summary>What nobody waits for.</summary>
    private readonly ConcurrentQueue<Waiting> _later = new();

    private long _commits;

    public WriteQueue(Session session, IGathered gathered)
    {
        (_session, _gathered) = (session, gathered);
        _thread = new Thread(Work) { IsBackground = true, Name = "penstock.db writer" };
        _thread.Start();
    }

    /// <summary>Transactions committed so far.</summary>
    public long Commits => Interlocked.Read(ref _commits);

    /// <summary>
    /// Completes once the operation is on disk. <paramref name="ct"/> ends the wait for room in the queue; an operation that was accepted is carried out.
    /// </summary>
    public async Task<T> AddAsync<T>(Func<Session, T> operation, CancellationToken ct)
    {
        var waiting = new Waiting<T>(operation);
        try
        {
            await _waiting.Writer.WriteAsync(waiting, ct);
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(SqliteDatabase), "The store is closed; the write was not accepted.");
        }

        return await waiting.Outcome;
    }

    /// <summary>Runs with the next group, or when the queue is closed. <paramref name="done"/> runs on the writer, whatever the outcome.</summary>
    public void AddLater(Action<Session> operation, Action done) => _later.Enqueue(new Later(operation, done));

    /// <summary>Carries out what was accepted, then closes the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _ended.Task;
    }

    private void Work()
    {
        var queue = _waiting.Reader;
        var previous = 0;
        // Blocking is what this thread is for.
        while (queue.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            // Callers that were just answered are coming back with their next write. Without this the first of them would get a commit of its own:
            // measured with 16 callers, twice as many commits for the same rows.
            for (var i = 0; i < Patience && queue.Count < previous; i++) Thread.Yield();
            while (_group.Count < LargestGroup && queue.TryRead(out var next)) _group.Add(next);
            previous = _group.Count;
            AddLaterOnes();
            CommitGroup();
            _group.Clear();
        }

        AddLaterOnes();
        if (_group.Count > 0) CommitGroup();
        _session.Dispose();
        _ended.SetResult();
    }

    /// <summary>Before the others of the group: an operation that waits for them finds them done.</summary>
    private void AddLaterOnes()
    {
        while (_later.TryDequeue(out var later)) _group.Insert(0, later);
    }

    private void CommitGroup()
    {
        try
        {
            Run(Begin);
            foreach (var waiting in _group) RunOne(waiting);
            _gathered.Flush(_session);
            Run(Commit);
            Interlocked.Increment(ref _commits);
            foreach (var waiting in _group) waiting.Complete();
        }
        catch (Exception e)
        {
            // The disk is full, or the group's transaction was ended under it. Nothing of the group is on disk, and every caller is told so.
            if (_session.InTransaction) TryRollback();
            _gathered.Discard();
            foreach (var waiting in _group) waiting.Fail(e);
        }
    }

    private void RunOne(Waiting waiting)
    {
        Run(Mark);
        try
        {
            waiting.Run(_session);
        }
        catch (Exception e) when (_session.InTransaction)
        {
            Run(Undo);
            waiting.Fail(e);
        }

        if (!_session.InTransaction) throw new InvalidOperationException("A write operation ended the transaction that it shares with others.");
        Run(Keep);
    }

    private void TryRollback()
    {
        try
        {
            Run(Rollback);
        }
        catch (SqliteException)
        {
            // The next BEGIN would report it; the error that led here is the one to tell.
        }
    }

    private void Run(string sql)
    {
        using var statement = _session.Use(sql);
        statement.Run();
    }

    private abstract class Waiting
    {
        public abstract void Run(Session session);

        public abstract void Complete();

        public abstract void Fail(Exception error);
    }

    private sealed class Later(Action<Session> operation, Action done) : Waiting
    {
        private Action? _done = done;

        public override void Run(Session session) => operation(session);

        public override void Complete() => Interlocked.Exchange(ref _done, null)?.Invoke();

        public override void Fail(Exception error) => Complete();
    }

    private sealed class Waiting<T>(Func<Session, T> operation) : Waiting
    {
        private readonly TaskCompletionSource<T> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T? _result;

        public Task<T> Outcome => _outcome.Task;

        public override void Run(Session session) => _result = operation(session);

        // Does nothing where the operation failed alone.
        public override void Complete() => _outcome.TrySetResult(_result!);

        public override void Fail(Exception error) => _outcome.TrySetException(error);
    }
}
