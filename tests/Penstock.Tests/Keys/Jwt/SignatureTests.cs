using System.Security.Cryptography;
using System.Text;
using Penstock.Kernel;
using Penstock.Keys.Jwt;
using Xunit;

namespace Penstock.Tests.Keys.Jwt;

public sealed class SignatureTests
{
    private const string Payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    /// <summary>RFC 7515, appendix A.2.</summary>
    private const string RsaKey = """
        {"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}
        """;

    private const string RsaToken = $"eyJhbGciOiJSUzI1NiJ9.{Payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

    /// <summary>RFC 7515, appendix A.3.</summary>
    private const string EcKey = """{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}""";

    private const string EcToken = $"eyJhbGciOiJFUzI1NiJ9.{Payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    [Theory]
    [InlineData(RsaKey, RsaToken, "RS256")]
    [InlineData(EcKey, EcToken, "ES256")]
    public void The_examples_of_RFC_7515_verify_and_no_bit_of_them_may_change(string jwk, string text, string name)
    {
        var (key, token, algorithm) = (Key(jwk), TokenText.Parse(text), SignatureAlgorithm.Find(name)!);

        Assert.Equal(name, token.Algorithm);
        Assert.Equal("joe", TokenClaims.IssuerOf(token.Payload));
        Assert.True(key.Verify(algorithm, token.Signed.Span, token.Signature.Span));
        var (signed, signature) = (token.Signed.ToArray(), token.Signature.ToArray());
        for (var i = 0; i < signature.Length; i += 7) Assert.False(key.Verify(algorithm, signed, Flipped(signature, i)));
        for (var i = 0; i < signed.Length; i += 7) Assert.False(key.Verify(algorithm, Flipped(signed, i), signature));
    }

    [Theory]
    [InlineData("RS256")]
    [InlineData("RS384")]
    [InlineData("RS512")]
    [InlineData("PS256")]
    public void Each_algorithm_of_RSA_verifies_its_own_and_no_other(string name) => VerifiesItsOwn(TestKey.Rsa("a"), name, ["RS256", "RS384", "RS512", "PS256"]);

    [Fact]
    public void Each_curve_verifies_its_own()
    {
        VerifiesItsOwn(TestKey.Ec("a"), "ES256", ["ES256"]);
        VerifiesItsOwn(TestKey.Ec("a", ECCurve.NamedCurves.nistP384), "ES384", ["ES384"]);
        Assert.False(Key(TestKey.Ec("a").Jwk).Fits(SignatureAlgorithm.Find("ES384")!));
        Assert.False(Key(TestKey.Ec("a").Jwk).Fits(SignatureAlgorithm.Find("RS256")!));
    }

    /// <summary>CVE-2022-21449: a signature of zeros verified anything.</summary>
    [Fact]
    public void A_signature_of_zeros_or_of_no_bytes_verifies_nothing()
    {
        var token = TokenText.Parse(EcToken);

        foreach (var signature in new[] { new byte[64], [], new byte[63], new byte[65], [.. new byte[32], .. token.Signature.Span[32..]] })
            Assert.False(Key(EcKey).Verify(SignatureAlgorithm.Find("ES256")!, token.Signed.Span, signature));
    }

    [Theory]
    [InlineData("""{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}""")]
    [InlineData("""{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}""")]
    [InlineData("""{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"}""")]
    [InlineData("""{"kty":"RSA","n":"AQAB","e":"AQAB"}""")]
    public void A_key_of_another_kind_use_or_strength_is_left_out(string jwk) => Assert.Null(SigningKey.Read(JsonView.Parse(Encoding.UTF8.GetBytes(jwk))));

    [Fact]
    public void A_key_that_was_made_for_one_algorithm_serves_no_other()
    {
        var key = Key(TestKey.Rsa("a", algorithm: "RS512").Jwk);

        Assert.True(key.Fits(SignatureAlgorithm.Find("RS512")!));
        Assert.False(key.Fits(SignatureAlgorithm.Find("RS256")!));
    }

    /// <summary>RFC 7519, section 6.1, and what is like it.</summary>
    [Theory]
    [InlineData("none")]
    [InlineData("None")]
    [InlineData("HS256")]
    [InlineData("HS512")]
    [InlineData("PS512")]
    [InlineData("EdDSA")]
    [InlineData("")]
    public void No_other_algorithm_is_known(string name) => Assert.Null(SignatureAlgorithm.Find(name));

    private static void VerifiesItsOwn(TestKey pair, string name, string[] all)
    {
        var (key, token) = (Key(pair.Jwk), TokenText.Parse(pair.Sign("{}", name)));

        Assert.Equal([name], all.Where(other => key.Verify(SignatureAlgorithm.Find(other)!, token.Signed.Span, token.Signature.Span)));
    }

    private static SigningKey Key(string jwk) => SigningKey.Read(JsonView.Parse(Encoding.UTF8.GetBytes(jwk)))!;

    private static byte[] Flipped(byte[] bytes, int at)
    {
        var copy = bytes.ToArray();
        copy[at] ^= 1;
        return copy;
    }
}
