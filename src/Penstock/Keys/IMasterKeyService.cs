namespace Penstock.Keys;

/// <summary>A service that wraps data keys under a master key which it never gives away. Every wrapping is bound to its name: under another it does not open.</summary>
public interface IMasterKeyService
{
    /// <summary>For who operates this server.</summary>
    string Name { get; }

    /// <summary>Whether this service wrapped what stands under a master key of this id.</summary>
    bool Knows(string masterKey);

    /// <summary>A new data key of 32 bytes.</summary>
    /// <exception cref="MasterKeyUnavailableException">It did not answer, or refused to.</exception>
    Task<WrappedDataKey> MakeAsync(ProviderKeyName name, CancellationToken ct);

    /// <summary>Wraps a data key that another master key wrapped before.</summary>
    /// <exception cref="MasterKeyUnavailableException">It did not answer, or refused to.</exception>
    Task<WrappedDataKey> WrapAsync(ProviderKeyName name, ReadOnlyMemory<byte> dataKey, CancellationToken ct);

    /// <summary>Null where it was wrapped for another name, or was changed.</summary>
    /// <exception cref="MasterKeyUnavailableException">It did not answer, or refused to.</exception>
    Task<byte[]?> UnwrapAsync(ProviderKeyName name, ReadOnlyMemory<byte> wrapped, CancellationToken ct);
}

/// <param name="MasterKey">Id of the master key.</param>
/// <param name="DataKey">In the open; never stored.</param>
public sealed record WrappedDataKey(string MasterKey, ReadOnlyMemory<byte> DataKey, ReadOnlyMemory<byte> Wrapped);

/// <param name="message">Why, without any key.</param>
public sealed class MasterKeyUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
