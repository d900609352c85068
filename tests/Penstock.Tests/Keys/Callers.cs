using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Keys.Jwt;
using Penstock.Tests.Configuration;

namespace Penstock.Tests.Keys;

/// <summary>Keys and requests that carry them.</summary>
internal static class Callers
{
    /// <summary>32 bytes in base64.</summary>
    public const string MasterKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    public const string Secret = "0123456789abcdef0123456789abcdef";

    public static KeyText Text(string id, string secret = Secret) => new(new KeyId(id), $"sk-pen-{id}-{secret}");

    public static KeyRecord Key(KeyText text, DateTimeOffset createdAt, Scopes scopes = Scopes.Complete) => new()
    {
        Tenant = TenantId.Default,
        Project = ProjectId.Default,
        Id = text.Id,
        Name = "test",
        Hash = text.Hash(),
        Scopes = scopes,
        CreatedAt = createdAt,
    };

    /// <summary>No issuer is trusted, and the master key is the test's.</summary>
    public static KeyRing Ring(EmbeddedStore store, TimeProvider time) =>
        new(store.Keys, new Tokens(new IssuerSection(new JwksHttp(time), time, NullLogger<IssuerSection>.Instance), time), Vault(store, time), time);

    public static ProviderKeys Vault(EmbeddedStore store, TimeProvider time, params (string Name, string? Value)[] environment) =>
        new(store.ProviderKeys, new MasterKeys(Sections.Environment(environment.Length > 0 ? environment : [("PENSTOCK_MASTER_KEY", MasterKey)]), NullLogger<MasterKeys>.Instance), time);

    public static DefaultHttpContext Request(string? authorization, string? apiKey = null)
    {
        var http = new DefaultHttpContext();
        http.Features.Set(new RequestScope(new RequestId("req_1"), 0));
        if (authorization is not null) http.Request.Headers.Authorization = authorization;
        if (apiKey is not null) http.Request.Headers["x-api-key"] = apiKey;
        return http;
    }

    public static DefaultHttpContext Request(KeyText key) => Request($"Bearer {key.Text}");
}
