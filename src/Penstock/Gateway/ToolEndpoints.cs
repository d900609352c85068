using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tools;

namespace Penstock.Gateway;

/// <summary><c>/v1/tools</c>: what the caller's key may call now, and each of it. The routes stand here because every limited call is admitted here.</summary>
internal sealed class ToolEndpoints(Admission admission, KeyRing keys, ToolBox tools, ToolRunner runner)
{
    private const string NameHeader = "Idempotency-Key";

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/tools", ListAsync);
        routes.MapPost("/v1/tools/{name}", CallAsync);
    }

    private async Task ListAsync(HttpContext http)
    {
        var caller = await keys.AuthenticateAsync(http);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteStartArray("tools");
            foreach (var tool in tools.For(caller)) Write(json, tool.Spec);
            json.WriteEndArray();
        });
    }

    private async Task CallAsync(HttpContext http)
    {
        await using var passage = await admission.AdmitAsync(http, Scopes.CallTools);
        var name = (string)http.Request.RouteValues["name"]!;
        var call = new ToolCall
        {
            Http = http,
            Passage = passage,
            Arguments = JsonView.Parse(await admission.ReadAsync(http, passage.Caller)),
            IdempotencyKey = NameOf(http, passage.Caller, name),
        };
        var answer = await runner.RunAsync(name, call, RequestEdge.RouteOf(http), http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WritePropertyName("output");
            answer.Output.WriteTo(json);
            json.WriteString("tool", answer.Tool.Name);
            json.WriteString("effect", ToolNames.Of(answer.Tool.Effect));
            json.WriteNumber("latencyMs", Math.Round(answer.Latency.TotalMilliseconds, 1));
            json.WriteNumber("cost", answer.Cost.Usd);
        });
    }

    /// <summary>One name for all tries of one call: the client's own where it gave one, so that a request which comes again is the same call to the tool.</summary>
    private static string NameOf(HttpContext http, Caller caller, string tool)
    {
        var given = http.Request.Headers[NameHeader].ToString() is { Length: > 0 } key ? key : RequestScope.Of(http).Id.Value;
        return "call_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{caller.Tenant}\n{caller.Key.Id}\n{tool}\n{given}")).AsSpan(0, 16));
    }

    private static void Write(Utf8JsonWriter json, ToolSpec tool)
    {
        json.WriteStartObject();
        json.WriteString("name", tool.Name);
        json.WriteString("description", tool.Description);
        json.WriteString("kind", ToolNames.Of(tool.Kind));
        json.WriteString("effect", ToolNames.Of(tool.Effect));
        json.WriteNumber("timeoutSeconds", tool.Timeout.TotalSeconds);
        json.WriteNumber("concurrency", tool.Concurrency);
        // What is metered has no price beforehand.
        if (tool.Cost is { } cost) json.WriteNumber("cost", cost.Usd);
        json.WritePropertyName("input");
        tool.Input.Element.WriteTo(json);
        if (tool.Output is { } output)
        {
            json.WritePropertyName("output");
            output.Element.WriteTo(json);
        }

        json.WriteEndObject();
    }
}
