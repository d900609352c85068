using System.Runtime.CompilerServices;
using Amazon.DynamoDBv2.Model;
using Penstock.Aws.DynamoDb.Ledger;
using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Aws.DynamoDb.Usage;

/// <summary>
/// The table <c>ai-platform-usage</c>. Its sort number is the millisecond at which an attempt began, times 2^20, and a number that tells apart those of
/// one millisecond; where two take the same, the second to come takes the next.
/// </summary>
internal sealed class AttemptRows(DynamoDatabase database, ActiveDays days)
{
    private const int Bits = 20;

    /// <summary>The condition under which a row is put: its number is free.</summary>
    public const string IsFree = "attribute_not_exists(#userId)";

    private const string InRange = "#userId = :pk AND #timestamp BETWEEN :first AND :last";

    /// <param name="collisions">How often the number was taken already.</param>
    public static Item Write(LedgerEntryKind kind, LedgerRow row, int collisions)
    {
        var item = new Item().Set("userId", LedgerKeys.Attempts(row.Tenant, LedgerKeys.DayOf(row.At), LedgerKeys.ShardOf(row.Attempt)))
            .Set("timestamp", Number(row.At.ToUnixTimeMilliseconds()) + ((KeyPart.Shard($"{row.Attempt.Value}#{(int)kind}", 1 << Bits) + collisions) & ((1 << Bits) - 1)))
            .Set("kind", (long)kind);
        return RowItem.Write(item, row);
    }

    public static LedgerEntryKind KindOf(Item item) => (LedgerEntryKind)item.Long("kind");

    /// <summary>All that began from <paramref name="from"/> to before <paramref name="to"/> (Unix milliseconds), newest first.</summary>
    public async IAsyncEnumerable<Item> NewestFirstAsync(TenantId tenant, long from, long to, int pageSize, [EnumeratorCancellation] CancellationToken ct)
    {
        (from, to) = (Math.Max(from, DateTimeOffset.MinValue.ToUnixTimeMilliseconds()), Math.Min(to, DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()));
        if (from >= to) yield break;
        var active = await days.OfAsync(tenant, DayOf(from), DayOf(to - 1), ct);
        foreach (var day in active.Reverse())
        {
            var midnight = new DateTimeOffset(day.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero).ToUnixTimeMilliseconds();
            var (first, end) = (Math.Max(from, midnight), Math.Min(to, midnight + Tiles.DayMs));
            var shards = Enumerable.Range(0, LedgerKeys.Shards).Select(shard => PagesAsync(LedgerKeys.Attempts(tenant, day, shard), first, end, pageSize, ct).GetAsyncEnumerator(ct)).ToList();
            try
            {
                var any = await Task.WhenAll(shards.Select(shard => shard.MoveNextAsync().AsTask()));
                var open = shards.Where((_, i) => any[i]).ToList();
                while (open.Count > 0)
                {
                    var newest = open.MaxBy(shard => shard.Current.Long("timestamp"))!;
                    yield return newest.Current;
                    if (!await newest.MoveNextAsync()) open.Remove(newest);
                }
            }
            finally
            {
                foreach (var shard in shards) await shard.DisposeAsync();
            }
        }
    }

    private async IAsyncEnumerable<Item> PagesAsync(string partition, long from, long to, int pageSize, [EnumeratorCancellation] CancellationToken ct)
    {
        var request = new QueryRequest
        {
            TableName = database.Tables.Usage,
            KeyConditionExpression = InRange,
            ExpressionAttributeNames = Expressions.Names(InRange),
            ExpressionAttributeValues = new Item().Set(":pk", partition).Set(":first", Number(from)).Set(":last", Number(to) - 1).Attributes,
            ConsistentRead = true,
            ScanIndexForward = false,
            Limit = pageSize,
        };
        do
        {
            var answer = await database.QueryPageAsync(request, ct);
            foreach (var item in answer.Items ?? []) yield return new Item(item);
            request.ExclusiveStartKey = answer.LastEvaluatedKey;
        }
        while (request.ExclusiveStartKey is { Count: > 0 });
    }

    private static long Number(long milliseconds) => checked(milliseconds << Bits);

    private static DateOnly DayOf(long milliseconds) => LedgerKeys.DayOf(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds));
}
