using Penstock.Idempotency;

namespace Penstock.Aws.DynamoDb.Idempotency;

/// <summary>
/// Claims in DynamoDB: <c>t#tenant#key#name</c> is a name's head, small whatever the answer, so that asking for it is cheap. One conditional write takes it,
/// another makes it answered. It has an <c>answer</c>, the token of its <see cref="Pieces"/>, from then on.
/// </summary>
internal sealed class DynamoIdempotencyStore(DynamoDatabase database) : IIdempotencyStore
{
    private const int DroppedAtOnce = 200;

    private const string IsFree = "attribute_not_exists(#id) OR #dueAt <= :now OR (#hash = :hash AND attribute_not_exists(#answer) AND #lease <= :now)";
    private const string IsRunning = "#owner = :owner AND attribute_not_exists(#answer)";

    private const string SetLease = "SET #lease = :lease";
    private const string SetAnswer = "SET #answer = :answer, #pieces = :pieces, #dueAt = :dueAt, #ttl = :ttl";

    private readonly Expiry _expiry = new(database, database.Tables.Idempotency);
    private readonly Pieces _pieces = new(database);

    public async Task<ClaimResult> ClaimAsync(IdempotencyClaim claim, DateTimeOffset now, CancellationToken ct)
    {
        var id = IdOf(claim.Name);
        var head = Expiry.Mark(KeyOf(id), claim.KeepUntil).Set("hash", claim.RequestHash).Set("owner", claim.Owner).Set("lease", claim.LeaseUntil.ToUnixTimeMilliseconds());
        var values = new Item().Set(":now", now.ToUnixTimeMilliseconds()).Set(":hash", claim.RequestHash);
        if (await database.PutAsync(database.Tables.Idempotency, head, IsFree, values, ct) is not { } taken) return new ClaimResult(ClaimKind.Started);
        if (!taken.BytesOrNull("hash")!.Value.Span.SequenceEqual(claim.RequestHash.Span)) return new ClaimResult(ClaimKind.Other);
        if (taken.TextOrNull("answer") is { } token) return new ClaimResult(ClaimKind.Answered, await _pieces.ReadAsync(id, token, (int)taken.Long("pieces"), ct));
        // An owner is one request's: it was written, and the answer lost.
        return new ClaimResult(taken.Text("owner") == claim.Owner ? ClaimKind.Started : ClaimKind.Running);
    }

    public async Task<bool> RenewAsync(IdempotencyName name, string owner, DateTimeOffset leaseUntil, CancellationToken ct)
    {
        var values = new Item().Set(":owner", owner).Set(":lease", leaseUntil.ToUnixTimeMilliseconds());
        return await database.UpdateAsync(database.Tables.Idempotency, KeyOf(IdOf(name)), SetLease, IsRunning, values, ct) is null;
    }

    public async Task<bool> CompleteAsync(IdempotencyName name, string owner, ReadOnlyMemory<byte> answer, DateTimeOffset keepUntil, CancellationToken ct)
    {
        // A token each time, so that whoever comes too late overwrites nothing.
        var (id, token, count) = (IdOf(name), database.NewToken(), Pieces.Count(answer.Length));
        await _pieces.WriteAsync(id, token, answer, keepUntil, ct);

        var values = Expiry.MarkEnd(new Item().Set(":owner", owner).Set(":answer", token).Set(":pieces", count), ":", keepUntil);
        var refused = await database.UpdateAsync(database.Tables.Idempotency, KeyOf(id), SetAnswer, IsRunning, values, ct);
        // With this token it was written, and the answer lost.
        if (refused is null || refused.TextOrNull("answer") == token) return true;
        await _pieces.DropAsync(id, token, count, ct);
        return false;
    }

    public Task ReleaseAsync(IdempotencyName name, string owner, CancellationToken ct) =>
        database.DeleteAsync(database.Tables.Idempotency, KeyOf(IdOf(name)), IsRunning, new Item().Set(":owner", owner), ct);

    public Task<int> DropAsync(DateTimeOffset now, CancellationToken ct) => _expiry.DropAsync(now, DroppedAtOnce, ct);

    private static string IdOf(IdempotencyName name) => $"t#{KeyPart.Of(name.Tenant.Value)}#{KeyPart.Of(name.Key.Value)}#{KeyPart.Of(name.Value)}";

    private static Item KeyOf(string id) => new Item().Set("id", id);
}
