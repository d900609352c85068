using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents;

/// <summary><c>/v1/agents</c>: runs are started, watched and steered here. A client that leaves ends nothing but its own waiting.</summary>
internal sealed class RunEndpoints(Runs runs, Admission admission, RunEvents events, RunStream stream, RunGate gate)
{
    private const int MostListed = 200;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/agents/run", RunAsync);
        routes.MapPost("/v1/agents/stream", StreamAsync);
        routes.MapGet("/v1/agents/runs", ListAsync);
        routes.MapGet("/v1/agents/runs/{id}", GetAsync);
        routes.MapGet("/v1/agents/runs/{id}/events", EventsAsync);
        routes.MapPost("/v1/agents/runs/{id}/fork", ForkAsync);
    }

    private async Task RunAsync(HttpContext http)
    {
        var (run, request) = await StartAsync(http);
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, gate.Begun);
        var latest = await events.AwaitEndAsync(run, request.Wait ?? gate.Options.Wait, waiting.Token);
        http.RequestAborted.ThrowIfCancellationRequested();
        http.Response.Headers[RunStream.RunHeader] = run.Id.Value;
        if (latest.Ended)
        {
            var trace = await runs.TraceAsync(latest, http.RequestAborted);
            await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
            {
                RunView.WriteHead(json, latest, null);
                RunView.WriteResult(json, latest, trace);
            });
            return;
        }

        var place = await runs.PlaceAsync(latest, http.RequestAborted);
        http.Response.Headers.Location = $"/v1/agents/runs/{run.Id}";
        await Json.WriteAsync(http, StatusCodes.Status202Accepted, json => RunView.WriteHead(json, latest, place));
    }

    private async Task StreamAsync(HttpContext http)
    {
        var (run, _) = await StartAsync(http);
        await stream.SendAsync(http, run, null);
    }

    private async Task<(RunRecord Run, RunRequest Request)> StartAsync(HttpContext http)
    {
        await using var passage = await admission.AdmitAsync(http, Scopes.RunAgents);
        // Large documents are checked and copied where they hold up nobody else.
        var (_, request) = await admission.ReadAsync(http, passage.Caller, body => RunRequest.Read(JsonView.Parse(body)));
        return (await runs.StartAsync(passage.Caller, request, RequestScope.Of(http).Job, http.RequestAborted), request);
    }

    private async Task ListAsync(HttpContext http)
    {
        var caller = await gate.AuthenticateAsync(http);
        var query = http.Request.Query;
        RunGate.CheckQuery(query, "status", "type", "limit", "cursor");
        var limit = RunGate.Whole(query, "limit", 50, MostListed);
        var found = await runs.ListAsync(caller, new RunQuery
        {
            Status = RunGate.Text(query, "status") is { } status ? RunNames.Status(status, "status") : null,
            Agent = RunGate.Text(query, "type"),
            After = RunGate.Text(query, "cursor") is { } cursor ? ReadCursor(cursor) : null,
            Limit = limit + 1,
        }, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteStartArray("runs");
            foreach (var run in found.Take(limit))
            {
                json.WriteStartObject();
                RunView.WriteHead(json, run, null);
                RunJson.WriteOptional(json, "error", run.Error);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            if (found.Count > limit) json.WriteString("cursor", CursorOf(found[limit - 1]));
        });
    }

    private async Task GetAsync(HttpContext http)
    {
        var run = await runs.FindAsync(await gate.AuthenticateAsync(http), RunGate.Id(http), http.RequestAborted);
        RunGate.CheckQuery(http.Request.Query);
        var place = await runs.PlaceAsync(run, http.RequestAborted);
        var trace = await runs.TraceAsync(run, http.RequestAborted);
        var children = await gate.TreeAsync(run, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            RunView.WriteHead(json, run, place);
            RunView.WriteResult(json, run, trace);
            RunView.WriteWaiting(json, run, trace);
            RunView.WriteTree(json, children);
        });
    }

    private async Task EventsAsync(HttpContext http)
    {
        var run = await runs.FindAsync(await gate.AuthenticateAsync(http), RunGate.Id(http), http.RequestAborted);
        RunGate.CheckQuery(http.Request.Query, "after");
        await stream.SendAsync(http, run, RunStream.Cursor(http, run));
    }

    private async Task ForkAsync(HttpContext http)
    {
        await using var passage = await admission.AdmitAsync(http, Scopes.RunAgents);
        var body = JsonView.Parse(await admission.ReadAsync(http, passage.Caller));
        body.AllowOnly("from");
        var from = body.Required("from").WholeLong(0, long.MaxValue - 1);
        var origin = await runs.FindAsync(passage.Caller, RunGate.Id(http), http.RequestAborted);
        var run = await runs.ForkAsync(passage.Caller, origin, from, http.RequestAborted);
        var place = await runs.PlaceAsync(run, http.RequestAborted);
        http.Response.Headers.Location = $"/v1/agents/runs/{run.Id}";
        await Json.WriteAsync(http, StatusCodes.Status201Created, json => RunView.WriteHead(json, run, place));
    }

    private static string CursorOf(RunRecord run) => string.Create(CultureInfo.InvariantCulture, $"{run.CreatedAt.ToUnixTimeMilliseconds()}-{run.Id}");

    private static (DateTimeOffset CreatedAt, RunId Run) ReadCursor(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        // 253402300799999 is the last millisecond there is.
        return dash > 0 && long.TryParse(text.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var at) && at <= 253_402_300_799_999 && RunNames.Id(text[(dash + 1)..]) is { } run
            ? (DateTimeOffset.FromUnixTimeMilliseconds(at), run)
            : throw new RefusedException(Refusal.Invalid("cursor", "'cursor' must be the cursor of an answer of this route. Leave it out to begin with the newest."));
    }
}
