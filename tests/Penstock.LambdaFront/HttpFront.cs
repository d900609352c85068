using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Penstock.LambdaFront;

/// <summary>What stands before a function in AWS: requests come in, go through it as events, and its answers go out as AWS would write them.</summary>
internal sealed class HttpFront : IAsyncDisposable
{
    private const int Gap = 8;

    private readonly WebApplication _app;
    private readonly RuntimeStandIn _lambda;
    private readonly FrontKind _kind;

    private HttpFront(RuntimeStandIn lambda, FrontKind kind, int port)
    {
        (_lambda, _kind) = (lambda, kind);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.AddServerHeader = false;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MaxRequestBodySize = 6 * 1024 * 1024;
        });
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    public Uri Address => new(_app.Urls.First());

    public static async Task<HttpFront> StartAsync(RuntimeStandIn lambda, FrontKind kind, int port = 0)
    {
        var front = new HttpFront(lambda, kind, port);
        await front._app.StartAsync();
        return front;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext http)
    {
        ReadOnlyMemory<byte> sent;
        try
        {
            sent = await EventWriter.WriteAsync(http, _kind);
        }
        catch (BadHttpRequestException e)
        {
            http.Response.StatusCode = e.StatusCode;
            return;
        }

        var invocation = _lambda.Send(sent);
        using var leaving = http.RequestAborted.Register(invocation.Leave);
        if (await invocation.Begun) await StreamAsync(http, invocation);
        else await WriteAsync(http, await invocation.Ended);
    }

    private static async Task WriteAsync(HttpContext http, InvocationEnd end)
    {
        if (end.Failed)
        {
            http.Response.StatusCode = StatusCodes.Status502BadGateway;
            await http.Response.WriteAsync("""{"message":"Internal Server Error"}""");
            return;
        }

        using var document = JsonDocument.Parse(end.Body);
        WriteHead(http, document.RootElement);
        var text = document.RootElement.GetProperty("body").GetString()!;
        var body = document.RootElement.GetProperty("isBase64Encoded").GetBoolean() ? Convert.FromBase64String(text) : Encoding.UTF8.GetBytes(text);
        http.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(http.Request.Method)) await http.Response.Body.WriteAsync(body);
    }

    private static async Task StreamAsync(HttpContext http, Invocation invocation)
    {
        var head = new MemoryStream();
        var begun = false;
        http.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
        await foreach (var piece in invocation.Pieces.ReadAllAsync())
        {
            var body = piece.AsMemory();
            if (!begun)
            {
                head.Write(piece);
                var end = head.GetBuffer().AsSpan(0, (int)head.Length).IndexOf(new byte[Gap]);
                if (end < 0) continue;
                using var prelude = JsonDocument.Parse(head.GetBuffer().AsMemory(0, end));
                WriteHead(http, prelude.RootElement);
                await http.Response.StartAsync();
                body = head.GetBuffer().AsMemory(end + Gap, (int)head.Length - end - Gap);
                begun = true;
            }

            await http.Response.Body.WriteAsync(body);
            await http.Response.Body.FlushAsync();
        }

        // A stream that broke off is cut off here too.
        if ((await invocation.Ended).ErrorType is not null || !begun) http.Abort();
    }

    private static void WriteHead(HttpContext http, JsonElement answer)
    {
        http.Response.StatusCode = answer.GetProperty("statusCode").GetInt32();
        if (answer.TryGetProperty("headers", out var headers))
        {
            foreach (var header in headers.EnumerateObject()) http.Response.Headers[header.Name] = header.Value.GetString();
        }

        if (answer.TryGetProperty("multiValueHeaders", out var several))
        {
            foreach (var header in several.EnumerateObject()) http.Response.Headers[header.Name] = header.Value.EnumerateArray().Select(value => value.GetString()).ToArray();
        }

        if (!answer.TryGetProperty("cookies", out var cookies)) return;
        foreach (var cookie in cookies.EnumerateArray()) http.Response.Headers.Append("Set-Cookie", cookie.GetString());
    }
}
