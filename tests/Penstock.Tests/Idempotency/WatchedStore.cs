using Penstock.Idempotency;

namespace Penstock.Tests.Idempotency;

/// <summary>The embedded store, and what was last written to it.</summary>
internal sealed class WatchedStore(IIdempotencyStore store) : IIdempotencyStore
{
    public DateTimeOffset? LeaseUntil { get; private set; }

    public int Completed { get; private set; }

    public Task<ClaimResult> ClaimAsync(IdempotencyClaim claim, DateTimeOffset now, CancellationToken ct) => store.ClaimAsync(claim, now, ct);

    public async Task<bool> RenewAsync(IdempotencyName name, string owner, DateTimeOffset leaseUntil, CancellationToken ct)
    {
        var renewed = await store.RenewAsync(name, owner, leaseUntil, ct);
        if (renewed) LeaseUntil = leaseUntil;
        return renewed;
    }

    public async Task<bool> CompleteAsync(IdempotencyName name, string owner, ReadOnlyMemory<byte> answer, DateTimeOffset keepUntil, CancellationToken ct)
    {
        var completed = await store.CompleteAsync(name, owner, answer, keepUntil, ct);
        if (completed) Completed++;
        return completed;
    }

    public Task ReleaseAsync(IdempotencyName name, string owner, CancellationToken ct) => store.ReleaseAsync(name, owner, ct);

    public Task<int> DropAsync(DateTimeOffset now, CancellationToken ct) => store.DropAsync(now, ct);
}
