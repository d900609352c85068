using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Usage;

/// <summary>Day by day: quarters of an hour against the entries, days against quarters, months against days.</summary>
internal static class RollupVerification
{
    internal const string SelectFirstAndLast = """
        SELECT min(first), max(last) FROM (
          SELECT min(at) AS first, max(at) AS last FROM ledger WHERE tenant = $tenant
          UNION ALL SELECT min(window_at), max(window_at) FROM rollups WHERE tenant = $tenant)
        """;

    internal const string SelectBooked = $"""
        SELECT {LedgerRows.Columns}
        FROM ledger INDEXED BY ledger_by_time WHERE tenant = $tenant AND at >= $from AND at < $to AND kind > 0
        """;

    internal const string SelectRollups = """
        SELECT r.facet, r.window_at, r.project, r.key_id, r.model, r.provider, r.end_user, attempts, failed, cache_hits,
          input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost_nanos, saved_nanos, own_key_attempts, own_key_nanos, latency, first_token, cost
        FROM rollups AS r LEFT JOIN rollup_spreads AS s ON s.tenant = $tenant AND s.facet = r.facet AND s.grain = r.grain AND s.window_at = r.window_at
          AND s.project = r.project AND s.key_id = r.key_id AND s.model = r.model AND s.provider = r.provider AND s.end_user = r.end_user
        WHERE r.tenant = $tenant AND r.facet IN (0, 1, 2) AND r.grain = $grain AND r.window_at >= $from AND r.window_at < $to
        """;

    public static void Run(Session session, TenantId tenant, long since, List<string> differences)
    {
        if (Bounds(session, tenant) is not { } bounds) return;
        var month = new Dictionary<RollupKey, Rollup>();
        for (var day = bounds.First; day <= bounds.Last; day += Tiles.DayMs)
        {
            var quarters = Rollups(session, tenant, Grain.Quarter, day, day + Tiles.DayMs);
            // Of a quarter that retention cut into, only what is left of it is known.
            var known = quarters.Where(rollup => rollup.Key.At >= since).ToDictionary();
            Compare(tenant, Entries(session, tenant, Math.Max(since, day), day + Tiles.DayMs, since), known, differences);

            var whole = RollupRows.Coarser(quarters, Grain.Day);
            Compare(tenant, whole, Rollups(session, tenant, Grain.Day, day, day + Tiles.DayMs), differences);

            foreach (var (key, rollup) in RollupRows.Coarser(whole, Grain.Month))
            {
                if (!month.TryGetValue(key, out var sum)) month.Add(key, sum = new Rollup());
                sum.Add(rollup);
            }

            var first = Tiles.Floor(day, Grain.Month);
            if (day < bounds.Last && Tiles.Floor(day + Tiles.DayMs, Grain.Month) == first) continue;
            Compare(tenant, month, Rollups(session, tenant, Grain.Month, first, day + Tiles.DayMs), differences);
            month.Clear();
        }
    }

    /// <summary>The first and the last day of which anything is known.</summary>
    private static (long First, long Last)? Bounds(Session session, TenantId tenant)
    {
        using var row = session.Use(SelectFirstAndLast);
        row.Set("$tenant", tenant.Value).Step();
        if (row.LongOrNull(0) is not { } first) return null;
        return (Tiles.Floor(first, Tiles.DayMs), Tiles.Floor(row.Long(1), Tiles.DayMs));
    }

    private static Dictionary<RollupKey, Rollup> Entries(Session session, TenantId tenant, long from, long to, long since)
    {
        var quarters = new Dictionary<RollupKey, Rollup>();
        using var rows = session.Use(SelectBooked);
        rows.Set("$tenant", tenant.Value).Set("$from", from).Set("$to", to);
        while (rows.Step())
        {
            var entry = LedgerRows.ReadEntry(rows);
            foreach (var key in RollupKey.Of(entry.Row))
            {
                if (key.At < since) continue;
                if (!quarters.TryGetValue(key, out var sum)) quarters.Add(key, sum = new Rollup());
                sum.Add(entry.Kind, entry.Row);
            }
        }

        return quarters;
    }

    private static Dictionary<RollupKey, Rollup> Rollups(Session session, TenantId tenant, Grain grain, long from, long to)
    {
        var rollups = new Dictionary<RollupKey, Rollup>();
        using var rows = session.Use(SelectRollups);
        rows.Set("$tenant", tenant.Value).Set("$grain", (long)grain).Set("$from", from).Set("$to", to);
        while (rows.Step())
        {
            var rollup = new Rollup();
            rollup.Add(ReadSum(rows));
            AddBuckets(rollup.Spread.Latency, rows, 20);
            AddBuckets(rollup.Spread.FirstToken, rows, 21);
            AddBuckets(rollup.Spread.Cost, rows, 22);
            rollups.Add(new RollupKey(tenant, (Facet)rows.Int(0), grain, rows.Long(1), rows.Text(2), rows.Text(3), rows.Text(4), rows.Text(5), rows.Text(6)), rollup);
        }

        return rollups;
    }

    private static UsageSum ReadSum(Statement row) => new(
        row.Long(7),
        row.Long(8),
        new TokenCounts(row.Long(10), row.Long(11), row.Long(12), row.Long(13), row.Long(14), row.Long(15)),
        new Money(row.Long(16)))
    {
        CacheHits = row.Long(9),
        Saved = new Money(row.Long(17)),
        OwnKeyAttempts = row.Long(18),
        OwnKeyCost = new Money(row.Long(19)),
    };

    private static void AddBuckets(LogHistogram histogram, Statement row, int column)
    {
        var counts = BucketBytes.NewCounts();
        BucketBytes.AddTo(counts, row.Bytes(column));
        BucketBytes.AddTo(histogram, counts);
    }

    private static void Compare(TenantId tenant, Dictionary<RollupKey, Rollup> truth, Dictionary<RollupKey, Rollup> kept, List<string> differences)
    {
        foreach (var key in truth.Keys.Union(kept.Keys))
        {
            var (right, found) = (truth.GetValueOrDefault(key) ?? new Rollup(), kept.GetValueOrDefault(key) ?? new Rollup());
            if (right.SameAs(found)) continue;
            differences.Add($"Tenant '{tenant}', {key.Facet} {key.Grain} of {DateTimeOffset.FromUnixTimeMilliseconds(key.At):u} [{key.Project} {key.Key} {key.Model} {key.Provider} {key.EndUser}]: {right.Sum.Attempts} attempts of {right.Sum.Cost} and their spread are summed as {found.Sum.Attempts} of {found.Sum.Cost}.");
        }
    }
}
