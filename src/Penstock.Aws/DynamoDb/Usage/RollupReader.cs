using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Usage;

/// <summary>Reads the rollups of a stretch of time, from all their shards at once.</summary>
internal sealed class RollupReader(DynamoDatabase database, ActiveDays days)
{
    private const string InRange = "#pk = :pk AND #sk BETWEEN :first AND :last";
    private const string WholePartition = "#pk = :pk";

    // Sorts after every hexadecimal combination.
    private const char AfterAll = '~';

    /// <summary>By combination.</summary>
    public async Task<List<Item>> CombinationsAsync(TenantId tenant, Tile tile, CancellationToken ct)
    {
        var grain = tile.Grain!.Value;
        var queries = new List<Task<List<Item>>>();
        foreach (var (first, last) in await PartitionsAsync(tenant, tile, ct))
        {
            for (var shard = 0; shard < LedgerKeys.Shards; shard++)
            {
                var values = new Item().Set(":pk", RollupItem.Partition(tenant, grain, first, shard))
                    .Set(":first", RollupItem.Stretch(grain, first)).Set(":last", $"{RollupItem.Stretch(grain, last)}#{AfterAll}");
                queries.Add(database.QueryAsync(database.Tables.Ledger, InRange, values, ct));
            }
        }

        return [.. (await Task.WhenAll(queries)).SelectMany(items => items)];
    }

    /// <summary>Of one end user, or of all who are named.</summary>
    public async Task<List<Item>> UsersAsync(TenantId tenant, Tile tile, string? user, CancellationToken ct)
    {
        var grain = tile.Grain!.Value;
        var queries = new List<Task<List<Item>>>();
        foreach (var (first, last) in await PartitionsAsync(tenant, tile, ct))
        {
            if (user is not null)
            {
                var part = KeyPart.Of(user);
                var values = new Item().Set(":pk", RollupItem.UserPartition(tenant, grain, first, user))
                    .Set(":first", $"{part}#{RollupItem.Stretch(grain, first)}").Set(":last", $"{part}#{RollupItem.Stretch(grain, last)}");
                queries.Add(database.QueryAsync(database.Tables.Ledger, InRange, values, ct));
                continue;
            }

            for (var shard = 0; shard < LedgerKeys.Shards; shard++)
            {
                queries.Add(database.QueryAsync(database.Tables.Ledger, WholePartition, new Item().Set(":pk", RollupItem.UserPartition(tenant, grain, first, shard)), ct));
            }
        }

        var items = (await Task.WhenAll(queries)).SelectMany(items => items);
        return [.. items.Where(item => item.Long("from") >= tile.From && item.Long("from") < tile.To)];
    }

    /// <summary>For each partition that can hold something of the tile, the first and the last day in it that had attempts.</summary>
    private async Task<IReadOnlyList<(DateTimeOffset First, DateTimeOffset Last)>> PartitionsAsync(TenantId tenant, Tile tile, CancellationToken ct)
    {
        var grain = tile.Grain!.Value;
        var (from, to) = (Time(tile.From), Time(tile.To - 1));
        var active = await days.OfAsync(tenant, LedgerKeys.DayOf(from), LedgerKeys.DayOf(to), ct);
        return [.. active.GroupBy(day => RollupItem.Group(grain, Midnight(day))).Select(group => (Max(from, Midnight(group.First())), Min(to, LastMoment(group.Last()))))];
    }

    private static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(milliseconds, -62_135_596_800_000, 253_402_300_799_999));

    private static DateTimeOffset Midnight(DateOnly day) => new(day.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);

    private static DateTimeOffset LastMoment(DateOnly day) => Midnight(day).AddTicks(TimeSpan.TicksPerDay - 1);

    private static DateTimeOffset Max(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    private static DateTimeOffset Min(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;
}
