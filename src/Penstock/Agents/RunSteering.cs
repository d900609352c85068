using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents;

/// <summary>What people and programs tell a run that goes on. Not limited by rate: nobody's cancelling or approving waits for a bucket to refill.</summary>
internal sealed class RunSteering(Runs runs, Admission admission, RunGate gate, IdSource ids)
{
    /// <summary>Characters of a signal's payload, or of an outcome's output.</summary>
    private const int LongestPayload = 64 * 1024;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/agents/runs/{id}/cancel", CancelAsync);
        routes.MapPost("/v1/agents/runs/{id}/approvals/{call}", ApproveAsync);
        routes.MapPost("/v1/agents/runs/{id}/outcomes/{call}", DecideAsync);
        routes.MapPost("/v1/agents/runs/{id}/signal", SignalAsync);
        routes.MapPost("/v1/agents/runs/{id}/redrive", RedriveAsync);
    }

    private async Task CancelAsync(HttpContext http)
    {
        var (caller, run, body) = await ReadAsync(http, "reason");
        await runs.CancelAsync(caller, run, Reason(body), http.RequestAborted);
        await AnswerAsync(http, caller);
    }

    private async Task ApproveAsync(HttpContext http)
    {
        var (caller, run, body) = await ReadAsync(http, "approved", "reason");
        await runs.ApproveAsync(caller, run, RunGate.Name(http, "call"), Required(body, "approved").Flag(), Reason(body), http.RequestAborted);
        await AnswerAsync(http, caller);
    }

    private async Task DecideAsync(HttpContext http)
    {
        var (caller, run, body) = await ReadAsync(http, "done", "output", "reason");
        var done = Required(body, "done").Flag();
        var output = body?.Optional("output") is { } given ? Bounded(given) : (JsonView?)null;
        if (!done && output is { } extra) throw extra.Bad("belongs to a call that was done; leave it out where 'done' is false");
        await runs.DecideAsync(caller, run, RunGate.Name(http, "call"), done, output, Reason(body), http.RequestAborted);
        await AnswerAsync(http, caller);
    }

    private async Task SignalAsync(HttpContext http)
    {
        var (caller, run, body) = await ReadAsync(http, "name", "payload", "id");
        var name = RunNames.Label(Required(body, "name"));
        var id = body?.Optional("id") is { } given ? RunNames.Label(given) : ids.Next("sig_");
        var payload = body?.Optional("payload") is { } value ? Bounded(value) : (JsonView?)null;
        var added = await runs.SignalAsync(run, id, name, payload, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status202Accepted, json =>
        {
            json.WriteString("run", run.Id.Value);
            json.WriteString("signal", id);
            json.WriteBoolean("added", added);
        });
    }

    private async Task RedriveAsync(HttpContext http)
    {
        var (caller, run, _) = await ReadAsync(http);
        await runs.RedriveAsync(caller, run, http.RequestAborted);
        await AnswerAsync(http, caller);
    }

    /// <summary>The body is there or not, where nothing in it is required.</summary>
    private async Task<(Caller Caller, RunRecord Run, JsonView? Body)> ReadAsync(HttpContext http, params string[] known)
    {
        var caller = await gate.AuthenticateAsync(http);
        var bytes = await admission.ReadAsync(http, caller);
        var body = bytes.IsEmpty ? (JsonView?)null : JsonView.Parse(bytes);
        body?.AllowOnly(known);
        return (caller, await runs.FindAsync(caller, RunGate.Id(http), http.RequestAborted), body);
    }

    /// <summary>How the run stands behind what it was told.</summary>
    private async Task AnswerAsync(HttpContext http, Caller caller)
    {
        var run = await runs.FindAsync(caller, RunGate.Id(http), http.RequestAborted);
        var place = await runs.PlaceAsync(run, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status202Accepted, json => RunView.WriteHead(json, run, place));
    }

    private static JsonView Required(JsonView? body, string name) => body?.Required(name) ?? throw new RefusedException(Refusal.Invalid(name, $"'{name}' is required."));

    private static string? Reason(JsonView? body) => body?.Optional("reason")?.ShortText(Runs.LongestReason);

    private static JsonView Bounded(JsonView value) => value.Raw().Length <= LongestPayload ? value : throw value.Bad($"must have at most {LongestPayload} characters as JSON");
}
