namespace Penstock.Aws.DynamoDb.Jobs;

/// <summary>What was asked and answered, in pieces of a job's partition. They are written before the head names their token, so that who finds it finds them.</summary>
internal sealed class JobPieces(DynamoDatabase database)
{
    private const int PieceBytes = 256 * 1024;
    private const int WrittenAtOnce = 8;

    public static int Count(int length) => (length + PieceBytes - 1) / PieceBytes;

    public async Task WriteAsync(string partition, string token, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        foreach (var some in Enumerable.Range(0, Count(body.Length)).Chunk(WrittenAtOnce))
        {
            await Task.WhenAll(some.Select(number =>
            {
                var piece = body.Slice(number * PieceBytes, Math.Min(PieceBytes, body.Length - (number * PieceBytes)));
                return database.PutAsync(database.Tables.Jobs, JobItem.PieceKey(partition, token, number).Set("number", number).Set("bytes", piece), ct);
            }));
        }
    }

    /// <summary>Null where a piece is gone: the job is being dropped.</summary>
    public async Task<ReadOnlyMemory<byte>?> ReadAsync(string partition, string token, int count, CancellationToken ct)
    {
        if (count == 0) return ReadOnlyMemory<byte>.Empty;
        var found = await database.GetAsync(database.Tables.Jobs, Keys(partition, token, count), ct);
        if (found.Count != count) return null;
        var parts = found.OrderBy(piece => piece.Long("number")).Select(piece => piece.BytesOrNull("bytes")!.Value).ToArray();
        var (body, at) = (new byte[parts.Sum(part => part.Length)], 0);
        foreach (var part in parts)
        {
            part.CopyTo(body.AsMemory(at));
            at += part.Length;
        }

        return body;
    }

    public async Task DropAsync(string partition, string token, int count, CancellationToken ct)
    {
        if (count > 0) await database.DeleteAsync(database.Tables.Jobs, Keys(partition, token, count), ct);
    }

    private static Item[] Keys(string partition, string token, int count) => [.. Enumerable.Range(0, count).Select(number => JobItem.PieceKey(partition, token, number))];
}
