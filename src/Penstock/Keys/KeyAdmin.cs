using Microsoft.AspNetCore.Http;
using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary>Which tenant and which key an admin's request is about, and whether it may be.</summary>
internal sealed class KeyAdmin(KeyRing ring, VirtualKeys keys)
{
    /// <summary>The key in the route. Whoever rotates a key learns its secret: an admin who could rotate an operator's would be the operator.</summary>
    public async Task<KeyRecord> FindToChangeAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http, Scopes.Admin);
        var key = await keys.GetAsync(TenantOf(http, caller), IdOf(http), http.RequestAborted);
        return !key.Scopes.HasFlag(Scopes.Operator) || caller.Has(Scopes.Operator)
            ? key
            : throw new RefusedException(new Refusal(RefusalKind.Forbidden, "missing_scope", $"Only an operator's key may change '{key.Id}', which is an operator's."));
    }

    public async Task<TenantId> TenantOfAsync(HttpContext http) => TenantOf(http, await ring.AuthenticateAsync(http, Scopes.Admin));

    public static KeyId IdOf(HttpContext http) => new((string)http.Request.RouteValues["id"]!);

    public static TenantId TenantOf(HttpContext http, Caller caller) => http.Request.Query["tenant"].ToString() is { Length: > 0 } tenant ? Named(tenant, "tenant", caller) : caller.Tenant;

    public static TenantId Named(string tenant, string field, Caller caller)
    {
        if (tenant != caller.Tenant.Value && !caller.Has(Scopes.Operator))
            throw new RefusedException(new Refusal(RefusalKind.Forbidden, "missing_scope", $"Only an operator's key may act in another tenant; '{caller.Key.Id}' belongs to '{caller.Tenant}'.") { Field = field });
        if (!PlainName.Is(tenant)) throw new RefusedException(Refusal.Invalid(field, $"'{field}' {PlainName.Rule}."));
        return new TenantId(tenant);
    }
}
