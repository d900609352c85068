using System.Security.Cryptography;
using System.Text;
using Penstock.Kernel;

namespace Penstock.Configuration;

/// <summary>Key of the signature on what we send to the operator's own URLs, 24 to 64 bytes, as https://www.standardwebhooks.com specifies it.</summary>
internal sealed class HookSecret(ReadOnlyMemory<byte> key)
{
    private const string Prefix = "whsec_";
    private const int Shortest = 24;
    private const int Longest = 64;

    public static HookSecret Read(JsonView text)
    {
        var value = SecretText.Read(text);
        var bytes = new byte[value.Length];
        if (value.StartsWith(Prefix, StringComparison.Ordinal) && Convert.TryFromBase64String(value[Prefix.Length..], bytes, out var length) && length is >= Shortest and <= Longest)
        {
            return new HookSecret(bytes.AsMemory(0, length));
        }

        throw text.Bad($"must be '{Prefix}' and {Shortest} to {Longest} bytes in base64 (echo {Prefix}$(openssl rand -base64 32))");
    }

    /// <param name="timestamp">Seconds since 1970, as text: of this try, because receivers refuse what is old.</param>
    public string Sign(string id, string timestamp, ReadOnlySpan<byte> body)
    {
        var signed = new byte[Encoding.UTF8.GetByteCount(id) + Encoding.UTF8.GetByteCount(timestamp) + 2 + body.Length];
        var head = Encoding.UTF8.GetBytes($"{id}.{timestamp}.", signed);
        body.CopyTo(signed.AsSpan(head));
        return "v1," + Convert.ToBase64String(HMACSHA256.HashData(key.Span, signed));
    }

    /// <summary>One of its own for each of those whom we sign for: none of them can sign what another believes.</summary>
    public HookSecret For(string whom) => new(HKDF.DeriveKey(HashAlgorithmName.SHA256, key.ToArray(), 32, info: Encoding.UTF8.GetBytes(whom)));

    /// <summary>As a receiver's library takes it. Shown to whom it belongs, and to nobody else.</summary>
    public string Reveal() => Prefix + Convert.ToBase64String(key.Span);

    /// <summary>Bytes of the key.</summary>
    public int Length => key.Length;

    /// <summary>Without the key.</summary>
    public override string ToString() => Prefix + "…";
}
