using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Budgets;

/// <summary>The table <c>holds</c>: one row a running call, which points at its reservation in the ledger.</summary>
internal static class HoldRows
{
    internal const string InsertHold = "INSERT INTO holds (tenant, attempt, granted_nanos, expires_at, number) VALUES ($tenant, $attempt, $granted, $expires, $number)";

    // Two statements: RETURNING would make a table for its one row.
    internal const string SelectHold = "SELECT granted_nanos, number, expires_at FROM holds WHERE tenant = $tenant AND attempt = $attempt";

    internal const string DeleteHold = "DELETE FROM holds WHERE tenant = $tenant AND attempt = $attempt";

    // Every tenant's: the sweeper serves them all.
    internal const string SelectExpired = "SELECT tenant, attempt FROM holds INDEXED BY holds_by_expiry WHERE expires_at <= $now ORDER BY expires_at LIMIT $limit";

    public static void Insert(Session session, LedgerRow row, Money granted, DateTimeOffset expires, long number)
    {
        using var insert = session.Use(InsertHold);
        insert.Set("$tenant", row.Tenant.Value)
            .Set("$attempt", row.Attempt.Value)
            .Set("$granted", granted.NanoDollars)
            .Set("$expires", expires.ToUnixTimeMilliseconds())
            .Set("$number", number)
            .Run();
    }

    /// <summary>Ends the attempt's hold; null where it has none.</summary>
    public static EndedHold? Take(Session session, TenantId tenant, AttemptId attempt)
    {
        EndedHold ended;
        using (var row = session.Use(SelectHold))
        {
            if (!row.Set("$tenant", tenant.Value).Set("$attempt", attempt.Value).Step()) return null;
            ended = new EndedHold(new Money(row.Long(0)), row.Long(1), row.Long(2));
        }

        using var delete = session.Use(DeleteHold);
        delete.Set("$tenant", tenant.Value).Set("$attempt", attempt.Value).Run();
        return ended;
    }

    public static List<(TenantId Tenant, AttemptId Attempt)> Expired(Session session, DateTimeOffset now, int limit)
    {
        using var rows = session.Use(SelectExpired);
        rows.Set("$now", now.ToUnixTimeMilliseconds()).Set("$limit", limit);
        var expired = new List<(TenantId, AttemptId)>();
        while (rows.Step()) expired.Add((new TenantId(rows.Text(0)), new AttemptId(rows.Text(1))));
        return expired;
    }
}

/// <param name="Number">Of its reservation in the ledger.</param>
/// <param name="ExpiresAt">Unix milliseconds.</param>
internal sealed record EndedHold(Money Granted, long Number, long ExpiresAt)
{
    /// <summary>The attempt of which nobody knows: at what it held, its counts unknown.</summary>
    public LedgerRow Expired(LedgerRow reserved) => reserved with
    {
        Cost = Granted,
        LatencyMs = (int)Math.Min(int.MaxValue, ExpiresAt - reserved.At.ToUnixTimeMilliseconds()),
        Tokens = default,
        Estimated = true,
        Outcome = AttemptOutcome.Unknown,
    };
}
