using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Guarding;
using Penstock.Gateway.Routing;
using Penstock.Guards;
using Penstock.Http;
using Penstock.Keys;

namespace Penstock.Gateway;

/// <summary>Bodies of requests, as far as guard rules let them through.</summary>
internal sealed class RequestBodies(Router router, GuardPlans guards, GatewayMetrics metrics, LargeWork large)
{
    public LargeWork Large => large;

    /// <summary>The body after the guard rules for it; throws 413 where it is too large, and 400 where a rule blocks.</summary>
    public async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext http, Caller caller)
    {
        var body = await Bodies.ReadAsync(http, router.Options.MaxBodyBytes);
        if (Guard(http, caller) is not { } guard) return body;

        using var step = Steps.Start("guard");
        return await large.RunAsync(body.Length, () => guard.Prompt(body, http.Response.Headers), http.RequestAborted);
    }

    /// <summary>Puts the request under the guard rules of its caller; null where none counts for it.</summary>
    public RequestGuard? Guard(HttpContext http, Caller caller)
    {
        var plan = guards.For(caller.Key.Id, caller.Key.Guards);
        if (!plan.Any) return null;
        var guard = new RequestGuard(plan, metrics);
        http.Features.Set(guard);
        return guard;
    }
}
