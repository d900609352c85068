using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Guarding;
using Penstock.Gateway.Routing;
using Penstock.Guards;
using Penstock.Http;
using Penstock.Keys;
using Penstock.Limits;

namespace Penstock.Gateway;

/// <summary>The first steps of every call: who is calling, not too often, and then what they send, under the guard rules of their key. Nothing of the body is read before.</summary>
internal sealed class Admission(KeyRing keys, CallLimits limits, Router router, GuardPlans guards, GatewayMetrics metrics, TimeProvider time)
{
    /// <summary>Dispose of the passage when the call is over, whatever its end.</summary>
    public async ValueTask<Passage> AdmitAsync(HttpContext http, Scopes scope)
    {
        Caller caller;
        using (Steps.Start("authenticate")) caller = await keys.AuthenticateAsync(http, scope);
        using var step = Steps.Start("limit");
        var passage = limits.Open(caller, RequestEdge.RouteOf(http), RequestScope.Of(http).Id);
        LimitHeaders.WriteWith(http, passage, time);
        await passage.EnterAsync(http.RequestAborted);
        return passage;
    }

    /// <summary>The body of the request after the guard rules for it; throws 400 where one of them blocks. No route reads a body in another way.</summary>
    public async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext http, Caller caller)
    {
        var body = await Bodies.ReadAsync(http, router.Options.MaxBodyBytes);
        var plan = guards.For(caller.Key.Id, caller.Key.Guards);
        if (!plan.Any) return body;

        using var step = Steps.Start("guard");
        var guard = new RequestGuard(plan, metrics);
        http.Features.Set(guard);
        return guard.Prompt(body, http.Response.Headers);
    }
}
