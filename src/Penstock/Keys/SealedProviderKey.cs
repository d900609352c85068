using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>Whose key at which provider.</summary>
/// <param name="Key">Null for the tenant's own, which serves every key of the tenant that has none.</param>
public readonly record struct ProviderKeyName(TenantId Tenant, KeyId? Key, string Provider)
{
    public override string ToString() => Key is { } key ? $"{Tenant}/{key}/{Provider}" : $"{Tenant}/{Provider}";
}

/// <summary>
/// A provider key as it is stored: sealed under a data key of its own, which a master key wraps, so that another master key can take over without
/// anybody reading what is sealed. Both are AES-256-GCM (12 bytes nonce, 16 bytes tag, ciphertext) and bound to <see cref="Name"/>: a row that was moved
/// to another name does not open.
/// </summary>
public sealed record SealedProviderKey
{
    public required ProviderKeyName Name { get; init; }

    /// <summary>Id of the master key that wrapped the data key.</summary>
    public required string MasterKey { get; init; }

    public required ReadOnlyMemory<byte> WrappedKey { get; init; }

    public required ReadOnlyMemory<byte> Sealed { get; init; }

    /// <summary>Its last characters, to tell one from another; empty where it is too short to show any.</summary>
    public required string Ending { get; init; }

    /// <summary>When it was stored, UTC, to the millisecond.</summary>
    public required DateTimeOffset At { get; init; }

    internal static SealedProviderKey Seal(MasterKey master, ProviderKeyName name, string text, DateTimeOffset at)
    {
        var dataKey = new byte[Keys.MasterKey.Bytes];
        RandomNumberGenerator.Fill(dataKey);
        try
        {
            return Seal(new WrappedDataKey(master.Id, dataKey, master.Seal(dataKey, Bound("key"u8, name))), name, text, at);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(dataKey);
        }
    }

    internal static SealedProviderKey Seal(WrappedDataKey key, ProviderKeyName name, string text, DateTimeOffset at)
    {
        const int Shown = 4;
        const int ShortestShown = 20;
        return new SealedProviderKey
        {
            Name = name,
            MasterKey = key.MasterKey,
            WrappedKey = key.Wrapped,
            Sealed = Envelope.Seal(key.DataKey.Span, Encoding.UTF8.GetBytes(text), Bound("text"u8, name)),
            Ending = text.Length >= ShortestShown ? text[^Shown..] : "",
            At = DateTimeOffset.FromUnixTimeMilliseconds(at.ToUnixTimeMilliseconds()),
        };
    }

    /// <summary>Null where it was sealed by another master key or for another name, or was changed.</summary>
    internal string? Open(MasterKey master)
    {
        if (Unwrap(master) is not { } dataKey) return null;
        try
        {
            return Open(dataKey);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(dataKey);
        }
    }

    internal string? Open(ReadOnlySpan<byte> dataKey) => Envelope.Open(dataKey, Sealed.Span, Bound("text"u8, Name)) is { } text ? Encoding.UTF8.GetString(text) : null;

    internal byte[]? Unwrap(MasterKey master) => master.Open(WrappedKey.Span, Bound("key"u8, Name));

    /// <summary>The same under another master key; null where <paramref name="from"/> does not open it.</summary>
    internal SealedProviderKey? Rewrap(MasterKey from, MasterKey to)
    {
        if (Unwrap(from) is not { } dataKey) return null;
        try
        {
            return this with { MasterKey = to.Id, WrappedKey = to.Seal(dataKey, Bound("key"u8, Name)) };
        }
        finally
        {
            CryptographicOperations.ZeroMemory(dataKey);
        }
    }

    /// <summary>Each part behind its length, so that no two names read the same.</summary>
    private static byte[] Bound(ReadOnlySpan<byte> purpose, ProviderKeyName name)
    {
        var bytes = new List<byte>(128);
        bytes.AddRange("penstock provider key 1 "u8);
        bytes.AddRange(purpose);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (var part in (ReadOnlySpan<string>)[name.Tenant.Value, name.Key?.Value ?? "", name.Provider])
        {
            var text = Encoding.UTF8.GetBytes(part);
            BinaryPrimitives.WriteInt32BigEndian(length, text.Length);
            bytes.AddRange(length);
            bytes.AddRange(text);
        }

        return [.. bytes];
    }
}
