using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Agents;

/// <summary>Rows of <c>agent_runs</c>, and the statements that find them.</summary>
internal static class RunRows
{
    private const string Columns =
        "tenant, run, project, key_id, agent, version, hash, conversation, end_user, parent, path, limit_nanos, created_at, status, ended_at, error, waits_for, wake_at, epoch, owner, beat, next_seq, steps, crashes, cancel_requested";

    private const string InsertRun = $"""
        INSERT INTO agent_runs ({Columns}) VALUES ($tenant, $run, $project, $key, $agent, $version, $hash, $conversation, $user, $parent, $path, $limit, $created, $status, $ended, $error, $waits, $wake,
          $epoch, $owner, $beat, $next, $steps, $crashes, $cancel)
        ON CONFLICT DO NOTHING
        """;

    private const string SelectRun = $"SELECT {Columns} FROM agent_runs WHERE tenant = $tenant AND run = $run";

    private const string Page = """
          AND (created_at, run) < ($created, $after) AND ($project IS NULL OR project = $project) AND ($status IS NULL OR status = $status)
          AND ($agent IS NULL OR agent = $agent) AND ($key IS NULL OR key_id = $key)
        ORDER BY created_at DESC, run DESC LIMIT $limit
        """;

    internal const string SelectList = $"SELECT {Columns} FROM agent_runs INDEXED BY agent_runs_by_time WHERE tenant = $tenant {Page}";

    internal const string SelectOfProject = $"SELECT {Columns} FROM agent_runs INDEXED BY agent_runs_by_project WHERE tenant = $tenant AND project = $project {Page}";

    internal const string SelectOfStatus = $"SELECT {Columns} FROM agent_runs INDEXED BY agent_runs_by_status WHERE tenant = $tenant AND status = $status {Page}";

    internal const string SelectChildren =
        $"SELECT {Columns} FROM agent_runs INDEXED BY agent_runs_by_parent WHERE tenant = $tenant AND parent = $parent ORDER BY created_at, run";

    // Every tenant's: whoever works serves them all.
    internal const string SelectOpen = $"SELECT {Columns} FROM agent_runs INDEXED BY agent_runs_by_due WHERE wake_at <= $now ORDER BY wake_at, run LIMIT $limit";

    internal const string CountAhead = "SELECT count(*) FROM agent_runs INDEXED BY agent_runs_by_due WHERE wake_at <= $wake AND (wake_at, run) < ($wake, $run) AND status = 0";

    internal const string SelectEnded = "SELECT tenant, run FROM agent_runs INDEXED BY agent_runs_by_end WHERE ended_at < $before ORDER BY ended_at LIMIT 1";

    /// <summary>False where the id is taken.</summary>
    public static bool Insert(Session session, RunRecord run, int entries)
    {
        using var insert = session.Use(InsertRun);
        return insert
            .Set("$tenant", run.Tenant.Value).Set("$run", run.Id.Value).Set("$project", run.Project.Value).Set("$key", run.Key.Value)
            .Set("$agent", run.Agent).Set("$version", run.Version).Set("$hash", run.Hash).Set("$conversation", run.Conversation)
            .Set("$user", run.EndUser).Set("$parent", run.Parent?.Value).Set("$path", run.Path).Set("$limit", run.Limit.NanoDollars)
            .Set("$created", Milliseconds(run.CreatedAt)).Set("$status", (int)run.Status).Set("$ended", Milliseconds(run.EndedAt))
            .Set("$error", run.Error).Set("$waits", run.WaitsFor).Set("$wake", Milliseconds(run.WakeAt)).Set("$epoch", run.Epoch)
            .Set("$owner", run.Owner).Set("$beat", run.Beat).Set("$next", entries).Set("$steps", run.Steps).Set("$crashes", run.Crashes)
            .Set("$cancel", run.CancelRequested)
            .Run() > 0;
    }

    public static RunRecord? Find(Session session, TenantId tenant, RunId run)
    {
        using var row = session.Use(SelectRun);
        return Key(row, tenant, run).Step() ? Read(row) : null;
    }

    public static List<RunRecord> List(Session session, TenantId tenant, RunQuery query) => query switch
    {
        { Project: not null } => ListBy(session, SelectOfProject, tenant, query),
        { Status: not null } => ListBy(session, SelectOfStatus, tenant, query),
        _ => ListBy(session, SelectList, tenant, query),
    };

    public static List<RunRecord> Children(Session session, TenantId tenant, RunId parent)
    {
        using var rows = session.Use(SelectChildren);
        return ReadAll(rows.Set("$tenant", tenant.Value).Set("$parent", parent.Value));
    }

    public static List<RunRecord> Open(Session session, DateTimeOffset now, int limit)
    {
        using var rows = session.Use(SelectOpen);
        return ReadAll(rows.Set("$now", Milliseconds(now)).Set("$limit", limit));
    }

    public static int Ahead(Session session, RunRecord run)
    {
        if (run.WakeAt is not { } wake) return 0;
        using var row = session.Use(CountAhead);
        row.Set("$wake", Milliseconds(wake)).Set("$run", run.Id.Value).Step();
        return row.Int(0);
    }

    /// <summary>The one that ended first, of those that ended before.</summary>
    public static (TenantId Tenant, RunId Run)? FirstEnded(Session session, DateTimeOffset before)
    {
        using var row = session.Use(SelectEnded);
        return row.Set("$before", Milliseconds(before)).Step() ? (new TenantId(row.Text(0)), new RunId(row.Text(1))) : null;
    }

    public static Statement Key(Statement statement, TenantId tenant, RunId run) => statement.Set("$tenant", tenant.Value).Set("$run", run.Value);

    public static long Milliseconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    public static long? Milliseconds(DateTimeOffset? time) => time?.ToUnixTimeMilliseconds();

    public static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    private static List<RunRecord> ListBy(Session session, string sql, TenantId tenant, RunQuery query)
    {
        using var rows = session.Use(sql);
        rows.Set("$tenant", tenant.Value).Set("$created", query.After is { } after ? Milliseconds(after.CreatedAt) : long.MaxValue).Set("$after", query.After?.Run.Value ?? "");
        rows.Set("$project", query.Project?.Value).Set("$status", (int?)query.Status).Set("$agent", query.Agent).Set("$key", query.Key?.Value);
        return ReadAll(rows.Set("$limit", query.Limit));
    }

    private static List<RunRecord> ReadAll(Statement rows)
    {
        var found = new List<RunRecord>();
        while (rows.Step()) found.Add(Read(rows));
        return found;
    }

    private static RunRecord Read(Statement row) => new()
    {
        Tenant = new TenantId(row.Text(0)),
        Id = new RunId(row.Text(1)),
        Project = new ProjectId(row.Text(2)),
        Key = new KeyId(row.Text(3)),
        Agent = row.Text(4),
        Version = row.Text(5),
        Hash = row.Text(6),
        Conversation = row.TextOrNull(7),
        EndUser = row.TextOrNull(8),
        Parent = row.TextOrNull(9) is { } parent ? new RunId(parent) : null,
        Path = row.Text(10),
        Limit = new Money(row.Long(11)),
        CreatedAt = Time(row.Long(12)),
        Status = (RunStatus)row.Int(13),
        EndedAt = TimeOrNull(row, 14),
        Error = row.TextOrNull(15),
        WaitsFor = row.TextOrNull(16),
        WakeAt = TimeOrNull(row, 17),
        Epoch = row.Long(18),
        Owner = row.TextOrNull(19),
        Beat = row.Long(20),
        NextSeq = row.Long(21),
        Steps = row.Int(22),
        Crashes = row.Int(23),
        CancelRequested = row.Flag(24),
    };

    private static DateTimeOffset? TimeOrNull(Statement row, int column) => row.LongOrNull(column) is { } time ? Time(time) : null;
}
