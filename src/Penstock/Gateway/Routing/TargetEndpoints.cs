using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Http;
using Penstock.Keys;

namespace Penstock.Gateway.Routing;

/// <summary><c>/v1/admin/targets</c>: how this process finds its targets. Models that only a client named are shown to operators alone.</summary>
internal sealed class TargetEndpoints(KeyRing ring, TargetStates states)
{
    private static readonly string[] Names = ["closed", "half_open", "open", "cooling"];

    public void Map(IEndpointRouteBuilder routes) => routes.MapGet("/v1/admin/targets", ListAsync);

    private async Task ListAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http, Scopes.Admin);
        var seen = states.All().Where(health => health.Known || caller.Has(Scopes.Operator)).Select(health => health.Look()).ToArray();
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteStartArray("targets");
            foreach (var target in seen) Write(json, target);
            json.WriteEndArray();
        });
    }

    private static void Write(Utf8JsonWriter json, TargetSight target)
    {
        json.WriteStartObject();
        json.WriteString("target", target.Name.ToString());
        json.WriteString("state", Names[(int)target.State]);
        json.WriteString("since", target.Since);
        json.WriteString("reason", target.Reason);
        json.WriteNumber("failures", target.Failures);
        if (target.Until is { } until) json.WriteString("until", until);
        else json.WriteNull("until");
        if (target.FirstByte is { } mean) json.WriteNumber("firstByteMs", Math.Round(mean.TotalMilliseconds, 1));
        else json.WriteNull("firstByteMs");
        json.WriteNumber("retryBudget", Math.Round(target.RetryBudget, 2));
        json.WriteNumber("inFlight", target.InFlight);
        json.WriteString("lastFault", target.LastFault);
        json.WriteEndObject();
    }
}
