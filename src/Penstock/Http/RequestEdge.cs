using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Penstock.Kernel;

namespace Penstock.Http;

/// <summary>
/// The outermost middleware: gives the request its id, turns refusals and bugs into answers of the route's own shape,
/// and writes one log line where nothing else did. No stack trace, key or prompt passes it.
/// </summary>
internal sealed partial class RequestEdge(RequestDelegate next, IdSource ids, TimeProvider time, ILogger<RequestEdge> log)
{
    /// <summary>What nginx logs for a client that left before the answer.</summary>
    private const int ClientGone = 499;

    public async Task InvokeAsync(HttpContext http)
    {
        var scope = new RequestScope(ids.NextRequest(), time.GetTimestamp());
        http.Features.Set(scope);
        http.Response.Headers["x-request-id"] = scope.Id.Value;
        try
        {
            await next(http);
            if (!http.Response.HasStarted && Unrouted(http) is { } refusal) await RefuseAsync(http, scope, refusal);
        }
        catch (RefusedException e)
        {
            await RefuseAsync(http, scope, e.Refusal);
        }
        catch (OperationCanceledException e) when (e is ClientGoneException || http.RequestAborted.IsCancellationRequested)
        {
            NoteClientGone(http);
        }
        catch (BadHttpRequestException e)
        {
            await RefuseAsync(http, scope, Malformed(e));
        }
        catch (IOException) when (http.RequestAborted.IsCancellationRequested)
        {
            NoteClientGone(http);
        }
        catch (Exception e)
        {
            LogBug(scope.Id, e);
            await RefuseAsync(http, scope, new Refusal(RefusalKind.Broken, "internal_error", $"Penstock failed on this request. Quote {scope.Id} when you report it."));
        }

        Log(http, scope);
    }

    /// <summary>The pattern, not the path: a path may hold what a log must not.</summary>
    public static string RouteOf(HttpContext http) => (http.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "(none)";

    private static Refusal? Unrouted(HttpContext http) => http.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => new Refusal(RefusalKind.NotFound, "route_not_found", "There is no such route. /openapi/v1.json lists them."),
        StatusCodes.Status405MethodNotAllowed => new Refusal(RefusalKind.MethodNotAllowed, "method_not_allowed", $"This route does not answer this method; it answers {http.Response.Headers.Allow}."),
        _ => null,
    };

    private static Refusal Malformed(BadHttpRequestException e) => e.StatusCode == StatusCodes.Status413PayloadTooLarge
        ? Bodies.TooLarge(null)
        : new Refusal(RefusalKind.Invalid, "bad_request", "The HTTP request is malformed.");

    private static async Task RefuseAsync(HttpContext http, RequestScope scope, Refusal refusal)
    {
        if (http.Response.HasStarted)
        {
            // The status line is gone: the one honest sign left is a broken connection.
            http.Abort();
            return;
        }

        var shape = http.GetEndpoint()?.Metadata.GetMetadata<ErrorShape>() ?? ProblemShape.Instance;
        http.Response.StatusCode = shape.StatusOf(refusal);
        http.Response.ContentType = shape.ContentType;
        AddHeaders(http.Response.Headers, refusal);
        shape.AddHeaders(refusal, scope.Id, http.Response.Headers);
        var body = new ArrayBufferWriter<byte>(256);
        await using (var json = new Utf8JsonWriter(body, Json.Options)) shape.Write(refusal, scope.Id, json);
        http.Response.ContentLength = body.WrittenCount;
        if (HttpMethods.IsHead(http.Request.Method)) return;
        try
        {
            await http.Response.Body.WriteAsync(body.WrittenMemory, http.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            NoteClientGone(http);
        }
    }

    /// <summary>For the log. The status of an answer that has begun cannot be changed any more.</summary>
    private static void NoteClientGone(HttpContext http)
    {
        if (!http.Response.HasStarted) http.Response.StatusCode = ClientGone;
    }

    private static void AddHeaders(IHeaderDictionary headers, Refusal refusal)
    {
        if (refusal.RetryAfter is { } wait)
        {
            headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            headers["retry-after-ms"] = Math.Max(1, (long)Math.Ceiling(wait.TotalMilliseconds)).ToString(CultureInfo.InvariantCulture);
        }

        if (!refusal.Retryable) headers["x-should-retry"] = "false";
        if (refusal.Kind == RefusalKind.Unauthenticated) headers.WWWAuthenticate = "Bearer";
        if (refusal.Kind == RefusalKind.TooLarge) headers.Connection = "close";
    }

    private void Log(HttpContext http, RequestScope scope)
    {
        if (scope.Logged || !log.IsEnabled(LogLevel.Information)) return;
        var method = http.Request.Method.Length <= 16 ? http.Request.Method : "(long)";
        var route = RouteOf(http);
        var duration = time.GetElapsedTime(scope.StartedAt).TotalMilliseconds;
        LogRequest(scope.Id, method, route, http.Response.StatusCode, duration, scope.Key?.Value);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "request {RequestId} {Method} {Route} {Status} {DurationMs:0.0} ms key {KeyId}")]
    private partial void LogRequest(RequestId requestId, string method, string route, int status, double durationMs, string? keyId);

    [LoggerMessage(Level = LogLevel.Error, Message = "request {RequestId} failed by a bug")]
    private partial void LogBug(RequestId requestId, Exception e);
}
