using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>The text of a virtual key: <c>sk-pen-&lt;id&gt;-&lt;secret&gt;</c>. It exists when it is made and when it is sent, and is stored nowhere.</summary>
internal sealed record KeyText(KeyId Id, string Text)
{
    public const string Prefix = "sk-pen-";

    private const int SecretBytes = 32;
    private const int ShortestSecret = 32;
    private const int LongestText = 256;

    public static KeyText Create(IdSource ids) => For(new KeyId(ids.Hex(8)), ids);

    /// <summary>A new secret for a key that exists.</summary>
    public static KeyText For(KeyId id, IdSource ids) => new(id, $"{Prefix}{id}-{ids.Hex(SecretBytes)}");

    public static bool TryParse(string? text, [NotNullWhen(true)] out KeyText? key)
    {
        key = null;
        if (text is null || text.Length > LongestText || !text.StartsWith(Prefix, StringComparison.Ordinal)) return false;
        var dash = text.IndexOf('-', Prefix.Length);
        if (dash <= Prefix.Length || text.Length - dash - 1 < ShortestSecret) return false;
        foreach (var c in text.AsSpan(Prefix.Length))
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_')) return false;
        }

        key = new KeyText(new KeyId(text[Prefix.Length..dash]), text);
        return true;
    }

    public byte[] Hash() => SHA256.HashData(Encoding.ASCII.GetBytes(Text));

    /// <summary>The secret stays out of logs.</summary>
    public override string ToString() => $"{Prefix}{Id}-…";
}
