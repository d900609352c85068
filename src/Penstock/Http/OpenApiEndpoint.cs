using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Penstock.Http;

/// <summary><c>/openapi/v1.json</c>: the description that is committed beside this file, byte for byte.</summary>
internal static class OpenApiEndpoint
{
    private static readonly Lazy<byte[]> Description = new(Read);

    public static void MapOpenApi(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/openapi/v1.json", (RequestDelegate)(http => Json.SendAsync(http, StatusCodes.Status200OK, Description.Value)));

    private static byte[] Read()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("openapi.v1.json")!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
