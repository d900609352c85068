using Penstock.Kernel;

namespace Penstock.Blobs;

/// <summary>Bodies that are too large for a row, by name. Every one belongs to a tenant, and no read crosses one.</summary>
public interface IBlobStore
{
    /// <summary>Durable when it returns. A name that is taken keeps what it has where that is the same, byte for byte.</summary>
    /// <exception cref="RefusedException">409 <c>blob_taken</c>: the name holds something else, and a blob never changes.</exception>
    /// <exception cref="ArgumentException">The name is none.</exception>
    Task PutAsync(TenantId tenant, BlobName name, ReadOnlyMemory<byte> body, CancellationToken ct);

    /// <summary>Null where there is none.</summary>
    /// <exception cref="ArgumentException">The name is none.</exception>
    Task<ReadOnlyMemory<byte>?> GetAsync(TenantId tenant, BlobName name, CancellationToken ct);

    /// <summary>Removes all whose name begins with the folder of <paramref name="folder"/>, which ends in <c>/</c>. None is no error.</summary>
    /// <exception cref="ArgumentException">It names no folder.</exception>
    Task RemoveAsync(TenantId tenant, string folder, CancellationToken ct);
}
