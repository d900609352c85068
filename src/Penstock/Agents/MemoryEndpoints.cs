using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents;

/// <summary>What agents remember: facts about end users, and the threads of conversations. All of it is the project's, and can be read and forgotten.</summary>
internal sealed class MemoryEndpoints(IMemoryStore memory, Admission admission, RunGate gate, IdSource ids, TimeProvider time)
{
    private const int MostFacts = 1_000;
    private const int MostMessages = 1_000;
    private const int LongestFact = 2_000;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/agents/memory", ListAsync);
        routes.MapPost("/v1/agents/memory", AddAsync);
        routes.MapDelete("/v1/agents/memory", ForgetAllAsync);
        routes.MapDelete("/v1/agents/memory/{id}", ForgetAsync);
        routes.MapGet("/v1/agents/threads/{conversation}", ThreadAsync);
        routes.MapDelete("/v1/agents/threads/{conversation}", ForgetThreadAsync);
    }

    private async Task ListAsync(HttpContext http)
    {
        var owner = Owner(http, await gate.AuthenticateAsync(http), "limit");
        var facts = await memory.FactsAsync(owner, RunGate.Whole(http.Request.Query, "limit", 100, MostFacts), http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteString("user", owner.User);
            json.WriteStartArray("facts");
            foreach (var fact in facts)
            {
                json.WriteStartObject();
                Write(json, fact);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    private async Task AddAsync(HttpContext http)
    {
        var caller = await gate.AuthenticateAsync(http);
        var body = JsonView.Parse(await admission.ReadAsync(http, caller));
        var owner = Owner(http, caller);
        body.AllowOnly("text", "id");
        var id = body.Optional("id") is { } given ? RunNames.Label(given) : ids.Next("fact_");
        var fact = new MemoryFact(owner, id, body.Required("text").ShortText(LongestFact), time.GetUtcNow(), null);
        if (await IsFullAsync(owner, id, http.RequestAborted))
            throw new RefusedException(new Refusal(RefusalKind.Conflict, "memory_full", $"There are {MostFacts} facts about this user. Forget some: DELETE /v1/agents/memory/{{id}}?user=…"));
        await memory.PutFactAsync(fact, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status201Created, json => Write(json, fact));
    }

    private async Task<bool> IsFullAsync(MemoryOwner owner, string id, CancellationToken ct)
    {
        var facts = await memory.FactsAsync(owner, MostFacts, ct);
        return facts.Count >= MostFacts && !facts.Any(fact => fact.Id == id);
    }

    private async Task ForgetAllAsync(HttpContext http)
    {
        var owner = Owner(http, await gate.AuthenticateAsync(http));
        var forgotten = await memory.ForgetAllAsync(owner, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json => json.WriteNumber("forgotten", forgotten));
    }

    private async Task ForgetAsync(HttpContext http)
    {
        var owner = Owner(http, await gate.AuthenticateAsync(http));
        if (!await memory.ForgetFactAsync(owner, RunGate.Name(http, "id"), http.RequestAborted))
            throw new RefusedException(new Refusal(RefusalKind.NotFound, "fact_not_found", "There is no such fact about this user. GET /v1/agents/memory?user=… lists them."));
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task ThreadAsync(HttpContext http)
    {
        var thread = Thread(http, await gate.AuthenticateAsync(http));
        RunGate.CheckQuery(http.Request.Query, "limit");
        var messages = await memory.MessagesAsync(thread, RunGate.Whole(http.Request.Query, "limit", 100, MostMessages), http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteString("conversation", thread.Conversation);
            json.WriteStartArray("messages");
            foreach (var message in messages)
            {
                json.WriteStartObject();
                json.WriteString("role", message.Role);
                json.WriteString("text", message.Text);
                json.WriteString("at", message.At);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    private async Task ForgetThreadAsync(HttpContext http)
    {
        var thread = Thread(http, await gate.AuthenticateAsync(http));
        RunGate.CheckQuery(http.Request.Query);
        var forgotten = await memory.ForgetThreadAsync(thread, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json => json.WriteNumber("forgotten", forgotten));
    }

    private static ThreadId Thread(HttpContext http, Caller caller) => new(caller.Tenant, caller.Project, RunGate.Name(http, "conversation"));

    private static MemoryOwner Owner(HttpContext http, Caller caller, params string[] beside)
    {
        RunGate.CheckQuery(http.Request.Query, ["user", .. beside]);
        var user = RunGate.Text(http.Request.Query, "user") ?? throw new RefusedException(Refusal.Invalid("user", "'user' is required: the end user that the facts are about, as ?user=…"));
        return new MemoryOwner(caller.Tenant, caller.Project, RunNames.Label(user, "user"));
    }

    private static void Write(Utf8JsonWriter json, MemoryFact fact)
    {
        json.WriteString("id", fact.Id);
        json.WriteString("text", fact.Text);
        json.WriteString("at", fact.At);
        RunJson.WriteOptional(json, "run", fact.Run?.Value);
    }
}
