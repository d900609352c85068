using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Penstock.Gateway;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Limits;

namespace Penstock.Agents;

/// <summary>Opens requests that no client sent: a run's calls go through the same pipeline, limits and ledger as anybody's.</summary>
internal sealed class RunRequests(CallLimits limits, RequestBodies bodies, IdSource ids, TimeProvider time)
{
    /// <summary>As it stands in the ledger.</summary>
    public const string Route = "/v1/agents/run";

    private readonly RouteEndpoint _endpoint = new(static _ => Task.CompletedTask, RoutePatternFactory.Parse(Route), 0, EndpointMetadataCollection.Empty, Route);

    /// <summary>Under the guard rules of its caller. Takes nothing of the limits yet. Dispose of the passage when the call is over.</summary>
    public (HttpContext Http, Passage Passage) Open(RunRecord run, Caller caller, CancellationToken ct)
    {
        var http = new DefaultHttpContext { RequestAborted = ct };
        var scope = new RequestScope(ids.NextRequest(), time.GetTimestamp()) { Key = caller.Key.Id };
        http.Features.Set(scope);
        http.SetEndpoint(_endpoint);
        bodies.Guard(http, caller);
        if (run.Conversation is { } conversation) http.Request.Headers[ChatPipeline.ConversationHeader] = conversation;
        return (http, limits.Open(caller, Route, scope.Id));
    }
}
