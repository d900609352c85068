using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Penstock.Http;
using Penstock.Idempotency;
using Penstock.Kernel;

namespace Penstock.Agents.Socket;

/// <summary>
/// Requests that come as messages. Each is answered by the route that answers it over HTTP, under the same key, limits, guard rules, budgets and names, so that there
/// is one way into the gateway and not two.
/// </summary>
internal sealed partial class SocketCalls(EndpointDataSource routes, IdempotentRequests once, IdSource ids, TimeProvider time, ILogger<SocketCalls> log)
{
    /// <summary>Bytes of an answer that are held before its reader has them.</summary>
    private const int MostHeld = 256 * 1024;

    /// <summary>A request of the socket's client, before it is anything else.</summary>
    public HttpContext Make(string key, CancellationToken ct)
    {
        var http = new DefaultHttpContext();
        http.Features.Set<IHttpRequestLifetimeFeature>(new HttpRequestLifetimeFeature { RequestAborted = ct });
        http.Features.Set(new RequestScope(ids.NextRequest(), time.GetTimestamp()));
        http.Request.Headers.Authorization = $"Bearer {key}";
        return http;
    }

    /// <summary>Runs the route, and hands on what it writes as it comes. Throws what it refuses.</summary>
    public async Task<int> RunAsync(HttpContext http, SocketCall call, Func<ReadOnlyMemory<byte>, Task> take, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Prepare(http, call);
        var recording = new Recording(MostHeld, stop.Cancel);
        using var reader = recording.Attach()!;
        var response = new RecordedResponse(recording, stop.Token);
        var work = WorkAsync(http, response, recording);
        try
        {
            await CopyAsync(reader, take, stop.Token);
        }
        finally
        {
            // Nobody reads on: what is still made would be for nobody.
            reader.Dispose();
            await Task.WhenAny(work);
        }

        await work;
        return recording.Head?.Status ?? StatusCodes.Status200OK;
    }

    /// <summary>What is told of a failure: its refusal, or that it is our fault.</summary>
    public Refusal Explain(HttpContext http, Exception e)
    {
        if (e is RefusedException refused) return refused.Refusal;
        var id = RequestScope.Of(http).Id;
        LogBug(id, e);
        return new Refusal(RefusalKind.Broken, "internal_error", $"Penstock failed on this message. Quote {id} when you report it.");
    }

    private void Prepare(HttpContext http, SocketCall call)
    {
        var endpoint = routes.Endpoints.OfType<RouteEndpoint>().First(route => route.RoutePattern.RawText == call.Route && route.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods.Contains(HttpMethods.Post) == true);
        http.SetEndpoint(endpoint);
        foreach (var (name, value) in call.Values) http.Request.RouteValues[name] = value;
        http.Request.Method = HttpMethods.Post;
        http.Request.Path = new PathString(call.Path);
        http.Request.ContentType = "application/json";
        http.Request.Body = new MemoryStream(call.Body, writable: false);
        http.Request.ContentLength = call.Body.Length;
        if (call.Name is { } given) http.Request.Headers[IdempotentRequests.Header] = given;
    }

    private async Task WorkAsync(HttpContext http, RecordedResponse response, Recording recording)
    {
        response.PutInPlaceOf(http);
        try
        {
            await once.InvokeAsync(http, http.GetEndpoint()!.RequestDelegate!);
            await response.CompleteAsync();
            recording.Complete();
        }
        finally
        {
            recording.Fail();
        }
    }

    private static async Task CopyAsync(Recording.Reader reader, Func<ReadOnlyMemory<byte>, Task> take, CancellationToken ct)
    {
        var chunks = new List<ReadOnlyMemory<byte>>();
        while (await reader.ReadAsync(chunks, ct) == RecordingState.More)
        {
            foreach (var chunk in chunks) await take(chunk);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "message {RequestId} of a socket failed")]
    private partial void LogBug(RequestId requestId, Exception e);
}

/// <param name="Route">The pattern, as it is mapped.</param>
/// <param name="Body">One JSON object.</param>
internal sealed record SocketCall(string Route, byte[] Body)
{
    public IReadOnlyList<KeyValuePair<string, string>> Values { get; init; } = [];

    /// <summary>The client's idempotency key.</summary>
    public string? Name { get; init; }

    public string Path => Values.Aggregate(Route, (path, value) => path.Replace($"{{{value.Key}}}", value.Value, StringComparison.Ordinal));
}
