using System.Globalization;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Usage;

/// <summary>Sums of a range: from the coarsest rollups that tile it, and from entries where no rollup knows.</summary>
internal static class UsageSums
{
    // Names by the numbers of UsageGrouping; a day is counted from 1970-01-01, rounded down before it too.
    internal const string SelectRollups = """
        SELECT
          CASE $groupBy
            WHEN 1 THEN window_at / 86400000 - (window_at % 86400000 < 0)
            WHEN 2 THEN model
            WHEN 3 THEN provider
            WHEN 4 THEN key_id
            WHEN 5 THEN project
            WHEN 6 THEN end_user
            ELSE ''
          END AS name,
          sum(attempts), sum(failed), sum(input), sum(cache_read), sum(cache_write_5m), sum(cache_write_1h), sum(output), sum(reasoning), sum(cost_nanos),
          sum(cache_hits), sum(saved_nanos), sum(own_key_attempts), sum(own_key_nanos)
        FROM rollups
        WHERE tenant = $tenant AND facet = $facet AND grain = $grain AND window_at >= $from AND window_at < $to
          AND ($key IS NULL OR key_id = $key) AND ($project IS NULL OR project = $project)
          AND ($model IS NULL OR model = $model) AND ($provider IS NULL OR provider = $provider)
          AND ($endUser IS NULL OR end_user = $endUser)
        GROUP BY name
        """;

    internal const string SelectSpreads = """
        SELECT latency, first_token, cost FROM rollup_spreads
        WHERE tenant = $tenant AND facet = $facet AND grain = $grain AND window_at >= $from AND window_at < $to
          AND ($key IS NULL OR key_id = $key) AND ($project IS NULL OR project = $project)
          AND ($model IS NULL OR model = $model) AND ($provider IS NULL OR provider = $provider)
          AND ($endUser IS NULL OR end_user = $endUser)
        """;

    internal const string SelectBooked = """
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
          kind, outcome, input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost_nanos, avoided_nanos, own_key, latency_ms, first_token_ms
        FROM ledger INDEXED BY ledger_by_time
        WHERE tenant = $tenant AND at >= $from AND at < $to AND kind > 0
          AND ($key IS NULL OR key_id = $key) AND ($project IS NULL OR project = $project)
          AND ($model IS NULL OR model = $model) AND ($provider IS NULL OR provider = $provider)
          AND ($endUser IS NULL OR end_user = $endUser) AND ($conversation IS NULL OR conversation = $conversation) AND ($request IS NULL OR request = $request)
        """;

    public static UsageReport Report(Session session, TenantId tenant, UsageQuery query)
    {
        var groups = Groups(session, tenant, query);
        var spread = new UsageSpread();
        // How all of it is spread is the same whatever the groups are; but where those are counted from entries, it is of the same entries.
        var facet = FacetOf(query) is null ? null : FacetOf(query with { GroupBy = UsageGrouping.None });
        foreach (var tile in Tile(query, facet, Grain.Month)) Add(spread, session, tenant, query, facet, tile);
        return new UsageReport(Total(groups), query.GroupBy == UsageGrouping.None ? [] : Sorted(groups)) { Spread = spread };
    }

    public static UsageSum Total(Session session, TenantId tenant, UsageQuery query) => Total(Groups(session, tenant, query));

    private static UsageSum Total(Dictionary<string, UsageSum> groups) => groups.Values.Aggregate(UsageSum.Nothing, (sum, group) => sum + group);

    private static Dictionary<string, UsageSum> Groups(Session session, TenantId tenant, UsageQuery query)
    {
        var (groups, facet) = (new Dictionary<string, UsageSum>(), FacetOf(query));
        foreach (var tile in Tile(query, facet, query.GroupBy == UsageGrouping.Day ? Grain.Day : Grain.Month)) Add(groups, session, tenant, query, facet, tile);
        return groups;
    }

    private static List<Tile> Tile(UsageQuery query, Facet? facet, Grain coarsest)
    {
        var (from, to) = (query.From.ToUnixTimeMilliseconds(), query.To.ToUnixTimeMilliseconds());
        if (facet is not null) return Tiles.Over(from, to, coarsest);
        return from < to ? [new Tile(null, from, to)] : [];
    }

    /// <summary>The rollups that know the query's filters and groups; null where only entries do. A missing end user and an empty one are one rollup.</summary>
    private static Facet? FacetOf(UsageQuery query)
    {
        if (query.Conversation is not null || query.Request is not null || query.GroupBy == UsageGrouping.Conversation || query.EndUser is "") return null;
        var combined = query.Key is not null || query.Project is not null || query.Model is not null || query.Provider is not null;
        var whole = query.GroupBy is UsageGrouping.None or UsageGrouping.Day;
        if (query.EndUser is null && query.GroupBy != UsageGrouping.User) return combined || !whole ? Facet.Combination : Facet.Tenant;
        return !combined && (whole || query.GroupBy == UsageGrouping.User) ? Facet.EndUser : null;
    }

    private static void Add(Dictionary<string, UsageSum> groups, Session session, TenantId tenant, UsageQuery query, Facet? facet, Tile tile)
    {
        if (tile.Grain is null)
        {
            AddBooked(session, tenant, query, tile, (row, kind) =>
            {
                var sum = UsageSum.Of((AttemptOutcome)row.Int(2), ReadTokens(row), new Money(row.Long(9)), new Money(row.Long(10)), row.Flag(11), kind == LedgerEntryKind.Adjust);
                Add(groups, ReadName(row, query.GroupBy), sum);
            });
            return;
        }

        using var rows = session.Use(SelectRollups);
        Filter(rows, tenant, query, facet, tile).Set("$groupBy", (long)query.GroupBy);
        while (rows.Step())
        {
            Add(groups, ReadName(rows, query.GroupBy), new UsageSum(rows.Long(1), rows.Long(2), ReadTokens(rows), new Money(rows.Long(9)))
            {
                CacheHits = rows.Long(10),
                Saved = new Money(rows.Long(11)),
                OwnKeyAttempts = rows.Long(12),
                OwnKeyCost = new Money(rows.Long(13)),
            });
        }
    }

    private static void Add(UsageSpread spread, Session session, TenantId tenant, UsageQuery query, Facet? facet, Tile tile)
    {
        if (tile.Grain is null)
        {
            AddBooked(session, tenant, query, tile, (row, kind) =>
            {
                if (kind is LedgerEntryKind.Settle or LedgerEntryKind.Release)
                    spread.Add((AttemptOutcome)row.Int(2), row.Int(12), row.IntOrNull(13), new Money(row.Long(9)));
            });
            return;
        }

        var (latency, firstToken, cost) = (BucketBytes.NewCounts(), BucketBytes.NewCounts(), BucketBytes.NewCounts());
        using (var rows = session.Use(SelectSpreads))
        {
            Filter(rows, tenant, query, facet, tile);
            while (rows.Step())
            {
                BucketBytes.AddTo(latency, rows.Bytes(0));
                BucketBytes.AddTo(firstToken, rows.Bytes(1));
                BucketBytes.AddTo(cost, rows.Bytes(2));
            }
        }

        BucketBytes.AddTo(spread.Latency, latency);
        BucketBytes.AddTo(spread.FirstToken, firstToken);
        BucketBytes.AddTo(spread.Cost, cost);
    }

    private static void AddBooked(Session session, TenantId tenant, UsageQuery query, Tile tile, Action<Statement, LedgerEntryKind> add)
    {
        // A conversation is over a stretch that its rollup knows, which keeps the search out of the rest of the range.
        var (from, to) = query.Conversation is { Length: > 0 } name ? Conversations.Narrow(session, tenant, name, tile.From, tile.To) : (tile.From, tile.To);
        using var rows = session.Use(SelectBooked);
        Filter(rows, tenant, query).Set("$from", from).Set("$to", to).Set("$groupBy", (long)query.GroupBy);
        while (rows.Step()) add(rows, (LedgerEntryKind)rows.Int(1));
    }

    private static void Add(Dictionary<string, UsageSum> groups, string name, UsageSum sum) => groups[name] = groups.GetValueOrDefault(name, UsageSum.Nothing) + sum;

    private static Statement Filter(Statement rows, TenantId tenant, UsageQuery query, Facet? facet, Tile tile) => rows
        .Set("$tenant", tenant.Value)
        .Set("$facet", (long)facet!)
        .Set("$grain", (long)tile.Grain!)
        .Set("$from", tile.From)
        .Set("$to", tile.To)
        .Set("$key", query.Key?.Value)
        .Set("$project", query.Project?.Value)
        .Set("$model", query.Model)
        .Set("$provider", query.Provider)
        .Set("$endUser", query.EndUser);

    public static Statement Filter(Statement rows, TenantId tenant, UsageQuery query) => rows
        .Set("$tenant", tenant.Value)
        .Set("$key", query.Key?.Value)
        .Set("$project", query.Project?.Value)
        .Set("$model", query.Model)
        .Set("$provider", query.Provider)
        .Set("$endUser", query.EndUser)
        .Set("$conversation", query.Conversation)
        .Set("$request", query.Request?.Value);

    private static string ReadName(Statement row, UsageGrouping grouping) => grouping == UsageGrouping.Day
        ? DateTimeOffset.UnixEpoch.AddDays(row.Long(0)).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
        : row.Text(0);

    private static TokenCounts ReadTokens(Statement row) => new(row.Long(3), row.Long(4), row.Long(5), row.Long(6), row.Long(7), row.Long(8));

    private static List<UsageGroup> Sorted(Dictionary<string, UsageSum> groups) =>
        [.. groups.OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => new UsageGroup(group.Key, group.Value))];
}
