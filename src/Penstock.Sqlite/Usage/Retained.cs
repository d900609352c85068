using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Usage;

/// <summary>The table <c>retention</c>, and what it says is gone.</summary>
internal static class Retained
{
    /// <summary>Entries dropped at once; calls wait for the writer meanwhile.</summary>
    private const int Most = 2_000;

    // Every tenant's: retention serves them all.
    internal const string SelectNextTenant = "SELECT tenant FROM ledger INDEXED BY ledger_by_time WHERE tenant > $after ORDER BY tenant LIMIT 1";

    internal const string DropEntries = """
        DELETE FROM ledger WHERE tenant = $tenant AND number IN (
          SELECT number FROM ledger INDEXED BY ledger_by_time WHERE tenant = $tenant AND at < $before
            AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.tenant = $tenant AND holds.attempt = ledger.attempt)
          ORDER BY at LIMIT $limit)
        """;

    internal const string PutBefore = """
        INSERT INTO retention (tenant, before_at) VALUES ($tenant, $before)
        ON CONFLICT (tenant) DO UPDATE SET before_at = max(before_at, excluded.before_at)
        """;

    internal const string SelectBefore = "SELECT before_at FROM retention WHERE tenant = $tenant";

    public static int Drop(Session session, DateTimeOffset before)
    {
        var dropped = 0;
        for (var tenant = NextTenant(session, ""); tenant is not null && dropped < Most; tenant = NextTenant(session, tenant))
        {
            using var drop = session.Use(DropEntries);
            var count = drop.Set("$tenant", tenant).Set("$before", before.ToUnixTimeMilliseconds()).Set("$limit", Most - dropped).Run();
            if (count == 0) continue;
            using var put = session.Use(PutBefore);
            put.Set("$tenant", tenant).Set("$before", before.ToUnixTimeMilliseconds()).Run();
            dropped += count;
        }

        return dropped;
    }

    /// <summary>From when on all of the tenant's entries are there.</summary>
    public static long Before(Session session, TenantId tenant)
    {
        using var row = session.Use(SelectBefore);
        row.Set("$tenant", tenant.Value);
        return row.Step() ? row.Long(0) : long.MinValue;
    }

    private static string? NextTenant(Session session, string after)
    {
        using var row = session.Use(SelectNextTenant);
        row.Set("$after", after);
        return row.Step() ? row.Text(0) : null;
    }
}
