using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// Pieces of growing answers, in a partition beside their run's. They are written where the head is still their owner's, in one
/// transaction that checks that. A sweep finds them by their time; DynamoDB drops what no sweep came for.
/// </summary>
internal sealed class RunChunks(DynamoDatabase database)
{
    private const string IsOwned = "#epoch = :epoch AND #status = :running AND attribute_exists(#owner)";
    private const string IsNew = "attribute_not_exists(#pk)";
    private const string InRange = "#pk = :pk AND #sk BETWEEN :from AND :to";

    private static readonly TimeSpan KeptAtMost = TimeSpan.FromDays(7);

    private string Table => database.Tables.Runs;

    /// <summary>Those that are there already stay as they are.</summary>
    public async Task<bool> AddAsync(TenantId tenant, RunId run, long epoch, IReadOnlyList<RunChunk> chunks, CancellationToken ct)
    {
        RunChunk.Check(chunks);
        var partition = RunKeys.Chunks(tenant, run);
        var items = chunks.Select(chunk => Write(partition, run, chunk)).ToList();
        while (true)
        {
            var transaction = new Transaction();
            var owned = transaction.Check(Table, RunKeys.HeadKey(tenant, run), IsOwned, new Item().Set(":epoch", epoch).Set(":running", (long)RunStatus.Running));
            foreach (var item in items) transaction.Put(Table, item, IsNew);
            var outcome = await database.WriteAsync(transaction, database.NewToken(), ct);
            if (outcome.Written) return true;
            if (outcome.RefusedAt(owned)) return false;
            items = [.. items.Where((_, i) => !outcome.RefusedAt(owned + 1 + i))];
        }
    }

    public async Task<IReadOnlyList<RunChunk>> ReadAsync(TenantId tenant, RunId run, (long Seq, int Sub) after, long to, int limit, CancellationToken ct)
    {
        if (limit <= 0 || after.Seq > to) return [];
        var values = new Item().Set(":pk", RunKeys.Chunks(tenant, run)).Set(":from", RunKeys.Chunk(after.Seq, after.Sub + 1L)).Set(":to", RunKeys.Chunk(to, int.MaxValue));
        var items = await database.QueryAsync(Table, InRange, values, ct, limit: limit);
        return items.ConvertAll(item => new RunChunk(item.Long("seq"), (int)item.Long("sub"), RunItem.Time(item.Long("at")), item.Text("body")));
    }

    private static Item Write(string partition, RunId run, RunChunk chunk) => Item.Key(partition, RunKeys.Chunk(chunk.Seq, chunk.Sub))
        .Set("seq", chunk.Seq)
        .Set("sub", chunk.Sub)
        .Set("at", RunItem.Time(chunk.At))
        .Set("body", chunk.Body)
        .Set("due", RunKeys.Due(DueKinds.Chunk, run))
        .Set("dueKey", RunKeys.At(chunk.At, run))
        .Set(DynamoTables.Ttl, (chunk.At + KeptAtMost).ToUnixTimeSeconds());
}
