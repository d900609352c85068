using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Tests.Keys;

/// <summary>Keys and requests that carry them.</summary>
internal static class Callers
{
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
