using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway.Cache;

/// <summary>Complete answers by what was asked. Every entry belongs to a tenant, and no read crosses one. Losing an entry loses money, not correctness.</summary>
public interface ICacheStore
{
    /// <summary>Null where there is none, or it expires at or before <paramref name="now"/>.</summary>
    Task<CachedAnswer?> FindAsync(TenantId tenant, CacheKey key, DateTimeOffset now, CancellationToken ct);

    /// <summary>Adds the answer or replaces the one under the key.</summary>
    Task PutAsync(TenantId tenant, CacheKey key, CachedAnswer answer, CancellationToken ct);

    /// <summary>
    /// Drops what expired by <paramref name="now"/> and then, where the store has no bound of its own, the oldest until at most <paramref name="mostBytes"/>
    /// are left; every tenant's. Returns how many it dropped.
    /// </summary>
    Task<int> TrimAsync(DateTimeOffset now, long mostBytes, CancellationToken ct);
}

/// <param name="Value">SHA-256 over everything that decides the answer, in lower-case hexadecimal.</param>
public readonly record struct CacheKey(string Value)
{
    public override string ToString() => Value;
}

/// <summary>An answer as its client got it, so that it can be given again byte for byte.</summary>
public sealed record CachedAnswer
{
    public required string ContentType { get; init; }

    /// <summary>The whole body: a JSON object, or a stream's frames to its end.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    public required string Provider { get; init; }

    /// <summary>As the provider names it.</summary>
    public required string Model { get; init; }

    public required TokenCounts Tokens { get; init; }

    /// <summary>What it cost when it was made, which is what each hit saves.</summary>
    public required Money Cost { get; init; }

    public required DateTimeOffset At { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}
