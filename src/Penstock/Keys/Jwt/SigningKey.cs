using System.Buffers.Text;
using System.Security.Cryptography;
using Penstock.Kernel;

namespace Penstock.Keys.Jwt;

/// <summary>A signature algorithm of RFC 7518, section 3.1. Only such whose key may be public: an HMAC over a public key, or no signature at all, proves nothing.</summary>
/// <param name="Curve">Null for RSA.</param>
internal sealed record SignatureAlgorithm(string Name, HashAlgorithmName Hash, string? Curve, bool Pss)
{
    public static readonly IReadOnlyList<SignatureAlgorithm> All =
    [
        new("RS256", HashAlgorithmName.SHA256, null, false),
        new("RS384", HashAlgorithmName.SHA384, null, false),
        new("RS512", HashAlgorithmName.SHA512, null, false),
        new("PS256", HashAlgorithmName.SHA256, null, true),
        new("ES256", HashAlgorithmName.SHA256, "P-256", false),
        new("ES384", HashAlgorithmName.SHA384, "P-384", false),
    ];

    public static SignatureAlgorithm? Find(string name) => All.FirstOrDefault(algorithm => algorithm.Name == name);
}

/// <summary>A public key of an issuer, from a JWK (RFC 7517).</summary>
internal sealed class SigningKey
{
    private const int ShortestModulus = 256;
    private const int LongestModulus = 1024;
    private const int LongestExponent = 8;

    private readonly string? _algorithm;
    private readonly string? _curve;
    private readonly byte[] _first;
    private readonly byte[] _second;

    private SigningKey(string? name, string? algorithm, string? curve, byte[] first, byte[] second) => (Name, _algorithm, _curve, _first, _second) = (name, algorithm, curve, first, second);

    /// <summary>Its <c>kid</c>.</summary>
    public string? Name { get; }

    /// <summary>Null where it is of a kind, a use or a strength that is not ours: a set may hold such keys for others.</summary>
    public static SigningKey? Read(JsonView jwk)
    {
        if (jwk.Optional("use") is { } use && use.Text() != "sig") return null;
        if (jwk.Optional("key_ops") is { } uses && !uses.Items().Any(item => item.Text() == "verify")) return null;
        var (name, algorithm) = (jwk.Optional("kid")?.Text(), jwk.Optional("alg")?.Text());
        switch (jwk.Required("kty").Text())
        {
            case "RSA":
                var (modulus, exponent) = (Bytes(jwk.Required("n")), Bytes(jwk.Required("e")));
                return modulus.Length is >= ShortestModulus and <= LongestModulus && exponent.Length is >= 1 and <= LongestExponent ? new SigningKey(name, algorithm, null, modulus, exponent) : null;
            case "EC":
                var curve = jwk.Required("crv").Text();
                if (!SignatureAlgorithm.All.Any(known => known.Curve == curve)) return null;
                return new SigningKey(name, algorithm, curve, Bytes(jwk.Required("x")), Bytes(jwk.Required("y")));
            default:
                return null;
        }
    }

    public bool Fits(SignatureAlgorithm algorithm) => _curve == algorithm.Curve && (_algorithm is null || _algorithm == algorithm.Name);

    public bool Verify(SignatureAlgorithm algorithm, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature)
    {
        try
        {
            // Made anew: an object of .NET's may not verify on two threads at once, and a token is verified once.
            if (_curve is null)
            {
                using var rsa = RSA.Create(new RSAParameters { Modulus = _first, Exponent = _second });
                return rsa.VerifyData(signed, signature, algorithm.Hash, algorithm.Pss ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1);
            }

            using var ecdsa = ECDsa.Create(new ECParameters { Curve = _curve == "P-256" ? ECCurve.NamedCurves.nistP256 : ECCurve.NamedCurves.nistP384, Q = new ECPoint { X = _first, Y = _second } });
            return ecdsa.VerifyData(signed, signature, algorithm.Hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        }
        catch (CryptographicException)
        {
            // The issuer gave a point that is not on its curve, or the like: it verifies nothing.
            return false;
        }
    }

    /// <summary>The same key under the same name.</summary>
    public bool Is(SigningKey other) => Name == other.Name && _algorithm == other._algorithm && _curve == other._curve && _first.AsSpan().SequenceEqual(other._first) && _second.AsSpan().SequenceEqual(other._second);

    private static byte[] Bytes(JsonView base64)
    {
        try
        {
            var bytes = Base64Url.DecodeFromChars(base64.Text());
            // Some issuers put a zero before a number whose first bit is set. A coordinate has its curve's length, zeros included.
            return bytes is [0, ..] && bytes.Length % 2 == 1 ? bytes[1..] : bytes;
        }
        catch (FormatException)
        {
            throw base64.Bad("is no base64url");
        }
    }
}
