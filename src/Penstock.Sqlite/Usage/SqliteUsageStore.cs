using System.Globalization;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Usage;

/// <summary>The ledger in SQLite. Times are kept to the millisecond, and a query's bounds are cut to it in the same way.</summary>
internal sealed class SqliteUsageStore(SqliteDatabase database) : IUsageStore
{
    private const string Columns =
        "tenant, attempt, request, project, key_id, at, operation, route, provider, requested_model, model, input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost_nanos, price_version, estimated, outcome, error, latency_ms, first_token_ms, streamed, conversation, end_user";

    private const string InsertRow = $"""
        INSERT INTO ledger ({Columns})
        VALUES ($tenant, $attempt, $request, $project, $key, $at, $operation, $route, $provider, $requestedModel, $model, $input, $cacheRead, $cacheWrite5m, $cacheWrite1h, $output, $reasoning, $cost, $priceVersion, $estimated, $outcome, $error, $latency, $firstToken, $streamed, $conversation, $endUser)
        ON CONFLICT (tenant, attempt) DO NOTHING
        """;

    private const string Matches = """
        tenant = $tenant AND at >= $from AND at < $to
          AND ($key IS NULL OR key_id = $key) AND ($project IS NULL OR project = $project)
          AND ($model IS NULL OR model = $model) AND ($provider IS NULL OR provider = $provider)
          AND ($endUser IS NULL OR end_user = $endUser) AND ($conversation IS NULL OR conversation = $conversation)
        """;

    // The numbers are UsageGrouping's; a day is counted from 1970-01-01, rounded down before it too. Outcomes 2, 3 and 4 are those
    // where the answer did not reach its end though the client was there: ProviderFailed, CutShort, Drained; 5 is Unknown.
    internal const string SumRows = $"""
        SELECT
          CASE $groupBy
            WHEN 1 THEN at / 86400000 - (at % 86400000 < 0)
            WHEN 2 THEN model
            WHEN 3 THEN provider
            WHEN 4 THEN key_id
            WHEN 5 THEN project
            WHEN 6 THEN coalesce(end_user, '')
            WHEN 7 THEN coalesce(conversation, '')
            ELSE ''
          END AS name,
          count(*), sum(outcome >= 2), sum(input), sum(cache_read), sum(cache_write_5m), sum(cache_write_1h), sum(output), sum(reasoning), sum(cost_nanos)
        FROM ledger INDEXED BY ledger_by_time
        WHERE {Matches}
        GROUP BY name
        ORDER BY name
        """;

    internal const string SelectRows = $"SELECT {Columns} FROM ledger INDEXED BY ledger_by_time WHERE {Matches} ORDER BY at DESC, rowid DESC LIMIT $limit";

    public Task AppendAsync(LedgerRow row, CancellationToken ct) => database.WriteAsync(session => Insert(session, row), ct);

    public Task<LogHistogram> ConversationCostsAsync(TenantId tenant, DateTimeOffset from, DateTimeOffset to, CancellationToken ct) => throw new NotSupportedException();

    public Task<int> DropAsync(DateTimeOffset before, CancellationToken ct) => throw new NotSupportedException();

    public Task<UsageReport> SumAsync(TenantId tenant, UsageQuery query, CancellationToken ct) => database.ReadAsync(
        session =>
        {
            using var row = session.Use(SumRows);
            Filter(row, tenant, query).Set("$groupBy", (long)query.GroupBy);
            var groups = new List<UsageGroup>();
            while (row.Step()) groups.Add(new UsageGroup(ReadName(row, query.GroupBy), ReadSum(row)));
            var total = groups.Aggregate(UsageSum.Nothing, (sum, group) => Add(sum, group.Sum));
            return new UsageReport(total, query.GroupBy == UsageGrouping.None ? [] : groups);
        },
        ct);

    public Task<IReadOnlyList<LedgerRow>> ListAsync(TenantId tenant, UsageQuery query, int limit, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(limit);
        return database.ReadAsync<IReadOnlyList<LedgerRow>>(
            session =>
            {
                using var row = session.Use(SelectRows);
                Filter(row, tenant, query).Set("$limit", limit);
                var rows = new List<LedgerRow>();
                while (row.Step()) rows.Add(Read(row));
                return rows;
            },
            ct);
    }

    /// <summary>The changes of one append, for an operation that books and settles in one transaction. False where the attempt was booked before.</summary>
    internal static bool Insert(Session session, LedgerRow row)
    {
        using var insert = session.Use(InsertRow);
        return insert
            .Set("$tenant", row.Tenant.Value)
            .Set("$attempt", row.Attempt.Value)
            .Set("$request", row.Request.Value)
            .Set("$project", row.Project.Value)
            .Set("$key", row.Key.Value)
            .Set("$at", row.At.ToUnixTimeMilliseconds())
            .Set("$operation", row.Operation)
            .Set("$route", row.Route)
            .Set("$provider", row.Provider)
            .Set("$requestedModel", row.RequestedModel)
            .Set("$model", row.Model)
            .Set("$input", row.Tokens.Input)
            .Set("$cacheRead", row.Tokens.CacheRead)
            .Set("$cacheWrite5m", row.Tokens.CacheWrite5m)
            .Set("$cacheWrite1h", row.Tokens.CacheWrite1h)
            .Set("$output", row.Tokens.Output)
            .Set("$reasoning", row.Tokens.Reasoning)
            .Set("$cost", row.Cost.NanoDollars)
            .Set("$priceVersion", row.PriceVersion)
            .Set("$estimated", row.Estimated)
            .Set("$outcome", (long)row.Outcome)
            .Set("$error", row.Error)
            .Set("$latency", row.LatencyMs)
            .Set("$firstToken", row.FirstTokenMs)
            .Set("$streamed", row.Streamed)
            .Set("$conversation", row.Conversation)
            .Set("$endUser", row.EndUser)
            .Run() > 0;
    }

    internal static Statement Filter(Statement statement, TenantId tenant, UsageQuery query) => statement
        .Set("$tenant", tenant.Value)
        .Set("$from", query.From.ToUnixTimeMilliseconds())
        .Set("$to", query.To.ToUnixTimeMilliseconds())
        .Set("$key", query.Key?.Value)
        .Set("$project", query.Project?.Value)
        .Set("$model", query.Model)
        .Set("$provider", query.Provider)
        .Set("$endUser", query.EndUser)
        .Set("$conversation", query.Conversation);

    private static string ReadName(Statement row, UsageGrouping grouping) => grouping == UsageGrouping.Day
        ? DateTimeOffset.UnixEpoch.AddDays(row.Long(0)).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
        : row.Text(0);

    private static UsageSum ReadSum(Statement row) => new(
        row.Long(1),
        row.Long(2),
        new TokenCounts(row.Long(3), row.Long(4), row.Long(5), row.Long(6), row.Long(7), row.Long(8)),
        new Money(row.Long(9)));

    private static UsageSum Add(UsageSum left, UsageSum right) => new(
        left.Attempts + right.Attempts,
        left.Failed + right.Failed,
        Add(left.Tokens, right.Tokens),
        left.Cost + right.Cost);

    private static TokenCounts Add(TokenCounts left, TokenCounts right) => checked(new TokenCounts(
        left.Input + right.Input,
        left.CacheRead + right.CacheRead,
        left.CacheWrite5m + right.CacheWrite5m,
        left.CacheWrite1h + right.CacheWrite1h,
        left.Output + right.Output,
        left.Reasoning + right.Reasoning));

    /// <summary>Reads <see cref="Columns"/>.</summary>
    private static LedgerRow Read(Statement row) => new()
    {
        Tenant = new TenantId(row.Text(0)),
        Attempt = new AttemptId(row.Text(1)),
        Request = new RequestId(row.Text(2)),
        Project = new ProjectId(row.Text(3)),
        Key = new KeyId(row.Text(4)),
        At = DateTimeOffset.FromUnixTimeMilliseconds(row.Long(5)),
        Operation = row.Text(6),
        Route = row.Text(7),
        Provider = row.Text(8),
        RequestedModel = row.Text(9),
        Model = row.Text(10),
        Tokens = new TokenCounts(row.Long(11), row.Long(12), row.Long(13), row.Long(14), row.Long(15), row.Long(16)),
        Cost = new Money(row.Long(17)),
        PriceVersion = row.Text(18),
        Estimated = row.Flag(19),
        Outcome = (AttemptOutcome)row.Int(20),
        Error = row.TextOrNull(21),
        LatencyMs = row.Int(22),
        FirstTokenMs = row.IntOrNull(23),
        Streamed = row.Flag(24),
        Conversation = row.TextOrNull(25),
        EndUser = row.TextOrNull(26),
    };
}
