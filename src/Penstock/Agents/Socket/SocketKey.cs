using System.Buffers.Text;
using System.Text;
using Penstock.Kernel;

namespace Penstock.Agents.Socket;

/// <summary>
/// Where a socket's key stands. Never in the address, which ends up in logs and histories: in a header, or, for browsers, which can set none, in the list of
/// subprotocols, or in the first message.
/// </summary>
internal static class SocketKey
{
    public const string Protocol = "penstock.v1";

    private const string Prefix = "key.";

    /// <summary>Null where the client names no key there; throws 401 where what it names is none.</summary>
    public static string? Of(IEnumerable<string> protocols)
    {
        if (protocols.FirstOrDefault(protocol => protocol.StartsWith(Prefix, StringComparison.Ordinal)) is not { } named) return null;
        var encoded = Encoding.ASCII.GetBytes(named[Prefix.Length..]);
        var key = new byte[Base64Url.GetMaxDecodedLength(encoded.Length)];
        // A padded or broken text is no key, and neither is one with a character that no header may hold.
        if (!Base64Url.IsValid(encoded) || !Base64Url.TryDecodeFromUtf8(encoded, key, out var length) || key.AsSpan(0, length).ContainsAnyExceptInRange((byte)'!', (byte)'~'))
            throw new RefusedException(new Refusal(RefusalKind.Unauthenticated, "invalid_api_key", $"The subprotocol 'key.…' must be 'key.' and the API key in base64url, beside '{Protocol}'."));
        return Encoding.ASCII.GetString(key.AsSpan(0, length));
    }
}
