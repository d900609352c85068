using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>Virtual keys. Writes are durable when their task completes. Only <see cref="FindAsync"/> looks across tenants, because the key itself says which one.</summary>
public interface IKeyStore
{
    /// <summary>False where the id exists already; nothing is changed then. Creates the tenant and the project on their first key.</summary>
    Task<bool> AddAsync(KeyRecord key, CancellationToken ct);

    /// <summary>The key with this id in whichever tenant, revoked and expired ones included; null where there is none.</summary>
    Task<KeyRecord?> FindAsync(KeyId id, CancellationToken ct);

    Task<KeyRecord?> GetAsync(TenantId tenant, KeyId id, CancellationToken ct);

    /// <summary>Oldest first.</summary>
    Task<IReadOnlyList<KeyRecord>> ListAsync(TenantId tenant, CancellationToken ct);

    /// <summary>False where the tenant has no such key. Revoking a second time keeps the first time stamp and is true.</summary>
    Task<bool> RevokeAsync(TenantId tenant, KeyId id, DateTimeOffset at, CancellationToken ct);

    /// <summary>
    /// Sets the new hash and keeps the present one as previous until <paramref name="previousUntil"/>.
    /// False where the tenant has no such key or it is revoked.
    /// </summary>
    Task<bool> RotateAsync(TenantId tenant, KeyId id, ReadOnlyMemory<byte> hash, DateTimeOffset previousUntil, CancellationToken ct);
}
