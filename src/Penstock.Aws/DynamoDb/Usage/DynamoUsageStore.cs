using System.Globalization;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Usage;

/// <summary>Usage in DynamoDB. Every read is strongly consistent: what was booked when it began is in it.</summary>
internal sealed class DynamoUsageStore(RollupReader rollups, AttemptRows attempts, Conversations conversations, Retention retention) : IUsageStore
{
    private const int PageSize = 1_000;

    public async Task<UsageReport> SumAsync(TenantId tenant, UsageQuery query, CancellationToken ct)
    {
        var groups = new Dictionary<string, UsageSum>(StringComparer.Ordinal);
        var spread = new UsageSpread();
        foreach (var tile in TilesOf(query))
        {
            if (tile.Grain is null) await AddAttemptsAsync(groups, spread, tenant, query, tile, ct);
            else if (query.GroupBy == UsageGrouping.User || query.EndUser is not null) await AddUsersAsync(groups, spread, tenant, query, tile, ct);
            else Add(groups, spread, query, await rollups.CombinationsAsync(tenant, tile, ct));
        }

        var total = groups.Values.Aggregate(UsageSum.Nothing, (sum, group) => sum + group);
        var named = groups.OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => new UsageGroup(group.Key, group.Value));
        return new UsageReport(total, query.GroupBy == UsageGrouping.None ? [] : [.. named]) { Spread = spread };
    }

    public async Task<IReadOnlyList<LedgerRow>> ListAsync(TenantId tenant, UsageQuery query, int limit, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(limit);
        var rows = new List<LedgerRow>();
        if (limit == 0) return rows;
        await foreach (var item in attempts.NewestFirstAsync(tenant, query.From.ToUnixTimeMilliseconds(), query.To.ToUnixTimeMilliseconds(), Math.Min(limit, PageSize), ct))
        {
            var row = RowItem.Read(item);
            if (!Matches(row, query)) continue;
            rows.Add(row);
            if (rows.Count == limit) break;
        }

        return rows;
    }

    public Task<LogHistogram> ConversationCostsAsync(TenantId tenant, DateTimeOffset from, DateTimeOffset to, CancellationToken ct) => from >= to
        ? Task.FromResult(new LogHistogram())
        : conversations.HistogramAsync(tenant, LedgerKeys.DayOf(from), LedgerKeys.DayOf(to.AddTicks(-1)), ct);

    public Task<int> DropAsync(DateTimeOffset before, CancellationToken ct) => retention.DropAsync(before, ct);

    /// <summary>What attempts under the scope cost that began in the range.</summary>
    public async Task<Money> CostAsync(TenantId tenant, UsageQuery query, CancellationToken ct) => (await SumAsync(tenant, query, ct)).Total.Cost;

    /// <summary>Coarse where rollups know the query's filters and groups. An end user has rollups of their own, which know nothing else.</summary>
    private static List<Tile> TilesOf(UsageQuery query)
    {
        var (from, to) = (query.From.ToUnixTimeMilliseconds(), query.To.ToUnixTimeMilliseconds());
        var combined = query.Key is not null || query.Project is not null || query.Model is not null || query.Provider is not null;
        var byUser = query.EndUser is not null || query.GroupBy == UsageGrouping.User;
        var known = query.Conversation is null && query.Request is null && query.GroupBy != UsageGrouping.Conversation && query.EndUser is not "" && !(byUser && combined)
            && (query.EndUser is null || query.GroupBy is UsageGrouping.None or UsageGrouping.Day or UsageGrouping.User);
        if (known) return Tiles.Over(from, to, query.GroupBy == UsageGrouping.Day ? Grain.Day : Grain.Month);
        return from < to ? [new Tile(null, from, to)] : [];
    }

    private async Task AddAttemptsAsync(Dictionary<string, UsageSum> groups, UsageSpread spread, TenantId tenant, UsageQuery query, Tile tile, CancellationToken ct)
    {
        await foreach (var item in attempts.NewestFirstAsync(tenant, tile.From, tile.To, PageSize, ct))
        {
            var row = RowItem.Read(item);
            if (!Matches(row, query)) continue;
            Add(groups, NameOf(row, query.GroupBy), RollupItem.SumOf(AttemptRows.KindOf(item), row));
            RollupItem.AddSpread(spread, AttemptRows.KindOf(item), row);
        }
    }

    private async Task AddUsersAsync(Dictionary<string, UsageSum> groups, UsageSpread spread, TenantId tenant, UsageQuery query, Tile tile, CancellationToken ct)
    {
        Add(groups, spread, query, await rollups.UsersAsync(tenant, tile, query.EndUser, ct));
        if (query.EndUser is not null) return;
        // Who is not named has no rollup of their own.
        Add(groups, spread, query, (await rollups.CombinationsAsync(tenant, tile, ct)).Where(item => item.Flag("anonymous")));
    }

    private static void Add(Dictionary<string, UsageSum> groups, UsageSpread spread, UsageQuery query, IEnumerable<Item> items)
    {
        foreach (var item in items.Where(item => Matches(item, query)))
        {
            Add(groups, NameOf(item, query.GroupBy), RollupItem.ReadSum(item));
            RollupItem.AddSpread(spread, item);
        }
    }

    private static void Add(Dictionary<string, UsageSum> groups, string name, UsageSum sum) => groups[name] = groups.GetValueOrDefault(name, UsageSum.Nothing) + sum;

    private static bool Matches(LedgerRow row, UsageQuery query) =>
        (query.Key is null || row.Key == query.Key)
        && (query.Project is null || row.Project == query.Project)
        && (query.Model is null || row.Model == query.Model)
        && (query.Provider is null || row.Provider == query.Provider)
        && (query.EndUser is null || row.EndUser == query.EndUser)
        && (query.Conversation is null || row.Conversation == query.Conversation)
        && (query.Request is null || row.Request == query.Request);

    private static bool Matches(Item item, UsageQuery query) =>
        (query.Key is null || item.Text("key") == query.Key.Value.Value)
        && (query.Project is null || item.Text("project") == query.Project.Value.Value)
        && (query.Model is null || item.Text("model") == query.Model)
        && (query.Provider is null || item.Text("provider") == query.Provider);

    private static string NameOf(LedgerRow row, UsageGrouping grouping) => grouping switch
    {
        UsageGrouping.None => "",
        UsageGrouping.Day => DayOf(row.At),
        UsageGrouping.Model => row.Model,
        UsageGrouping.Provider => row.Provider,
        UsageGrouping.Key => row.Key.Value,
        UsageGrouping.Project => row.Project.Value,
        UsageGrouping.User => row.EndUser ?? "",
        _ => row.Conversation ?? "",
    };

    private static string NameOf(Item item, UsageGrouping grouping) => grouping switch
    {
        UsageGrouping.Day => DayOf(DateTimeOffset.FromUnixTimeMilliseconds(item.Long("from"))),
        UsageGrouping.Model => item.Text("model"),
        UsageGrouping.Provider => item.Text("provider"),
        UsageGrouping.Key => item.Text("key"),
        UsageGrouping.Project => item.Text("project"),
        UsageGrouping.User => item.TextOrNull("user") ?? "",
        _ => "",
    };

    private static string DayOf(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
