using System.Buffers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway.Tasks;
using Penstock.Gateway.Wire;
using Penstock.Gateway.Wire.Anthropic;
using Penstock.Gateway.Wire.Native;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Http;
using Penstock.Keys;

namespace Penstock.Gateway;

/// <summary>The chat routes of every dialect; each only says how its body reads.</summary>
internal sealed class ChatEndpoints(ChatPipeline pipeline, TemplateCalls templates)
{
    private const string Beta = "anthropic-beta";

    private readonly OpenAiDialect _openAi = new();
    private readonly AnthropicDialect _anthropic = new();
    private readonly NativeDialect _native = new();

    public void Map(IEndpointRouteBuilder routes)
    {
        Map(routes, "/v1/chat/completions", _openAi);
        Map(routes, "/v1/messages", _anthropic, (http, _, call) => ValueTask.FromResult(call with { PassHeaders = Headers(http) }));
        routes.MapPost("/v1/messages/count_tokens", CountAsync).WithMetadata(_anthropic.Errors);
        Map(routes, "/v1/complete", _native, (http, caller, call) => templates.ApplyAsync(call, caller, http.RequestAborted));
        Map(routes, "/v1/stream", _native, (http, caller, call) => templates.ApplyAsync(call with { Stream = true }, caller, http.RequestAborted));
    }

    private async Task CountAsync(HttpContext http)
    {
        var count = await pipeline.CountAsync(http, body => AnthropicDialect.ReadCount(body) with { PassHeaders = Headers(http) });
        var output = new ArrayBufferWriter<byte>(64);
        AnthropicLists.WriteCount(count.Tokens, output);
        await Json.SendAsync(http, StatusCodes.Status200OK, output.WrittenMemory);
    }

    /// <summary>Names the request in Anthropic's way, and takes the headers that go on to it.</summary>
    private static KeyValuePair<string, string>[] Headers(HttpContext http)
    {
        // Anthropic's clients read the id under this name, on answers and not only on errors.
        http.Response.Headers["request-id"] = RequestScope.Of(http).Id.Value;
        return http.Request.Headers[Beta].ToString() is { Length: > 0 } beta ? [new(Beta, beta)] : [];
    }

    private void Map(IEndpointRouteBuilder routes, string path, IChatDialect dialect, Func<HttpContext, Caller, ChatCall, ValueTask<ChatCall>>? adjust = null) =>
        routes.MapPost(path, (RequestDelegate)(http => pipeline.RunAsync(http, dialect, adjust is null ? null : (caller, call) => adjust(http, caller, call)))).WithMetadata(dialect.Errors);
}
