using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Usage;

/// <summary>The table <c>ledger</c>: append-only entries. Times are kept to the millisecond.</summary>
internal static class LedgerRows
{
    /// <summary>What <see cref="Read"/> reads.</summary>
    internal const string Columns = """
        tenant, attempt, request, project, key_id, at, operation, route, provider, requested_model, model, input, cache_read, cache_write_5m,
          cache_write_1h, output, reasoning, cost_nanos, price_version, estimated, outcome, error, latency_ms, first_token_ms, streamed, conversation,
          end_user, avoided_nanos, own_key, kind, held_nanos, number, template, decision, run
        """;

    // Any entry is an attempt's only one of its kind: the table refuses a second.
    internal const string InsertEntry = """
        INSERT INTO ledger (tenant, attempt, kind, held_nanos, cost_nanos, at, request, project, key_id, operation, route, provider, requested_model, model,
          input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, avoided_nanos, own_key, price_version, estimated, outcome, error, latency_ms,
          first_token_ms, streamed, conversation, end_user, template, decision, run)
        VALUES ($tenant, $attempt, $kind, $held, $cost, $at, $request, $project, $key, $operation, $route, $provider, $requestedModel, $model,
          $input, $cacheRead, $cacheWrite5m, $cacheWrite1h, $output, $reasoning, $avoided, $ownKey, $priceVersion, $estimated, $outcome, $error, $latency,
          $firstToken, $streamed, $conversation, $endUser, $template, $decision, $run)
        """;

    // A reservation is an attempt's first entry. Asked apart: a statement that reads the table it inserts into makes a copy of the row first.
    internal const string SelectAny = "SELECT 1 FROM ledger WHERE tenant = $tenant AND attempt = $attempt LIMIT 1";

    internal const string SelectEntry = $"""
        SELECT {Columns}
        FROM ledger WHERE tenant = $tenant AND number = $number
        """;

    internal const string SelectEntries = $"""
        SELECT {Columns}
        FROM ledger INDEXED BY ledger_by_tenant WHERE tenant = $tenant AND number > $after ORDER BY number LIMIT $limit
        """;

    // How an attempt ended, if it has: at most an expiry and its correction, or one of the other two.
    internal const string SelectEnds = "SELECT kind, number FROM ledger WHERE tenant = $tenant AND attempt = $attempt AND kind > 0";

    /// <returns>The entry's number.</returns>
    public static long Insert(Session session, LedgerEntryKind kind, LedgerRow row, Money held)
    {
        if (kind == LedgerEntryKind.Reserve && IsThere(session, row)) throw new InvalidOperationException($"Attempt {row.Attempt} is in the ledger already.");
        using var insert = session.Use(InsertEntry);
        insert
            .Set("$tenant", row.Tenant.Value)
            .Set("$attempt", row.Attempt.Value)
            .Set("$kind", (long)kind)
            .Set("$held", held.NanoDollars)
            .Set("$cost", row.Cost.NanoDollars)
            .Set("$at", row.At.ToUnixTimeMilliseconds())
            .Set("$request", row.Request.Value)
            .Set("$project", row.Project.Value)
            .Set("$key", row.Key.Value)
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
            .Set("$avoided", row.Avoided.NanoDollars)
            .Set("$ownKey", row.OwnKey)
            .Set("$priceVersion", row.PriceVersion)
            .Set("$estimated", row.Estimated)
            .Set("$outcome", (long)row.Outcome)
            .Set("$error", row.Error)
            .Set("$latency", row.LatencyMs)
            .Set("$firstToken", row.FirstTokenMs)
            .Set("$streamed", row.Streamed)
            .Set("$conversation", row.Conversation)
            .Set("$endUser", row.EndUser)
            .Set("$template", row.Template)
            .Set("$decision", row.Decision)
            .Set("$run", row.Run)
            .Run();
        return session.LastNumber;
    }

    private static bool IsThere(Session session, LedgerRow row)
    {
        using var any = session.Use(SelectAny);
        return any.Set("$tenant", row.Tenant.Value).Set("$attempt", row.Attempt.Value).Step();
    }

    public static LedgerRow Get(Session session, TenantId tenant, long number)
    {
        using var row = session.Use(SelectEntry);
        row.Set("$tenant", tenant.Value).Set("$number", number);
        return row.Step() ? Read(row) : throw new InvalidOperationException($"Entry {number} is missing in the ledger.");
    }

    public static IReadOnlyList<LedgerEntry> After(Session session, TenantId tenant, long after, int limit)
    {
        using var rows = session.Use(SelectEntries);
        rows.Set("$tenant", tenant.Value).Set("$after", after).Set("$limit", limit);
        var entries = new List<LedgerEntry>();
        while (rows.Step()) entries.Add(ReadEntry(rows));
        return entries;
    }

    /// <summary>The entries that ended the attempt, by their numbers.</summary>
    public static Dictionary<LedgerEntryKind, long> Ends(Session session, LedgerRow row)
    {
        using var rows = session.Use(SelectEnds);
        rows.Set("$tenant", row.Tenant.Value).Set("$attempt", row.Attempt.Value);
        var ends = new Dictionary<LedgerEntryKind, long>();
        while (rows.Step()) ends.Add((LedgerEntryKind)rows.Int(0), rows.Long(1));
        return ends;
    }

    public static LedgerEntry ReadEntry(Statement row)
    {
        var read = Read(row);
        return new LedgerEntry(row.Long(31), (LedgerEntryKind)row.Int(29), read, new Money(row.Long(30)), read.Cost);
    }

    public static LedgerRow Read(Statement row) => new()
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
        Avoided = new Money(row.Long(27)),
        OwnKey = row.Flag(28),
        Template = row.TextOrNull(32),
        Decision = row.TextOrNull(33),
        Run = row.TextOrNull(34),
    };
}
