using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Agents.Definitions;
using Penstock.Http;
using Penstock.Keys;

namespace Penstock.Agents;

/// <summary><c>/v1/agents</c>: what can be run.</summary>
internal sealed class AgentEndpoints(KeyRing keys, AgentCatalog catalog)
{
    public void Map(IEndpointRouteBuilder routes) => routes.MapGet("/v1/agents", ListAsync);

    private async Task ListAsync(HttpContext http)
    {
        await keys.AuthenticateAsync(http);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteStartArray("agents");
            foreach (var definition in catalog.Current) Write(json, definition);
            json.WriteEndArray();
        });
    }

    private static void Write(Utf8JsonWriter json, AgentDefinition definition)
    {
        json.WriteStartObject();
        json.WriteString("name", definition.Name);
        json.WriteString("version", definition.Version);
        json.WriteString("hash", definition.Hash);
        json.WriteString("description", definition.Description);
        AgentWriter.Model(json, definition);
        json.WriteStartArray("tools");
        foreach (var tool in definition.Tools) json.WriteStringValue(tool.Name);
        json.WriteEndArray();
        AgentWriter.Limits(json, definition.Limits);
        AgentWriter.Schema(json, "inputSchema", definition.Input);
        AgentWriter.Schema(json, "outputSchema", definition.Output);
        json.WriteEndObject();
    }
}
