using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Budgets;

/// <summary>The table <c>holds</c>: one row a running call.</summary>
internal static class HoldRows
{
    internal const string InsertHold = """
        INSERT INTO holds (tenant, attempt, granted_nanos, started_at, expires_at, request, project, key_id, operation, route, provider, requested_model, model, price_version, streamed, conversation, end_user)
        VALUES ($tenant, $attempt, $granted, $at, $expires, $request, $project, $key, $operation, $route, $provider, $requestedModel, $model, $priceVersion, $streamed, $conversation, $endUser)
        """;

    internal const string DeleteHold = "DELETE FROM holds WHERE tenant = $tenant AND attempt = $attempt";

    internal const string SelectHold = "SELECT granted_nanos FROM holds WHERE tenant = $tenant AND attempt = $attempt";

    // Every tenant's: the sweeper serves them all.
    internal const string SelectExpired = """
        SELECT tenant, attempt, granted_nanos, started_at, expires_at, request, project, key_id, operation, route, provider, requested_model, model, price_version, streamed, conversation, end_user
        FROM holds INDEXED BY holds_by_expiry WHERE expires_at <= $now ORDER BY expires_at LIMIT $limit
        """;

    public static void Insert(Session session, LedgerRow row, Money granted, DateTimeOffset at, DateTimeOffset expires)
    {
        using var insert = session.Use(InsertHold);
        Key(insert, row.Tenant, row.Attempt)
            .Set("$granted", granted.NanoDollars)
            .Set("$at", at.ToUnixTimeMilliseconds())
            .Set("$expires", expires.ToUnixTimeMilliseconds())
            .Set("$request", row.Request.Value)
            .Set("$project", row.Project.Value)
            .Set("$key", row.Key.Value)
            .Set("$operation", row.Operation)
            .Set("$route", row.Route)
            .Set("$provider", row.Provider)
            .Set("$requestedModel", row.RequestedModel)
            .Set("$model", row.Model)
            .Set("$priceVersion", row.PriceVersion)
            .Set("$streamed", row.Streamed)
            .Set("$conversation", row.Conversation)
            .Set("$endUser", row.EndUser)
            .Run();
    }

    public static bool Remove(Session session, TenantId tenant, AttemptId attempt)
    {
        using var delete = session.Use(DeleteHold);
        return Key(delete, tenant, attempt).Run() > 0;
    }

    public static Money? Find(Session session, TenantId tenant, AttemptId attempt)
    {
        using var row = session.Use(SelectHold);
        Key(row, tenant, attempt);
        return row.Step() ? new Money(row.Long(0)) : null;
    }

    /// <summary>Each as the row it is booked as: at what it held, its tokens unknown.</summary>
    public static List<LedgerRow> Expired(Session session, DateTimeOffset now, int limit)
    {
        using var rows = session.Use(SelectExpired);
        rows.Set("$now", now.ToUnixTimeMilliseconds()).Set("$limit", limit);
        var expired = new List<LedgerRow>();
        while (rows.Step()) expired.Add(Read(rows));
        return expired;
    }

    private static LedgerRow Read(Statement row) => new()
    {
        Tenant = new TenantId(row.Text(0)),
        Attempt = new AttemptId(row.Text(1)),
        Cost = new Money(row.Long(2)),
        At = DateTimeOffset.FromUnixTimeMilliseconds(row.Long(4)),
        LatencyMs = (int)Math.Min(int.MaxValue, row.Long(4) - row.Long(3)),
        Request = new RequestId(row.Text(5)),
        Project = new ProjectId(row.Text(6)),
        Key = new KeyId(row.Text(7)),
        Operation = row.Text(8),
        Route = row.Text(9),
        Provider = row.Text(10),
        RequestedModel = row.Text(11),
        Model = row.Text(12),
        PriceVersion = row.Text(13),
        Streamed = row.Flag(14),
        Conversation = row.TextOrNull(15),
        EndUser = row.TextOrNull(16),
        Tokens = default,
        Estimated = true,
        Outcome = AttemptOutcome.Unknown,
    };

    private static Statement Key(Statement statement, TenantId tenant, AttemptId attempt) => statement.Set("$tenant", tenant.Value).Set("$attempt", attempt.Value);
}
