using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Keys;
using Penstock.Limits;

namespace Penstock.Gateway;

/// <summary>The first steps of every call: who is calling, not too often, and then what they send, under the guard rules of their key. Nothing of the body is read before.</summary>
internal sealed class Admission(KeyRing keys, CallLimits limits, RequestBodies bodies, TimeProvider time)
{
    /// <summary>Whatever is done to a whole body is done here.</summary>
    public LargeWork Large => bodies.Large;

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

    /// <summary>The body of the request after the guard rules for it. No route reads a body in another way.</summary>
    public Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext http, Caller caller) => bodies.ReadAsync(http, caller);

    /// <summary>As <see cref="ReadAsync(HttpContext, Caller)"/>, with what it means.</summary>
    public async Task<(ReadOnlyMemory<byte> Body, T Meaning)> ReadAsync<T>(HttpContext http, Caller caller, Func<ReadOnlyMemory<byte>, T> read)
    {
        var body = await bodies.ReadAsync(http, caller);
        return (body, await Large.RunAsync(body.Length, () => read(body), http.RequestAborted));
    }
}
