using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>
/// Provider keys, sealed: a store never sees one open. Writes are durable when their task completes. Only <see cref="ListOthersAsync"/> looks across tenants,
/// and it serves nobody but the change of the master key.
/// </summary>
public interface IProviderKeyStore
{
    /// <summary>Adds it, or puts it in the place of the one of the same name.</summary>
    Task PutAsync(SealedProviderKey key, CancellationToken ct);

    /// <summary>Those of one key, or with null the tenant's own, in the order of the providers' names.</summary>
    Task<IReadOnlyList<SealedProviderKey>> ListAsync(TenantId tenant, KeyId? key, CancellationToken ct);

    /// <summary>False where there is none.</summary>
    Task<bool> RemoveAsync(ProviderKeyName name, CancellationToken ct);

    /// <summary>All whose data key another master key than <paramref name="masterKey"/> wrapped, in any order.</summary>
    Task<IReadOnlyList<SealedProviderKey>> ListOthersAsync(string masterKey, CancellationToken ct);

    /// <summary>
    /// Puts the data key as <paramref name="now"/> has it wrapped in the place of how <paramref name="was"/> has it. False, and nothing is changed, where the
    /// row is gone or is another by now.
    /// </summary>
    Task<bool> RewrapAsync(SealedProviderKey was, SealedProviderKey now, CancellationToken ct);
}
