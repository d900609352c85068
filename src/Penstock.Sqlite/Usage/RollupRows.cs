using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Usage;

/// <summary>The tables <c>rollups</c> and <c>rollup_spreads</c>.</summary>
internal static class RollupRows
{
    internal const string AddSum = """
        INSERT INTO rollups (tenant, facet, grain, window_at, project, key_id, model, provider, end_user, attempts, failed, cache_hits,
          input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost_nanos, saved_nanos, own_key_attempts, own_key_nanos)
        VALUES ($tenant, $facet, $grain, $at, $project, $key, $model, $provider, $endUser, $attempts, $failed, $cacheHits,
          $input, $cacheRead, $cacheWrite5m, $cacheWrite1h, $output, $reasoning, $cost, $saved, $ownKeyAttempts, $ownKeyCost)
        ON CONFLICT (tenant, facet, grain, window_at, project, key_id, model, provider, end_user) DO UPDATE SET
          attempts = attempts + excluded.attempts, failed = failed + excluded.failed, cache_hits = cache_hits + excluded.cache_hits,
          input = input + excluded.input, cache_read = cache_read + excluded.cache_read, cache_write_5m = cache_write_5m + excluded.cache_write_5m,
          cache_write_1h = cache_write_1h + excluded.cache_write_1h, output = output + excluded.output, reasoning = reasoning + excluded.reasoning,
          cost_nanos = cost_nanos + excluded.cost_nanos, saved_nanos = saved_nanos + excluded.saved_nanos,
          own_key_attempts = own_key_attempts + excluded.own_key_attempts, own_key_nanos = own_key_nanos + excluded.own_key_nanos
        """;

    internal const string SelectSpread = """
        SELECT latency, first_token, cost FROM rollup_spreads
        WHERE tenant = $tenant AND facet = $facet AND grain = $grain AND window_at = $at
          AND project = $project AND key_id = $key AND model = $model AND provider = $provider AND end_user = $endUser
        """;

    internal const string PutSpread = """
        INSERT INTO rollup_spreads (tenant, facet, grain, window_at, project, key_id, model, provider, end_user, latency, first_token, cost)
        VALUES ($tenant, $facet, $grain, $at, $project, $key, $model, $provider, $endUser, $latency, $firstToken, $cost)
        ON CONFLICT (tenant, facet, grain, window_at, project, key_id, model, provider, end_user) DO UPDATE SET
          latency = excluded.latency, first_token = excluded.first_token, cost = excluded.cost
        """;

    /// <summary>Adds quarters of an hour to their rollups, and to those of their days and months.</summary>
    public static void Add(Session session, Dictionary<RollupKey, Rollup> quarters)
    {
        var days = Coarser(quarters, Grain.Day);
        foreach (var rollups in new[] { quarters, days, Coarser(days, Grain.Month) })
        {
            foreach (var (key, rollup) in rollups) Add(session, key, rollup);
        }
    }

    public static Dictionary<RollupKey, Rollup> Coarser(Dictionary<RollupKey, Rollup> rollups, Grain grain)
    {
        var coarser = new Dictionary<RollupKey, Rollup>();
        foreach (var (key, rollup) in rollups)
        {
            var whole = key.Coarser(grain);
            if (!coarser.TryGetValue(whole, out var sum)) coarser.Add(whole, sum = new Rollup());
            sum.Add(rollup);
        }

        return coarser;
    }

    private static void Add(Session session, RollupKey key, Rollup rollup)
    {
        var sum = rollup.Sum;
        using (var add = session.Use(AddSum))
        {
            Key(add, key)
                .Set("$attempts", sum.Attempts)
                .Set("$failed", sum.Failed)
                .Set("$cacheHits", sum.CacheHits)
                .Set("$input", sum.Tokens.Input)
                .Set("$cacheRead", sum.Tokens.CacheRead)
                .Set("$cacheWrite5m", sum.Tokens.CacheWrite5m)
                .Set("$cacheWrite1h", sum.Tokens.CacheWrite1h)
                .Set("$output", sum.Tokens.Output)
                .Set("$reasoning", sum.Tokens.Reasoning)
                .Set("$cost", sum.Cost.NanoDollars)
                .Set("$saved", sum.Saved.NanoDollars)
                .Set("$ownKeyAttempts", sum.OwnKeyAttempts)
                .Set("$ownKeyCost", sum.OwnKeyCost.NanoDollars)
                .Run();
        }

        if (rollup.Spread.Cost.Count > 0) AddSpread(session, key, rollup.Spread);
    }

    private static void AddSpread(Session session, RollupKey key, UsageSpread spread)
    {
        byte[] latency, firstToken, cost;
        using (var stored = session.Use(SelectSpread))
        {
            var found = Key(stored, key).Step();
            latency = BucketBytes.Add(found ? stored.Blob(0) : [], spread.Latency);
            firstToken = BucketBytes.Add(found ? stored.Blob(1) : [], spread.FirstToken);
            cost = BucketBytes.Add(found ? stored.Blob(2) : [], spread.Cost);
        }

        using var put = session.Use(PutSpread);
        Key(put, key).Set("$latency", latency).Set("$firstToken", firstToken).Set("$cost", cost).Run();
    }

    private static Statement Key(Statement statement, RollupKey key) => statement
        .Set("$tenant", key.Tenant.Value)
        .Set("$facet", (long)key.Facet)
        .Set("$grain", (long)key.Grain)
        .Set("$at", key.At)
        .Set("$project", key.Project)
        .Set("$key", key.Key)
        .Set("$model", key.Model)
        .Set("$provider", key.Provider)
        .Set("$endUser", key.EndUser);
}
