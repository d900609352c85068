using System.Security.Cryptography;

namespace Penstock.Keys;

/// <summary>A key that wraps data keys. Its id is made from its hash and tells nothing of it.</summary>
internal sealed class MasterKey
{
    public const int Bytes = 32;

    private const int IdBytes = 8;

    private readonly byte[] _key;

    public MasterKey(ReadOnlySpan<byte> key)
    {
        if (key.Length != Bytes) throw new ArgumentException($"A master key has {Bytes} bytes.", nameof(key));
        _key = key.ToArray();
        Id = Convert.ToHexStringLower(SHA256.HashData([.. "penstock master key 1"u8, .. key]).AsSpan(0, IdBytes));
    }

    public string Id { get; }

    public byte[] Seal(ReadOnlySpan<byte> plain, ReadOnlySpan<byte> bound) => Envelope.Seal(_key, plain, bound);

    /// <summary>Null where another key sealed it, or for something else.</summary>
    public byte[]? Open(ReadOnlySpan<byte> text, ReadOnlySpan<byte> bound) => Envelope.Open(_key, text, bound);

    public override string ToString() => Id;
}

/// <summary>AES-256-GCM: 12 bytes nonce, fresh each time, 16 bytes tag, ciphertext.</summary>
internal static class Envelope
{
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    public static byte[] Seal(ReadOnlySpan<byte> key, ReadOnlySpan<byte> plain, ReadOnlySpan<byte> bound)
    {
        var text = new byte[NonceBytes + TagBytes + plain.Length];
        RandomNumberGenerator.Fill(text.AsSpan(0, NonceBytes));
        using var aes = new AesGcm(key, TagBytes);
        aes.Encrypt(text.AsSpan(0, NonceBytes), plain, text.AsSpan(NonceBytes + TagBytes), text.AsSpan(NonceBytes, TagBytes), bound);
        return text;
    }

    public static byte[]? Open(ReadOnlySpan<byte> key, ReadOnlySpan<byte> text, ReadOnlySpan<byte> bound)
    {
        if (text.Length < NonceBytes + TagBytes) return null;
        var plain = new byte[text.Length - NonceBytes - TagBytes];
        using var aes = new AesGcm(key, TagBytes);
        try
        {
            aes.Decrypt(text[..NonceBytes], text[(NonceBytes + TagBytes)..], text.Slice(NonceBytes, TagBytes), plain, bound);
            return plain;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }
}
