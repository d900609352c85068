using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway;
using Penstock.Gateway.Tasks;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Mcp;

/// <summary>
/// <c>/mcp</c>: the tasks as tools of the Model Context Protocol, over streamable HTTP. Nothing is kept between two requests, so that any server answers
/// any of them; each is answered by one JSON object. The key, its limits, its budgets and the ledger are those of every other route.
/// </summary>
/// <seealso href="https://modelcontextprotocol.io/specification/2025-11-25/basic/transports"/>
/// <seealso href="https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http"/>
internal sealed class McpEndpoints(KeyRing keys, ChatPipeline pipeline, TaskCalls tasks, McpGate gate, McpTools tools, RunningCalls running)
{
    private const string Session = "Mcp-Session-Id";

    public void Map(IEndpointRouteBuilder routes) => routes.MapPost("/mcp", AnswerAsync).WithMetadata(McpErrorShape.Instance);

    private async Task AnswerAsync(HttpContext http)
    {
        gate.CheckOrigin(http);
        var caller = await keys.AuthenticateAsync(http, Scopes.Complete);
        McpMessage? message = null;
        try
        {
            var body = await gate.ReadAsync(http, caller);
            message = McpMessage.Parse(body);
            message.CheckHeaders(http.Request.Headers);
            await AnswerAsync(http, caller, message, body);
        }
        catch (McpException e)
        {
            await Json.WriteAsync(http, e.Error.Status, json => e.Error.Write(json, message?.Id));
        }
    }

    private Task AnswerAsync(HttpContext http, Caller caller, McpMessage message, ReadOnlyMemory<byte> body)
    {
        if (message.Id is null) return TakeAsync(http, caller, message);
        switch (message.Method)
        {
            case "initialize":
                // Names the client in what it takes back; nothing is kept under it.
                http.Response.Headers[Session] = gate.NewSession();
                return ResultAsync(http, message, json => McpResults.WriteInitialize(json, McpVersions.Agreed(message.TextOf("protocolVersion"))));
            case "server/discover":
                return ResultAsync(http, message, McpResults.WriteDiscover);
            case "ping":
                return ResultAsync(http, message, _ => { });
            case "tools/list":
                return ResultAsync(http, message, json => McpResults.WriteTools(json, tools, message.HasNoHandshake));
            case "tools/call":
                return CallAsync(http, caller, message, body);
            default:
                throw new McpException(new McpError(McpError.MethodNotFound, $"There is no method '{message.Method}' here. There are server/discover, initialize, ping, tools/list and tools/call.", message.HasNoHandshake ? StatusCodes.Status404NotFound : StatusCodes.Status200OK));
        }
    }

    /// <summary>A notification is taken whatever it says; one takes a call back.</summary>
    private Task TakeAsync(HttpContext http, Caller caller, McpMessage message)
    {
        if (message.Method == "notifications/cancelled" && message.Params?.Element.TryGetProperty("requestId", out var id) == true)
            running.Cancel(caller.Key.Id, http.Request.Headers[Session].ToString(), id.GetRawText());
        http.Response.StatusCode = StatusCodes.Status202Accepted;
        return Task.CompletedTask;
    }

    private async Task CallAsync(HttpContext http, Caller caller, McpMessage message, ReadOnlyMemory<byte> body)
    {
        if (tools.Find(message.TextOf("name")) is not { } task)
            throw new McpException(new McpError(McpError.InvalidParams, $"There is no tool of this name. There are {string.Join(", ", tools.Names)}."));
        if (message.Params!.Value.Optional("arguments") is { Kind: not JsonValueKind.Object })
            throw new McpException(new McpError(McpError.InvalidParams, "'arguments' must be an object."));

        var input = message.Params!.Value.Optional("arguments") is { } given ? given.Element : gate.Nothing;
        var connection = http.Features.GetRequiredFeature<IHttpRequestLifetimeFeature>();
        using var call = running.Add(caller.Key.Id, http.Request.Headers[Session].ToString(), message.Id!.Value.GetRawText(), connection.Abort);
        try
        {
            await using var passage = await pipeline.AdmitAsync(http);
            // Paths in errors begin at the arguments: that is what a model sees of the message.
            await tasks.RunAsync(http, passage, task, new JsonView(input, ""), body, members => ResultAsync(http, message, json => McpResults.WriteAnswer(json, members)));
        }
        catch (RefusedException e) when (!http.Response.HasStarted && e.Refusal.Kind != RefusalKind.Unauthenticated)
        {
            await ResultAsync(http, message, json => McpResults.WriteRefusal(json, e.Refusal, RequestScope.Of(http).Id));
        }
    }

    private static Task ResultAsync(HttpContext http, McpMessage message, Action<Utf8JsonWriter> members) => Json.WriteAsync(http, StatusCodes.Status200OK, json =>
    {
        json.WriteString("jsonrpc", "2.0");
        json.WritePropertyName("id");
        message.Id!.Value.WriteTo(json);
        json.WriteStartObject("result");
        if (message.HasNoHandshake) json.WriteString("resultType", "complete");
        members(json);
        json.WriteEndObject();
    });
}
