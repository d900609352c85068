using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Penstock.Keys.Jwt;

/// <summary>
/// Says which key a token stands for. A token is verified once and then known by its hash until it expires; it is forgotten at once when the configuration
/// changes, and when its issuer no longer has the key that signed it.
/// </summary>
internal sealed class Tokens(IssuerSection section, TimeProvider time)
{
    /// <summary>Throws 401 that says what is wrong, and 503 where nobody can say.</summary>
    public async ValueTask<KeyRecord> AuthenticateAsync(string text, CancellationToken ct)
    {
        var trusted = section.Current;
        if (trusted.Issuers.Count == 0) throw TokenText.Refused("No token is accepted here: no issuer is configured.");

        var hash = TokenHash.Of(text);
        if (trusted.Known.TryGetValue(hash, out var known) && time.GetUtcNow() < known.Until && known.Issuer.Keys.Holds(known.Signer)) return known.Key;

        known = await VerifyAsync(trusted, TokenText.Parse(text), ct);
        trusted.Remember(hash, known);
        return known.Key;
    }

    /// <summary>In this order: who may have signed it and how, whether they did, and only then what it says.</summary>
    private async ValueTask<KnownToken> VerifyAsync(TrustedIssuers trusted, TokenText token, CancellationToken ct)
    {
        if (TokenClaims.IssuerOf(token.Payload) is not { } name || !trusted.Issuers.TryGetValue(name, out var issuer)) throw TokenText.Refused("The token is of an issuer that is not trusted here ('iss').");
        if (SignatureAlgorithm.Find(token.Algorithm) is not { } algorithm || !issuer.Rules.Algorithms.Contains(algorithm.Name))
            throw TokenText.Refused($"The token is not signed in a way that its issuer may use (alg). Allowed: {string.Join(", ", issuer.Rules.Algorithms)}.");

        foreach (var key in await issuer.Keys.FindAsync(token.KeyName, algorithm, ct))
        {
            if (!key.Verify(algorithm, token.Signed.Span, token.Signature.Span)) continue;
            var record = TokenClaims.ReadKey(token.Payload, issuer.Rules, time.GetUtcNow());
            return new KnownToken(record, key, issuer, record.ExpiresAt!.Value + issuer.Rules.ClockSkew);
        }

        throw TokenText.Refused("The token's signature is not its issuer's.");
    }
}

/// <summary>An issuer's rules, and its keys.</summary>
internal sealed record TrustedIssuer(Issuer Rules, IssuerKeys Keys);

/// <summary>A token that was verified.</summary>
internal sealed record KnownToken(KeyRecord Key, SigningKey Signer, TrustedIssuer Issuer, DateTimeOffset Until);

/// <summary>SHA-256 of a token.</summary>
internal readonly record struct TokenHash(UInt128 High, UInt128 Low)
{
    public static TokenHash Of(string token)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(token), hash);
        return new TokenHash(MemoryMarshal.Read<UInt128>(hash), MemoryMarshal.Read<UInt128>(hash[16..]));
    }
}

/// <summary>One configuration's issuers, by their URLs, and the tokens that were verified under it.</summary>
internal sealed record TrustedIssuers(IReadOnlyDictionary<string, TrustedIssuer> Issuers)
{
    private const int MostRemembered = 10_000;

    public ConcurrentDictionary<TokenHash, KnownToken> Known { get; } = new();

    public void Remember(TokenHash hash, KnownToken token)
    {
        if (Known.Count >= MostRemembered) Known.Clear();
        Known[hash] = token;
    }
}
