using System.Collections.Concurrent;
using System.Globalization;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Usage;

/// <summary>
/// What each conversation cost in all, and a day's histogram of those that began on it. A booking moves its conversation from bucket to bucket, which
/// needs to know what it cost before: what this node saw last is assumed, the transaction checks it, and where it was wrong the refusal brings the truth.
/// </summary>
internal sealed class Conversations(DynamoDatabase database)
{
    private const string IsNew = "attribute_not_exists(#pk)";
    private const string IsAsSeen = "#revision = :revision";
    private const string InRange = "#pk = :pk AND #sk BETWEEN :first AND :last";
    private const string SortKey = "conversation";
    private const int MostRemembered = 20_000;

    private readonly ConcurrentDictionary<string, State> _seen = new();

    /// <summary>Names the conversation's lane; null for an attempt that is in none.</summary>
    public static string? LaneOf(LedgerRow row) => row.Conversation is { Length: > 0 } name ? $"{LedgerKeys.Tenant(row.Tenant)}#c#{KeyPart.Of(name)}" : null;

    /// <summary>Adds the rows of one tenant and day to the conversations that they are in.</summary>
    public List<Move> Add(Transaction transaction, IReadOnlyList<LedgerRow> rows)
    {
        var (moves, changes) = (new List<Move>(), new List<(int Shard, int Day, int Bucket, long By)>());
        foreach (var conversation in rows.Where(row => LaneOf(row) is not null).GroupBy(row => LaneOf(row)!))
        {
            var row = conversation.First() with { Cost = conversation.Aggregate(Money.Zero, (sum, each) => sum + each.Cost) };
            moves.Add(Add(transaction, conversation.Key, row, changes));
        }

        foreach (var day in changes.GroupBy(change => (change.Shard, change.Day))) AddToDay(transaction, rows[0].Tenant, day.Key.Shard, day.Key.Day, [.. day.GroupBy(change => change.Bucket).Select(bucket => (bucket.Key, bucket.Sum(change => change.By)))]);
        return moves;
    }

    private Move Add(Transaction transaction, string pk, LedgerRow row, List<(int Shard, int Day, int Bucket, long By)> changes)
    {
        var before = _seen.GetValueOrDefault(pk);
        var day = LedgerKeys.DayOf(row.At).DayNumber;
        var after = before is null
            ? new State(day, row.Cost.NanoDollars, 1)
            : new State(Math.Min(before.Day, day), checked(before.Cost + row.Cost.NanoDollars), before.Revision + 1);
        var item = Item.Key(pk, SortKey).Set("tenant", row.Tenant.Value).Set("name", row.Conversation).Set("day", after.Day).Set("cost", after.Cost).Set("revision", after.Revision);
        var index = before is null
            ? transaction.Put(database.Tables.Ledger, item, IsNew)
            : transaction.Put(database.Tables.Ledger, item, IsAsSeen, new Item().Set(":revision", before.Revision));
        changes.AddRange(Changes(before, after).Select(change => (KeyPart.Shard(pk, LedgerKeys.Shards), change.Day, change.Bucket, change.By)));
        return new Move(pk, index, after);
    }

    /// <summary>What the transaction did is what is assumed next.</summary>
    public void Written(Move? move)
    {
        if (move is not null) Remember(move.Conversation, move.After);
    }

    /// <summary>Another node was faster: here is what it left.</summary>
    public void Refused(Move move, Item? item)
    {
        if (item is null) _seen.TryRemove(move.Conversation, out _);
        else Remember(move.Conversation, Read(item));
    }

    public async Task<LogHistogram> HistogramAsync(TenantId tenant, DateOnly first, DateOnly last, CancellationToken ct)
    {
        var queries = Enumerable.Range(0, LedgerKeys.Shards).Select(shard => database.QueryAsync(
            database.Tables.Ledger,
            InRange,
            new Item().Set(":pk", DaysOf(tenant, shard)).Set(":first", LedgerKeys.Day(first)).Set(":last", LedgerKeys.Day(last)),
            ct));
        var histogram = new LogHistogram();
        foreach (var item in (await Task.WhenAll(queries)).SelectMany(items => items)) AddTo(histogram, item);
        return histogram;
    }

    public static void AddTo(LogHistogram histogram, Item item)
    {
        foreach (var name in item.Attributes.Keys)
        {
            if (name[0] == 'b' && int.TryParse(name.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var bucket) && item.Long(name) is var count and not 0) histogram.AddBucket(bucket, count);
        }
    }

    private void AddToDay(Transaction transaction, TenantId tenant, int shard, int day, IReadOnlyList<(int Bucket, long By)> changes)
    {
        var values = new Item();
        foreach (var (bucket, by) in changes) values.Set(string.Create(CultureInfo.InvariantCulture, $":b{bucket}"), by);
        var add = string.Join(", ", changes.Select(change => string.Create(CultureInfo.InvariantCulture, $"#b{change.Bucket} :b{change.Bucket}")));
        var key = Item.Key(DaysOf(tenant, shard), LedgerKeys.Day(DateOnly.FromDayNumber(day)));
        transaction.Update(database.Tables.Ledger, key, $"ADD {add}", null, values);
    }

    private static IEnumerable<(int Day, int Bucket, long By)> Changes(State? before, State after)
    {
        var to = LogHistogram.BucketOf(after.Cost);
        if (before is null)
        {
            yield return (after.Day, to, 1);
            yield break;
        }

        var from = LogHistogram.BucketOf(before.Cost);
        if (from == to && before.Day == after.Day) yield break;
        yield return (before.Day, from, -1);
        yield return (after.Day, to, 1);
    }

    private static State Read(Item item) => new((int)item.Long("day"), item.Long("cost"), item.Long("revision"));

    private static string DaysOf(TenantId tenant, int shard) => $"{LedgerKeys.Tenant(tenant)}#cd#{shard}";

    private void Remember(string pk, State state)
    {
        if (_seen.Count >= MostRemembered) _seen.Clear();
        _seen[pk] = state;
    }

    /// <param name="Day">On which its first attempt began, as a day number.</param>
    internal sealed record State(int Day, long Cost, long Revision);

    /// <param name="Index">Of the write that checks what was assumed.</param>
    internal sealed record Move(string Conversation, int Index, State After);
}
