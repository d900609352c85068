using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Penstock.LambdaFront;

/// <summary>
/// Lambda's Runtime API on a real socket, for any number of processes of one function; each gets one event at a time. It notes whatever the API's description
/// does not allow, and refuses it.
/// </summary>
internal sealed class RuntimeStandIn : IAsyncDisposable
{
    private const string Root = "/2018-06-01/runtime/";

    private readonly WebApplication _app;
    private readonly TimeProvider _time;
    private readonly Channel<Invocation> _waiting = Channel.CreateUnbounded<Invocation>();
    private readonly ConcurrentDictionary<string, Invocation> _running = new();
    private readonly TaskCompletionSource<string> _failedStart = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _closing = new();
    private int _ids;
    private int _asked;

    private RuntimeStandIn(TimeProvider time)
    {
        _time = time;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Limits.MaxRequestBodySize = 256 * 1024 * 1024;
            kestrel.Limits.MinRequestBodyDataRate = null;
        });
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    /// <summary>For <c>AWS_LAMBDA_RUNTIME_API</c>.</summary>
    public string Address => new Uri(_app.Urls.First()).Authority;

    /// <summary>What the function did that the API does not allow.</summary>
    public ConcurrentQueue<string> Breaches { get; } = new();

    /// <summary>How often an event was asked for: a process that asks again is through with the one before.</summary>
    public int Asked => Volatile.Read(ref _asked);

    /// <summary>What the process said when it could not start.</summary>
    public Task<string> FailedStart => _failedStart.Task;

    public static async Task<RuntimeStandIn> StartAsync(TimeProvider? time = null)
    {
        var server = new RuntimeStandIn(time ?? TimeProvider.System);
        await server._app.StartAsync();
        return server;
    }

    public Invocation Send(ReadOnlyMemory<byte> payload, TimeSpan? timeout = null)
    {
        var invocation = new Invocation($"{Interlocked.Increment(ref _ids):x8}-0000-4000-8000-000000000000", payload, timeout ?? TimeSpan.FromSeconds(60));
        _running[invocation.Id] = invocation;
        _waiting.Writer.TryWrite(invocation);
        return invocation;
    }

    public Invocation Send(string payload, TimeSpan? timeout = null) => Send(System.Text.Encoding.UTF8.GetBytes(payload), timeout);

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
        _closing.Dispose();
    }

    private async Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value!;
        if (!path.StartsWith(Root, StringComparison.Ordinal)) await RefuseAsync(http, 404, $"there is no {path}");
        else if (path == Root + "invocation/next") await NextAsync(http);
        else if (path == Root + "init/error") await FailedToStartAsync(http);
        else if (path[Root.Length..].Split('/') is ["invocation", var id, "response" or "error"]) await AnswerAsync(http, id, path.EndsWith("/error", StringComparison.Ordinal));
        else await RefuseAsync(http, 404, $"there is no {path}");
    }

    private async Task NextAsync(HttpContext http)
    {
        if (http.Request.Method != "GET")
        {
            await RefuseAsync(http, 405, "an event is asked for with GET");
            return;
        }

        Interlocked.Increment(ref _asked);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _closing.Token);
        Invocation next;
        try
        {
            next = await _waiting.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException)
        {
            http.Abort();
            return;
        }

        http.Response.Headers["Lambda-Runtime-Aws-Request-Id"] = next.Id;
        http.Response.Headers["Lambda-Runtime-Deadline-Ms"] = (_time.GetUtcNow() + next.Timeout).ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        http.Response.Headers["Lambda-Runtime-Invoked-Function-Arn"] = "arn:aws:lambda:us-east-1:123456789012:function:penstock";
        http.Response.Headers["Lambda-Runtime-Trace-Id"] = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
        http.Response.ContentType = "application/json";
        await http.Response.Body.WriteAsync(next.Payload);
    }

    private async Task FailedToStartAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body);
        _failedStart.TrySetResult(await reader.ReadToEndAsync());
        http.Response.StatusCode = 202;
    }

    private async Task AnswerAsync(HttpContext http, string id, bool failed)
    {
        if (!_running.TryRemove(id, out var invocation))
        {
            await RefuseAsync(http, 400, $"there is no invocation {id} that waits for an answer");
            return;
        }

        if (Breach(http, failed) is { } breach)
        {
            invocation.End(new InvocationEnd(true, false, [], "StandIn.Breach", breach));
            await RefuseAsync(http, 400, breach);
            return;
        }

        var streams = http.Request.Headers.ContainsKey("Lambda-Runtime-Function-Response-Mode");
        if (!failed) invocation.Begin(streams);
        var body = await TakeAsync(http, invocation);
        var streamError = streams && http.Request.CheckTrailersAvailable() ? http.Request.GetTrailer("Lambda-Runtime-Function-Error-Type").ToString() : "";
        var errorType = failed ? http.Request.Headers["Lambda-Runtime-Function-Error-Type"].ToString() : streamError;
        var errorBody = streamError.Length > 0 ? http.Request.GetTrailer("Lambda-Runtime-Function-Error-Body").ToString() : null;
        if (!http.RequestAborted.IsCancellationRequested) http.Response.StatusCode = 202;
        invocation.End(new InvocationEnd(failed, streams, body, errorType.Length > 0 ? errorType : null, errorBody));
    }

    private static string? Breach(HttpContext http, bool failed)
    {
        var headers = http.Request.Headers;
        if (http.Request.Method != "POST") return "an answer is handed in with POST";
        if (failed) return headers["Lambda-Runtime-Function-Error-Type"].Count == 1 ? null : "an error has no Lambda-Runtime-Function-Error-Type";
        if (!headers.TryGetValue("Lambda-Runtime-Function-Response-Mode", out var mode)) return headers.ContentLength is null ? "an answer in one piece has no Content-Length" : headers.ContentLength > 6 * 1024 * 1024 ? "an answer in one piece has more than 6 MB" : null;
        if (mode != "streaming") return $"Lambda-Runtime-Function-Response-Mode is '{mode}'";
        if (headers.TransferEncoding != "chunked") return "a stream has no Transfer-Encoding: chunked";
        return headers.ContentType == "application/vnd.awslambda.http-integration-response" ? null : $"a stream of the type '{headers.ContentType}'";
    }

    private static async Task<byte[]> TakeAsync(HttpContext http, Invocation invocation)
    {
        using var whole = new MemoryStream();
        using var leaving = invocation.Left.Register(http.Abort);
        var buffer = new byte[64 * 1024];
        try
        {
            for (int read; (read = await http.Request.Body.ReadAsync(buffer, http.RequestAborted)) > 0;)
            {
                whole.Write(buffer, 0, read);
                invocation.Take(buffer[..read]);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Whoever asked left, or the process died in the middle.
        }

        return whole.ToArray();
    }

    private async Task RefuseAsync(HttpContext http, int status, string breach)
    {
        Breaches.Enqueue(breach);
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync($$"""{"errorType": "InvalidRequest", "errorMessage": {{JsonSerializer.Serialize(breach)}}}""");
    }
}
