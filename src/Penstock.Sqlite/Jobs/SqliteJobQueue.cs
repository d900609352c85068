using System.Globalization;
using Penstock.Jobs;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Jobs;

/// <summary>Messages in SQLite. Each operation is one of the one writer. Whoever waits is woken by what is sent or given back here, and by what falls due.</summary>
internal sealed class SqliteJobQueue(SqliteDatabase database, TimeProvider time) : IJobQueue
{
    private const int MostReceived = 10;
    private const int MostListed = 100;
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(20);

    private const string Insert = "INSERT INTO job_queue (tenant, id, kind, due_at, received) VALUES ($tenant, $id, $kind, $due, 0)";

    /// <summary>A tenant that is new, or was away, is served next and not made up for.</summary>
    private const string InsertTurn = "INSERT INTO job_turns (tenant, served) VALUES ($tenant, 0) ON CONFLICT (tenant) DO NOTHING";

    internal const string SelectNext = """
        SELECT seq, q.tenant, id, kind, received FROM job_turns t JOIN job_queue q ON q.tenant = t.tenant
        WHERE q.seq = (SELECT seq FROM job_queue WHERE tenant = t.tenant AND due_at <= $now ORDER BY due_at, seq LIMIT 1)
        ORDER BY t.served LIMIT 1
        """;

    internal const string Hide = "UPDATE job_queue SET due_at = $due, received = received + 1 WHERE seq = $seq";

    internal const string TakeTurn = "UPDATE job_turns SET served = (SELECT MAX(served) + 1 FROM job_turns) WHERE tenant = $tenant";

    internal const string Prolong = "UPDATE job_queue SET due_at = $due WHERE seq = $seq AND received = $received";

    internal const string Delete = "DELETE FROM job_queue WHERE seq = $seq AND received = $received";

    internal const string SelectNextDue = "SELECT MIN((SELECT MIN(due_at) FROM job_queue WHERE tenant = t.tenant)) FROM job_turns t";

    private const string InsertDead = "INSERT INTO job_dead (tenant, id, kind, reason, received, at) VALUES ($tenant, $id, $kind, $reason, $received, $at)";

    internal const string SelectDead = "SELECT seq, tenant, id, kind, reason, received, at FROM job_dead WHERE seq > $after ORDER BY seq LIMIT $limit";

    internal const string DeleteDead = "DELETE FROM job_dead WHERE seq = $seq";

    private readonly Lock _lock = new();
    private TaskCompletionSource _news = NewSignal();

    public async Task SendAsync(JobMessage message, TimeSpan delay, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, IJobQueue.LongestDelay);
        await database.WriteAsync(
            session =>
            {
                Put(session, message, delay);
                return true;
            },
            ct);
        Tell();
    }

    public async Task<IReadOnlyList<ReceivedJob>> ReceiveAsync(int most, TimeSpan hidden, TimeSpan wait, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(most, Math.Clamp(most, 1, MostReceived));
        ArgumentOutOfRangeException.ThrowIfNotEqual(hidden.Ticks, Math.Clamp(hidden.Ticks, TimeSpan.TicksPerSecond, IJobQueue.LongestHidden.Ticks));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(wait, LongestWait);
        var since = time.GetTimestamp();
        while (true)
        {
            var news = News();
            // Nothing is written where nothing is due: many wait, and each write is one to the disk.
            if (await database.ReadAsync(session => IsDue(session), ct) && await database.WriteAsync(session => Take(session, most, hidden), ct) is { Count: > 0 } taken) return taken;
            if (wait - time.GetElapsedTime(since) is not { Ticks: > 0 } left) return [];
            await WaitAsync(news, left, ct);
        }
    }

    public async Task<bool> ExtendAsync(JobReceipt receipt, TimeSpan hidden, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(hidden.Ticks, Math.Clamp(hidden.Ticks, 0, IJobQueue.LongestHidden.Ticks));
        var extended = await database.WriteAsync(
            session =>
            {
                using var prolong = session.Use(Prolong);
                return Named(prolong.Set("$due", After(hidden)), receipt).Run() > 0;
            },
            ct);
        Tell();
        return extended;
    }

    public Task CompleteAsync(JobReceipt receipt, CancellationToken ct) => database.WriteAsync(session => Remove(session, receipt), ct);

    public Task BuryAsync(ReceivedJob job, string reason, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            // Another's by now: what becomes of it is theirs to say.
            if (!Remove(session, job.Receipt)) return false;
            using var insert = session.Use(InsertDead);
            Message(insert, job.Message).Set("$reason", reason).Set("$received", job.Attempt).Set("$at", After(TimeSpan.Zero)).Run();
            return true;
        },
        ct);

    public async Task<IReadOnlyList<DeadJob>> ListDeadAsync(int most, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(most, Math.Clamp(most, 1, MostListed));
        return [.. (await DeadAsync(0, most, ct)).Select(dead => dead.Letter)];
    }

    public async Task<int> RedriveAsync(int most, Func<JobMessage, CancellationToken, Task<bool>> readmit, CancellationToken ct)
    {
        var sent = 0;
        var after = 0L;
        while (sent < most && await DeadAsync(after, Math.Min(most - sent, MostListed), ct) is { Count: > 0 } letters)
        {
            foreach (var (seq, letter) in letters)
            {
                after = seq;
                var again = await readmit(letter.Message, ct);
                if (await database.WriteAsync(session => SendBack(session, seq, again ? letter.Message : null), ct) && again) sent++;
            }

            Tell();
        }

        return sent;
    }

    private void Put(Session session, JobMessage message, TimeSpan delay)
    {
        using (var insert = session.Use(Insert)) Message(insert, message).Set("$due", After(delay)).Run();
        using var turn = session.Use(InsertTurn);
        turn.Set("$tenant", message.Tenant).Run();
    }

    private bool IsDue(Session session)
    {
        using var next = session.Use(SelectNextDue);
        return next.Step() && next.LongOrNull(0) <= After(TimeSpan.Zero);
    }

    private List<ReceivedJob> Take(Session session, int most, TimeSpan hidden)
    {
        var taken = new List<ReceivedJob>();
        while (taken.Count < most && TakeNext(session, hidden) is { } job) taken.Add(job);
        return taken;
    }

    private ReceivedJob? TakeNext(Session session, TimeSpan hidden)
    {
        long seq;
        JobMessage message;
        int attempt;
        using (var next = session.Use(SelectNext))
        {
            if (!next.Set("$now", After(TimeSpan.Zero)).Step()) return null;
            (seq, message, attempt) = (next.Long(0), new JobMessage(next.Text(2), next.Text(1), next.Text(3)), next.Int(4) + 1);
        }

        using (var hide = session.Use(Hide)) hide.Set("$due", After(hidden)).Set("$seq", seq).Run();
        using (var turn = session.Use(TakeTurn)) turn.Set("$tenant", message.Tenant).Run();
        return new ReceivedJob(message, new JobReceipt(string.Create(CultureInfo.InvariantCulture, $"{seq}.{attempt}")), attempt);
    }

    /// <summary>False where another did so meanwhile.</summary>
    private bool SendBack(Session session, long seq, JobMessage? message)
    {
        using (var delete = session.Use(DeleteDead))
        {
            if (delete.Set("$seq", seq).Run() == 0) return false;
        }

        if (message is not null) Put(session, message, TimeSpan.Zero);
        return true;
    }

    private Task<List<(long Seq, DeadJob Letter)>> DeadAsync(long after, int most, CancellationToken ct) => database.ReadAsync(
        session =>
        {
            var letters = new List<(long, DeadJob)>();
            using var rows = session.Use(SelectDead);
            rows.Set("$after", after).Set("$limit", most);
            while (rows.Step())
                letters.Add((rows.Long(0), new DeadJob(new JobMessage(rows.Text(2), rows.Text(1), rows.Text(3)), rows.Text(4), rows.Int(5), DateTimeOffset.FromUnixTimeMilliseconds(rows.Long(6)))));
            return letters;
        },
        ct);

    /// <summary>Until something is sent or given back, falls due, or the time is over.</summary>
    private async Task WaitAsync(Task news, TimeSpan left, CancellationToken ct)
    {
        var due = await database.ReadAsync(
            session =>
            {
                using var next = session.Use(SelectNextDue);
                return next.Step() ? next.LongOrNull(0) : null;
            },
            ct);
        if (due is { } at) left = TimeSpan.FromTicks(Math.Clamp((DateTimeOffset.FromUnixTimeMilliseconds(at) - time.GetUtcNow()).Ticks, TimeSpan.TicksPerMillisecond, left.Ticks));
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        await Task.WhenAny(news, Task.Delay(left, time, over.Token));
        await over.CancelAsync();
        ct.ThrowIfCancellationRequested();
    }

    private static bool Remove(Session session, JobReceipt receipt)
    {
        using var delete = session.Use(Delete);
        return Named(delete, receipt).Run() > 0;
    }

    private static Statement Message(Statement statement, JobMessage message) => statement.Set("$tenant", message.Tenant).Set("$id", message.Id).Set("$kind", message.Kind);

    private static Statement Named(Statement statement, JobReceipt receipt)
    {
        var dot = receipt.Value.IndexOf('.', StringComparison.Ordinal);
        return statement.Set("$seq", long.Parse(receipt.Value.AsSpan(0, dot), CultureInfo.InvariantCulture)).Set("$received", long.Parse(receipt.Value.AsSpan(dot + 1), CultureInfo.InvariantCulture));
    }

    /// <summary>In Unix milliseconds.</summary>
    private long After(TimeSpan delay) => (time.GetUtcNow() + delay).ToUnixTimeMilliseconds();

    private Task News()
    {
        lock (_lock) return _news.Task;
    }

    private void Tell()
    {
        lock (_lock)
        {
            _news.TrySetResult();
            _news = NewSignal();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
