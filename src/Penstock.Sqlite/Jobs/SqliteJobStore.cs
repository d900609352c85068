using Penstock.Jobs;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Jobs;

/// <summary>Jobs in SQLite, each in one row. Each change is one operation of the one writer.</summary>
internal sealed class SqliteJobStore(SqliteDatabase database) : IJobStore
{
    private const int DroppedAtOnce = 200;

    private const string Head = """
        tenant, id, version, key_id, project, authority, path, webhook, hook, state, attempts, created_at, updated_at, owner, lease_until, ended_at, keep_ms,
        keep_until, status, content_type, error_code, error, cost_nanos
        """;

    private const string Insert = $"""
        INSERT INTO jobs ({Head}, request) VALUES ($tenant, $id, $version, $key, $project, $authority, $path, $webhook, $hook, $state, $attempts, $created, $updated, $owner, $lease,
        $ended, $keep, $until, $status, $type, $code, $error, $cost, $request) ON CONFLICT (tenant, id) DO NOTHING
        """;

    private const string Select = $"SELECT {Head} FROM jobs WHERE tenant = $tenant AND id = $id";

    private const string SelectRequest = "SELECT request FROM jobs WHERE tenant = $tenant AND id = $id";

    private const string SelectResult = "SELECT result FROM jobs WHERE tenant = $tenant AND id = $id";

    private const string Update = """
        UPDATE jobs SET version = version + 1, hook = $hook, state = $state, attempts = $attempts, updated_at = $updated, owner = $owner, lease_until = $lease, ended_at = $ended,
        keep_until = $until, status = $status, content_type = $type, error_code = $code, error = $error, cost_nanos = $cost, result = coalesce($result, result)
        WHERE tenant = $tenant AND id = $id AND version = $version
        """;

    private const string SelectPage = $"""
        SELECT {Head} FROM jobs WHERE tenant = $tenant AND (created_at, id) < ($created, $id) AND ($project IS NULL OR project = $project) AND ($state IS NULL OR state = $state)
        ORDER BY created_at DESC, id DESC LIMIT $limit
        """;

    internal const string SelectStale = $"SELECT {Head} FROM jobs WHERE (state < 2 OR hook = 1) AND updated_at < $before ORDER BY updated_at LIMIT $limit";

    internal const string DeletePast = "DELETE FROM jobs WHERE rowid IN (SELECT rowid FROM jobs WHERE keep_until <= $now LIMIT $limit)";

    public Task<bool> AddAsync(JobRecord job, ReadOnlyMemory<byte> request, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var insert = session.Use(Insert);
            Set(Named(insert, job.Tenant, job.Id), job)
                .Set("$version", job.Version).Set("$key", job.Key.Value).Set("$project", job.Project.Value).Set("$authority", job.Authority).Set("$path", job.Path)
                .Set("$webhook", job.Webhook).Set("$created", job.CreatedAt.ToUnixTimeMilliseconds()).Set("$keep", (long)job.Keep.TotalMilliseconds).Set("$request", request);
            return insert.Run() > 0;
        },
        ct);

    public Task<JobRecord?> GetAsync(TenantId tenant, JobId id, CancellationToken ct) => database.ReadAsync(
        session =>
        {
            using var row = session.Use(Select);
            return Named(row, tenant, id).Step() ? Read(row) : null;
        },
        ct);

    public Task<ReadOnlyMemory<byte>?> RequestAsync(TenantId tenant, JobId id, CancellationToken ct) => database.ReadAsync(
        session =>
        {
            using var row = session.Use(SelectRequest);
            return Bytes(Named(row, tenant, id));
        },
        ct);

    public Task<ReadOnlyMemory<byte>?> ResultAsync(TenantId tenant, JobId id, CancellationToken ct) => database.ReadAsync(
        session =>
        {
            using var row = session.Use(SelectResult);
            return Bytes(Named(row, tenant, id));
        },
        ct);

    public Task<bool> ChangeAsync(JobRecord job, ReadOnlyMemory<byte>? result, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var update = session.Use(Update);
            return Set(Named(update, job.Tenant, job.Id), job).Set("$version", job.Version).Set("$result", result).Run() > 0;
        },
        ct);

    public Task<IReadOnlyList<JobRecord>> ListAsync(TenantId tenant, JobQuery query, CancellationToken ct) => database.ReadAsync<IReadOnlyList<JobRecord>>(
        session =>
        {
            using var rows = session.Use(SelectPage);
            rows.Set("$tenant", tenant.Value).Set("$created", query.After?.CreatedAt.ToUnixTimeMilliseconds() ?? long.MaxValue).Set("$id", query.After?.Id.Value ?? "")
                .Set("$project", query.Project?.Value).Set("$state", (long?)query.State).Set("$limit", query.Limit);
            return ReadAll(rows);
        },
        ct);

    public Task<IReadOnlyList<JobRecord>> StaleAsync(DateTimeOffset before, int limit, CancellationToken ct) => database.ReadAsync<IReadOnlyList<JobRecord>>(
        session =>
        {
            using var rows = session.Use(SelectStale);
            return ReadAll(rows.Set("$before", before.ToUnixTimeMilliseconds()).Set("$limit", limit));
        },
        ct);

    public Task<int> DropAsync(DateTimeOffset now, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var delete = session.Use(DeletePast);
            return delete.Set("$now", now.ToUnixTimeMilliseconds()).Set("$limit", DroppedAtOnce).Run();
        },
        ct);

    private static ReadOnlyMemory<byte>? Bytes(Statement row)
    {
        // Not a conditional: a null array would turn into empty memory, which is a value.
        if (!row.Step()) return null;
        return row.BlobOrNull(0);
    }

    private static Statement Named(Statement statement, TenantId tenant, JobId id) => statement.Set("$tenant", tenant.Value).Set("$id", id.Value);

    /// <summary>What changes.</summary>
    private static Statement Set(Statement statement, JobRecord job) => statement
        .Set("$hook", (long)job.Hook).Set("$state", (long)job.State).Set("$attempts", job.Attempts).Set("$updated", job.UpdatedAt.ToUnixTimeMilliseconds()).Set("$owner", job.Owner)
        .Set("$lease", job.LeaseUntil?.ToUnixTimeMilliseconds()).Set("$ended", job.EndedAt?.ToUnixTimeMilliseconds()).Set("$until", job.KeepUntil?.ToUnixTimeMilliseconds())
        .Set("$status", (long?)job.Status).Set("$type", job.ContentType).Set("$code", job.ErrorCode).Set("$error", job.Error).Set("$cost", job.Cost.NanoDollars);

    private static List<JobRecord> ReadAll(Statement rows)
    {
        var jobs = new List<JobRecord>();
        while (rows.Step()) jobs.Add(Read(rows));
        return jobs;
    }

    private static JobRecord Read(Statement row) => new()
    {
        Tenant = new TenantId(row.Text(0)),
        Id = new JobId(row.Text(1)),
        Version = row.Long(2),
        Key = new KeyId(row.Text(3)),
        Project = new ProjectId(row.Text(4)),
        Authority = row.TextOrNull(5),
        Path = row.Text(6),
        Webhook = row.TextOrNull(7),
        Hook = (JobHook)row.Int(8),
        State = (JobState)row.Int(9),
        Attempts = row.Int(10),
        CreatedAt = At(row.Long(11)),
        UpdatedAt = At(row.Long(12)),
        Owner = row.TextOrNull(13),
        LeaseUntil = AtOrNull(row.LongOrNull(14)),
        EndedAt = AtOrNull(row.LongOrNull(15)),
        Keep = TimeSpan.FromMilliseconds(row.Long(16)),
        KeepUntil = AtOrNull(row.LongOrNull(17)),
        Status = row.IntOrNull(18),
        ContentType = row.TextOrNull(19),
        ErrorCode = row.TextOrNull(20),
        Error = row.TextOrNull(21),
        Cost = new Money(row.Long(22)),
    };

    private static DateTimeOffset At(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    private static DateTimeOffset? AtOrNull(long? milliseconds) => milliseconds is { } at ? At(at) : null;
}
