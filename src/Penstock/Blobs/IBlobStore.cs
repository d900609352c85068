using Penstock.Kernel;

namespace Penstock.Blobs;

/// <summary>Bodies that are too large for a row, by name. Every one belongs to a tenant, and no read crosses one.</summary>
public interface IBlobStore
{
    /// <summary>Durable when it returns. A name that is taken keeps what it has where that is the same, byte for byte.</summary>
    /// <exception cref="RefusedException">The name holds something else: a blob never changes.</exception>
    Task PutAsync(TenantId tenant, BlobName name, ReadOnlyMemory<byte> body, CancellationToken ct);

    /// <summary>Null where there is none.</summary>
    Task<ReadOnlyMemory<byte>?> GetAsync(TenantId tenant, BlobName name, CancellationToken ct);

    /// <summary>Removes all whose name begins with the folder of <paramref name="folder"/>, which ends in <c>/</c>. None is no error.</summary>
    Task RemoveAsync(TenantId tenant, string folder, CancellationToken ct);
}

/// <param name="Value">Parts of <c>a-z A-Z 0-9 _ - .</c>, none empty and none of dots alone, joined by <c>/</c>; 512 bytes at most.</param>
public readonly record struct BlobName(string Value)
{
    public override string ToString() => Value;
}
