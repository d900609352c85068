using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Penstock.Tests.Keys.Jwt;

/// <summary>An issuer on a real socket: discovery, keys that change, and tokens as Cognito makes them. Its paths are those of a user pool.</summary>
internal sealed class TestIssuer : IAsyncDisposable
{
    public const string Pool = "/eu-central-1_test";

    private readonly WebApplication _app;
    private int _asked;

    private TestIssuer(WebApplication app)
    {
        _app = app;
        Answer = http => http.Response.WriteAsync(Jwks);
        app.MapGet(Pool + "/.well-known/openid-configuration", http => http.Response.WriteAsync(Discovery ?? $$"""{"issuer": "{{Url}}", "jwks_uri": "{{Url}}/.well-known/jwks.json", "scopes_supported": ["openid"]}"""));
        app.MapGet(Pool + "/.well-known/jwks.json", http =>
        {
            Interlocked.Increment(ref _asked);
            return Answer(http);
        });
        app.MapGet("/elsewhere", http => http.Response.WriteAsync(Jwks));
    }

    public string Url { get; private set; } = "";

    /// <summary>In the place of its own document, if set.</summary>
    public string? Discovery { get; set; }

    /// <summary>Those that it gives to whoever asks.</summary>
    public List<TestKey> Keys { get; } = [];

    public string Jwks => $$"""{"keys": [{{string.Join(", ", Keys.Select(key => key.Jwk))}}]}""";

    public Func<HttpContext, Task> Answer { get; set; }

    /// <summary>How often it was asked for its keys.</summary>
    public int Asked => Volatile.Read(ref _asked);

    public static async Task<TestIssuer> StartAsync(params IEnumerable<TestKey> keys)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var issuer = new TestIssuer(app);
        issuer.Keys.AddRange(keys);
        await app.StartAsync(Xunit.TestContext.Current.CancellationToken);
        issuer.Url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + Pool;
        return issuer;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}

/// <summary>A key pair of an issuer, or of somebody who would like to be one.</summary>
internal sealed class TestKey
{
    private readonly RSA? _rsa;
    private readonly ECDsa? _ecdsa;

    private TestKey(string name, RSA? rsa, ECDsa? ecdsa, string? algorithm) => (Name, _rsa, _ecdsa, Algorithm) = (name, rsa, ecdsa, algorithm);

    public string Name { get; }

    public string? Algorithm { get; }

    public static TestKey Rsa(string name, int bits = 2048, string? algorithm = null) => new(name, RSA.Create(bits), null, algorithm);

    public static TestKey Ec(string name, ECCurve? curve = null) => new(name, null, ECDsa.Create(curve ?? ECCurve.NamedCurves.nistP256), null);

    public string Jwk
    {
        get
        {
            var algorithm = Algorithm is null ? "" : $", \"alg\": \"{Algorithm}\"";
            if (_rsa?.ExportParameters(false) is { } rsa) return $$"""{"kty": "RSA", "use": "sig", "kid": "{{Name}}"{{algorithm}}, "n": "{{Base64Url.EncodeToString(rsa.Modulus)}}", "e": "{{Base64Url.EncodeToString(rsa.Exponent)}}"}""";
            var ec = _ecdsa!.ExportParameters(false);
            return $$"""{"kty": "EC", "use": "sig", "kid": "{{Name}}", "crv": "P-{{_ecdsa.KeySize}}", "x": "{{Base64Url.EncodeToString(ec.Q.X)}}", "y": "{{Base64Url.EncodeToString(ec.Q.Y)}}"}""";
        }
    }

    /// <summary>What an attacker can read of an RSA key, in the form that libraries hand to an HMAC.</summary>
    public string Pem => _rsa!.ExportSubjectPublicKeyInfoPem();

    public string Sign(string payload, string algorithm = "RS256", string? header = null)
    {
        var signed = $"{Part(header ?? $$"""{"alg": "{{algorithm}}", "kid": "{{Name}}", "typ": "JWT"}""")}.{Part(payload)}";
        return $"{signed}.{Base64Url.EncodeToString(Sign(Encoding.ASCII.GetBytes(signed), algorithm))}";
    }

    public static string Part(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    private byte[] Sign(byte[] signed, string algorithm)
    {
        var hash = new HashAlgorithmName("SHA" + algorithm[2..]);
        if (_ecdsa is not null) return _ecdsa.SignData(signed, hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        return _rsa!.SignData(signed, hash, algorithm.StartsWith('P') ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1);
    }
}

/// <summary>Payloads.</summary>
internal static class Claims
{
    public const string Client = "7k3hq1client";

    /// <summary>An access token as Cognito gives it for client credentials, of 10 minutes; <paramref name="more"/> members are appended.</summary>
    public static string Access(string issuer, DateTimeOffset now, string more = "", string scope = "penstock/ai:complete", int minutes = 10) => string.Create(CultureInfo.InvariantCulture,
        $$"""{"sub": "{{Client}}", "token_use": "access", "scope": "{{scope}}", "auth_time": {{now.ToUnixTimeSeconds()}}, "iss": "{{issuer}}", "exp": {{now.AddMinutes(minutes).ToUnixTimeSeconds()}}, "iat": {{now.ToUnixTimeSeconds()}}, "version": 2, "jti": "5a1c", "client_id": "{{Client}}"{{(more.Length == 0 ? "" : ", " + more)}}}""");
}
