using Penstock.Idempotency;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Idempotency;

/// <summary>Claims and answers in SQLite. Each operation runs on the one writer, so that what it reads cannot change before it writes.</summary>
internal sealed class SqliteIdempotencyStore(SqliteDatabase database) : IIdempotencyStore
{
    private const int DroppedAtOnce = 200;

    private const string SelectClaim = "SELECT request_hash, lease_until, answer FROM idempotency WHERE tenant = $tenant AND key_id = $key AND name = $name AND keep_until > $now";

    private const string PutClaim = """
        INSERT INTO idempotency (tenant, key_id, name, request_hash, owner, lease_until, keep_until, answer)
        VALUES ($tenant, $key, $name, $hash, $owner, $lease, $keep, NULL)
        ON CONFLICT (tenant, key_id, name) DO UPDATE SET
          request_hash = excluded.request_hash, owner = excluded.owner, lease_until = excluded.lease_until, keep_until = excluded.keep_until, answer = NULL
        """;

    private const string Renew = "UPDATE idempotency SET lease_until = $lease WHERE tenant = $tenant AND key_id = $key AND name = $name AND owner = $owner AND answer IS NULL";

    private const string Complete = "UPDATE idempotency SET answer = $answer, keep_until = $keep WHERE tenant = $tenant AND key_id = $key AND name = $name AND owner = $owner AND answer IS NULL";

    private const string Release = "DELETE FROM idempotency WHERE tenant = $tenant AND key_id = $key AND name = $name AND owner = $owner AND answer IS NULL";

    internal const string DeletePast = "DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency WHERE keep_until <= $now LIMIT $limit)";

    public Task<ClaimResult> ClaimAsync(IdempotencyClaim claim, DateTimeOffset now, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            if (Find(session, claim, now) is { } found) return found;
            using var put = session.Use(PutClaim);
            Key(put, claim.Name).Set("$hash", claim.RequestHash).Set("$owner", claim.Owner).Set("$lease", Milliseconds(claim.LeaseUntil)).Set("$keep", Milliseconds(claim.KeepUntil)).Run();
            return new ClaimResult(ClaimKind.Started);
        },
        ct);

    public Task<bool> RenewAsync(IdempotencyName name, string owner, DateTimeOffset leaseUntil, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var renew = session.Use(Renew);
            return Key(renew, name).Set("$owner", owner).Set("$lease", Milliseconds(leaseUntil)).Run() > 0;
        },
        ct);

    public Task<bool> CompleteAsync(IdempotencyName name, string owner, ReadOnlyMemory<byte> answer, DateTimeOffset keepUntil, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var complete = session.Use(Complete);
            return Key(complete, name).Set("$owner", owner).Set("$answer", answer).Set("$keep", Milliseconds(keepUntil)).Run() > 0;
        },
        ct);

    public Task ReleaseAsync(IdempotencyName name, string owner, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var release = session.Use(Release);
            return Key(release, name).Set("$owner", owner).Run();
        },
        ct);

    public Task<int> DropAsync(DateTimeOffset now, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var delete = session.Use(DeletePast);
            return delete.Set("$now", Milliseconds(now)).Set("$limit", DroppedAtOnce).Run();
        },
        ct);

    /// <summary>Who has the name; null where this request may have it.</summary>
    private static ClaimResult? Find(Session session, IdempotencyClaim claim, DateTimeOffset now)
    {
        using var row = session.Use(SelectClaim);
        Key(row, claim.Name).Set("$now", Milliseconds(now));
        if (!row.Step()) return null;
        if (!row.Blob(0).AsSpan().SequenceEqual(claim.RequestHash.Span)) return new ClaimResult(ClaimKind.Other);
        if (!row.IsNull(2)) return new ClaimResult(ClaimKind.Answered, row.Blob(2));
        return row.Long(1) > Milliseconds(now) ? new ClaimResult(ClaimKind.Running) : null;
    }

    private static Statement Key(Statement statement, IdempotencyName name) => statement.Set("$tenant", name.Tenant.Value).Set("$key", name.Key.Value).Set("$name", name.Value);

    private static long Milliseconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds();
}
