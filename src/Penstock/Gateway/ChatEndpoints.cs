using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway.Wire;
using Penstock.Gateway.Wire.Native;
using Penstock.Gateway.Wire.OpenAi;

namespace Penstock.Gateway;

/// <summary>The chat routes of every dialect; each only says how its body reads.</summary>
internal sealed class ChatEndpoints(ChatPipeline pipeline)
{
    private readonly OpenAiDialect _openAi = new();
    private readonly NativeDialect _native = new();

    public void Map(IEndpointRouteBuilder routes)
    {
        Map(routes, "/v1/chat/completions", _openAi);
        Map(routes, "/v1/complete", _native);
        Map(routes, "/v1/stream", _native, (_, call) => call with { Stream = true });
    }

    private void Map(IEndpointRouteBuilder routes, string path, IChatDialect dialect, Func<HttpContext, ChatCall, ChatCall>? adjust = null) =>
        routes.MapPost(path, (RequestDelegate)(http => pipeline.RunAsync(http, dialect, adjust is null ? null : call => adjust(http, call)))).WithMetadata(dialect.Errors);
}
