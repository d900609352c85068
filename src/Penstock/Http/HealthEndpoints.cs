using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Penstock.Http;

/// <summary><c>/health</c> says the process lives; <c>/health/ready</c> says it takes work.</summary>
internal static class HealthEndpoints
{
    private static readonly string Version = typeof(HealthEndpoints).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public static bool IsHealth(PathString path) => path.StartsWithSegments("/health", StringComparison.Ordinal) || path == "/v1/health";

    public static void MapHealth(this IEndpointRouteBuilder routes, Drain drain)
    {
        routes.MapGet("/health", (RequestDelegate)Alive);
        routes.MapGet("/v1/health", (RequestDelegate)Alive);
        routes.MapGet("/health/ready", (RequestDelegate)(http => ReadyAsync(http, drain)));
    }

    private static Task Alive(HttpContext http) => Json.WriteAsync(http, StatusCodes.Status200OK, json =>
    {
        json.WriteString("status", "ok");
        json.WriteString("version", Version);
    });

    private static Task ReadyAsync(HttpContext http, Drain drain) =>
        Json.WriteAsync(http, drain.Started ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK, json => json.WriteString("status", drain.Started ? "draining" : "ready"));
}
