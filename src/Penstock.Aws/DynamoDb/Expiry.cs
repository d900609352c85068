namespace Penstock.Aws.DynamoDb;

/// <summary>
/// Items of a table whose key is <c>id</c> that end at a time: <c>ttl</c> tells DynamoDB, which drops them within days; <c>due</c> (a shard) and
/// <c>dueAt</c> (Unix milliseconds) put them into by-due, from which <see cref="DropAsync"/> drops them sooner. It reads one small query a shard, and
/// never the table.
/// </summary>
internal sealed class Expiry(DynamoDatabase database, string table)
{
    private const int Shards = 8;
    private const int DeletedAtOnce = 16;

    private const string IsDue = "#due = :due AND #dueAt <= :now";

    // The index may lag behind: what was put anew meanwhile stays.
    private const string IsPast = "#dueAt <= :now";

    public static Item Mark(Item item, DateTimeOffset end) => MarkEnd(item.Set("due", Due(KeyPart.Shard(item.Text("id"), Shards))), "", end);

    /// <summary>As the values of an expression that puts off the end, where <paramref name="prefix"/> is <c>:</c>.</summary>
    public static Item MarkEnd(Item item, string prefix, DateTimeOffset end) => item
        .Set($"{prefix}dueAt", end.ToUnixTimeMilliseconds())
        .Set($"{prefix}ttl", end.ToUnixTimeSeconds() + 1);

    /// <summary>Drops at most so many items that ended by <paramref name="now"/>; returns how many.</summary>
    public async Task<int> DropAsync(DateTimeOffset now, int most, CancellationToken ct)
    {
        var dropped = 0;
        for (var shard = 0; shard < Shards && dropped < most; shard++)
        {
            var values = new Item().Set(":due", Due(shard)).Set(":now", now.ToUnixTimeMilliseconds());
            var past = await database.QueryAsync(table, IsDue, values, ct, DynamoTables.ByDue, most - dropped);
            foreach (var some in past.Chunk(DeletedAtOnce)) dropped += (await Task.WhenAll(some.Select(item => DeleteAsync(item.Text("id"), now, ct)))).Count(deleted => deleted);
        }

        return dropped;
    }

    private Task<bool> DeleteAsync(string id, DateTimeOffset now, CancellationToken ct) =>
        database.DeleteAsync(table, new Item().Set("id", id), IsPast, new Item().Set(":now", now.ToUnixTimeMilliseconds()), ct);

    private static string Due(int shard) => $"due#{shard}";
}
