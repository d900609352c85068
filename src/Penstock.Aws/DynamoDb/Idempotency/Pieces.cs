using System.Globalization;

namespace Penstock.Aws.DynamoDb.Idempotency;

/// <summary>
/// An answer that may be larger than an item: <c>head's id#token#number</c>. Each has a partition of its own, because one takes no more than 1 MB a second.
/// They are written before the head names their token, and end after it does, so that who finds it finds them. Those that no head names end by themselves.
/// </summary>
internal sealed class Pieces(DynamoDatabase database)
{
    private const int PieceBytes = 256 * 1024;
    private const int WrittenAtOnce = 8;

    // Nobody reads a head and takes longer to read its pieces.
    private static readonly TimeSpan Longer = TimeSpan.FromHours(1);

    public static int Count(int length) => (length + PieceBytes - 1) / PieceBytes;

    public async Task WriteAsync(string head, string token, ReadOnlyMemory<byte> answer, DateTimeOffset keepUntil, CancellationToken ct)
    {
        foreach (var some in Enumerable.Range(0, Count(answer.Length)).Chunk(WrittenAtOnce))
        {
            await Task.WhenAll(some.Select(number =>
            {
                var piece = answer.Slice(number * PieceBytes, Math.Min(PieceBytes, answer.Length - (number * PieceBytes)));
                return database.PutAsync(database.Tables.Idempotency, Expiry.Mark(KeyOf(head, token, number), keepUntil + Longer).Set("number", number).Set("bytes", piece), ct);
            }));
        }
    }

    public async Task<ReadOnlyMemory<byte>> ReadAsync(string head, string token, int count, CancellationToken ct)
    {
        var found = await database.GetAsync(database.Tables.Idempotency, Keys(head, token, count), ct);
        if (found.Count != count) throw new InvalidDataException($"An idempotent answer has {found.Count} of its {count} pieces in table '{database.Tables.Idempotency}'. Delete item '{head}' to free its name.");
        var parts = found.OrderBy(piece => piece.Long("number")).Select(piece => piece.BytesOrNull("bytes")!.Value).ToArray();
        var (answer, at) = (new byte[parts.Sum(part => part.Length)], 0);
        foreach (var part in parts)
        {
            part.CopyTo(answer.AsMemory(at));
            at += part.Length;
        }

        return answer;
    }

    public Task DropAsync(string head, string token, int count, CancellationToken ct) => database.DeleteAsync(database.Tables.Idempotency, Keys(head, token, count), ct);

    private static Item[] Keys(string head, string token, int count) => [.. Enumerable.Range(0, count).Select(number => KeyOf(head, token, number))];

    private static Item KeyOf(string head, string token, int number) => new Item().Set("id", string.Create(CultureInfo.InvariantCulture, $"{head}#{token}#{number}"));
}
