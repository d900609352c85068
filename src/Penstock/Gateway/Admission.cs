using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Keys;
using Penstock.Limits;

namespace Penstock.Gateway;

/// <summary>The first two steps of every call: who is calling, and not too often. Nothing of the body is read before.</summary>
internal sealed class Admission(KeyRing keys, CallLimits limits, TimeProvider time)
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
}
