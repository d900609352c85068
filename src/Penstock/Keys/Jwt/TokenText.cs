using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Penstock.Kernel;

namespace Penstock.Keys.Jwt;

/// <summary>A signed token in compact form (RFC 7515, section 7.1), taken apart and not yet believed. Every refusal is 401 and repeats nothing of it.</summary>
/// <param name="Algorithm">The header's <c>alg</c>.</param>
/// <param name="KeyName">The header's <c>kid</c>; null where there is none.</param>
/// <param name="Signed">What the signature is over.</param>
internal sealed record TokenText(string Algorithm, string? KeyName, JsonView Payload, ReadOnlyMemory<byte> Signed, ReadOnlyMemory<byte> Signature)
{
    private const int Longest = 16 * 1024;

    private static readonly SearchValues<char> Base64UrlCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    /// <summary>An access token of RFC 9068 says <c>at+jwt</c>; most say <c>JWT</c> or nothing. A logout token or an event is no token to come in with.</summary>
    private static readonly string[] Types = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"];

    /// <summary>Whether it was meant as a token: the base64 of every JSON object that begins with a name begins so.</summary>
    public static bool Looks(string text) => text.StartsWith("ey", StringComparison.Ordinal) && text.Contains('.');

    public static TokenText Parse(string text)
    {
        if (text.Length > Longest) throw Refused($"The token is longer than {Longest} characters.");
        var parts = text.Split('.');
        if (parts.Length != 3) throw Refused("The token is no signed JWT: it must have three parts with dots between them.");

        var header = ReadObject(parts[0], "header");
        var payload = ReadObject(parts[1], "payload");
        var (algorithm, kid) = ReadHeader(header);
        return new TokenText(algorithm, kid, payload, Encoding.ASCII.GetBytes(text, 0, parts[0].Length + 1 + parts[1].Length), Decode(parts[2]) ?? throw Refused("The token's signature is no base64url."));
    }

    /// <summary>The token itself stays out of logs.</summary>
    public override string ToString() => $"token signed with {Algorithm}";

    internal static RefusedException Refused(string message) => new(new Refusal(RefusalKind.Unauthenticated, "invalid_token", message));

    private static (string Algorithm, string? KeyName) ReadHeader(JsonView header)
    {
        // Whatever it says is critical is an extension, and none is known here (RFC 7515, section 4.1.11).
        if (header.Element.TryGetProperty("crit", out _)) throw Refused("The token's header names extensions that must be understood (crit); none is here.");
        if (Text(header, "typ") is { } type && !Types.Contains(type.ToLowerInvariant())) throw Refused("The token's header says that it is of another type (typ) than JWT or at+jwt.");
        return (Text(header, "alg") ?? throw Refused("The token's header names no algorithm (alg)."), Text(header, "kid"));
    }

    private static string? Text(JsonView header, string name)
    {
        if (header.Optional(name) is not { } value) return null;
        try
        {
            return value.Text();
        }
        catch (RefusedException)
        {
            throw Refused($"The token's header has a '{name}' that is no text.");
        }
    }

    private static JsonView ReadObject(string part, string name)
    {
        if (Decode(part) is not { } bytes) throw Refused($"The token's {name} is no base64url.");
        try
        {
            return JsonView.Parse(bytes);
        }
        catch (RefusedException)
        {
            throw Refused($"The token's {name} is no JSON object, or gives a name twice.");
        }
    }

    /// <summary>Without padding or blanks, which .NET would pass over; spare bits it refuses itself. So there is one spelling of each value.</summary>
    private static byte[]? Decode(string part)
    {
        if (part.Length % 4 == 1 || part.AsSpan().ContainsAnyExcept(Base64UrlCharacters)) return null;
        try
        {
            return Base64Url.DecodeFromChars(part);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
