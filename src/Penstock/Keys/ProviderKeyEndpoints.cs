using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>Names of providers that take a key of the caller's own now.</summary>
internal sealed record KeyedProviders(Func<IReadOnlyCollection<string>> Names);

/// <summary>
/// <c>/v1/auth/keys/{id}/providers/{provider}</c>, and <c>/v1/auth/providers/{provider}</c> for all keys of a tenant: admins store, look at and remove keys
/// at providers. What was stored is never shown again.
/// </summary>
internal sealed class ProviderKeyEndpoints(ProviderKeys providerKeys, KeyAdmin admin, KeyedProviders known)
{
    private const int MaxBody = 16 * 1024;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPut("/v1/auth/keys/{id}/providers/{provider}", http => PutAsync(http, KeyAsync));
        routes.MapGet("/v1/auth/keys/{id}/providers/{provider}", http => GetAsync(http, KeyAsync));
        routes.MapDelete("/v1/auth/keys/{id}/providers/{provider}", http => RemoveAsync(http, KeyAsync));
        routes.MapPut("/v1/auth/providers/{provider}", http => PutAsync(http, TenantAsync));
        routes.MapGet("/v1/auth/providers/{provider}", http => GetAsync(http, TenantAsync));
        routes.MapDelete("/v1/auth/providers/{provider}", http => RemoveAsync(http, TenantAsync));
    }

    private async Task<ProviderKeyName> KeyAsync(HttpContext http)
    {
        var key = await admin.FindToChangeAsync(http);
        return new ProviderKeyName(key.Tenant, key.Id, ProviderOf(http));
    }

    private async Task<ProviderKeyName> TenantAsync(HttpContext http) => new(await admin.TenantOfAsync(http), null, ProviderOf(http));

    private async Task PutAsync(HttpContext http, Func<HttpContext, Task<ProviderKeyName>> find)
    {
        var name = await find(http);
        if (known.Names() is var names && !names.Contains(name.Provider))
            throw new RefusedException(Refusal.Invalid("provider", $"There is no provider of this name that takes a key. There {(names.Count == 0 ? "is none" : $"are {string.Join(", ", names)}")}."));
        var body = JsonView.Parse(await Bodies.ReadAsync(http, MaxBody));
        body.AllowOnly("apiKey");
        var field = body.Required("apiKey");
        if (field.Text() is not { } text || !ProviderKeys.IsKey(text)) throw field.Bad($"must be one key of {ProviderKeys.Shortest} to {ProviderKeys.Longest} ASCII characters without blanks");
        await WriteAsync(http, await providerKeys.PutAsync(name, text, http.RequestAborted));
    }

    private async Task GetAsync(HttpContext http, Func<HttpContext, Task<ProviderKeyName>> find) => await WriteAsync(http, await providerKeys.GetAsync(await find(http), http.RequestAborted));

    private async Task RemoveAsync(HttpContext http, Func<HttpContext, Task<ProviderKeyName>> find)
    {
        await providerKeys.RemoveAsync(await find(http), http.RequestAborted);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static string ProviderOf(HttpContext http) => (string)http.Request.RouteValues["provider"]! is var name && PlainName.Is(name)
        ? name
        : throw new RefusedException(Refusal.Invalid("provider", $"'provider' {PlainName.Rule}."));

    private static Task WriteAsync(HttpContext http, SealedProviderKey key) => Json.WriteAsync(http, StatusCodes.Status200OK, json =>
    {
        json.WriteString("provider", key.Name.Provider);
        json.WriteString("tenant", key.Name.Tenant.Value);
        if (key.Name.Key is { } id) json.WriteString("keyId", id.Value);
        if (key.Ending.Length > 0) json.WriteString("ending", key.Ending);
        json.WriteString("storedAt", key.At);
        json.WriteString("masterKey", key.MasterKey);
    });
}
