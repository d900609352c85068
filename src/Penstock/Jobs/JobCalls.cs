using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tools;

namespace Penstock.Jobs;

/// <summary>
/// Makes a job's call: the route answers it that answers its client's, under the same key, limits, guard rules and budgets as they stand when it is made.
/// </summary>
internal sealed partial class JobCalls(EndpointDataSource routes, JobCallers callers, ToolBox tools, IdSource ids, TimeProvider time, ILogger<JobCalls> log)
{
    /// <summary>As the tools know a call that is made again; the middleware that would answer it from its own records is not asked.</summary>
    private const string NameHeader = "Idempotency-Key";

    /// <summary>Whatever the route said, its refusals included. Throws only where <paramref name="ct"/> is cancelled.</summary>
    public async Task<JobAnswer> CallAsync(JobRecord job, ReadOnlyMemory<byte> request, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var http = new DefaultHttpContext();
        var scope = new RequestScope(ids.NextRequest(), time.GetTimestamp()) { Job = job.Id.Value };
        var recording = new Recording(IJobStore.MostBytes, abandon: null);
        var response = new RecordedResponse(recording, stop.Token);
        http.Features.Set<IHttpRequestLifetimeFeature>(new HttpRequestLifetimeFeature { RequestAborted = stop.Token });
        http.Features.Set(scope);
        try
        {
            http.Features.Set(new StandIn(await callers.OfAsync(job, stop.Token)));
            Prepare(http, job, request);
            response.PutInPlaceOf(http);
            await http.GetEndpoint()!.RequestDelegate!(http);
            await response.CompleteAsync();
            return Answer(job, recording, scope);
        }
        catch (RefusedException e)
        {
            return new JobAnswer(e.Refusal.Status) { Refusal = e.Refusal, Cost = scope.Spent };
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            LogBug(job.Id, scope.Id, e);
            return new JobAnswer(StatusCodes.Status500InternalServerError)
            {
                Refusal = new Refusal(RefusalKind.Broken, "internal_error", $"Penstock failed on this job. Quote {scope.Id} when you report it.") { Retryable = true },
                Cost = scope.Spent,
            };
        }
    }

    /// <summary>False where a call that was lost may have done what must not be done twice.</summary>
    public async Task<bool> MayRepeatAsync(JobRecord job, CancellationToken ct)
    {
        if (JobPaths.ToolOf(job.Path) is not { } tool) return true;
        try
        {
            return tools.Find(await callers.OfAsync(job, ct), tool).Spec.Effect != ToolEffect.Once;
        }
        catch (RefusedException)
        {
            // The call itself will be refused, and say why.
            return true;
        }
    }

    private void Prepare(HttpContext http, JobRecord job, ReadOnlyMemory<byte> request)
    {
        var pattern = JobPaths.RouteOf(job.Path);
        var endpoint = routes.Endpoints.OfType<RouteEndpoint>().First(route => route.RoutePattern.RawText == pattern && route.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods.Contains(HttpMethods.Post) == true);
        http.SetEndpoint(endpoint);
        if (JobPaths.ToolOf(job.Path) is { } tool) http.Request.RouteValues["name"] = tool;
        http.Request.Method = HttpMethods.Post;
        http.Request.Path = new PathString(job.Path);
        http.Request.ContentType = "application/json";
        http.Request.Body = new MemoryStream(request.ToArray(), writable: false);
        http.Request.ContentLength = request.Length;
        http.Request.Headers[NameHeader] = job.Id.Value;
    }

    private static JobAnswer Answer(JobRecord job, Recording recording, RequestScope scope)
    {
        var head = recording.Head!;
        if (recording.Whole() is not { } body)
        {
            return new JobAnswer(head.Status)
            {
                Refusal = new Refusal(RefusalKind.TooLarge, "result_too_large", $"The answer has more than {IJobStore.MostBytes} bytes, which are not kept. Ask for less, or ask without a job."),
                Cost = scope.Spent,
            };
        }

        var type = head.Headers.FirstOrDefault(header => header.Key.Equals("content-type", StringComparison.OrdinalIgnoreCase)).Value.ToString();
        return new JobAnswer(head.Status) { Body = body, ContentType = type, Cost = job.Path == JobPaths.Run ? CostOfRun(body) : scope.Spent };
    }

    /// <summary>A run books its own calls, and says what they came to.</summary>
    private static Money CostOfRun(ReadOnlyMemory<byte> body)
    {
        using var answer = JsonDocument.Parse(body);
        return answer.RootElement.TryGetProperty("cost", out var cost) && cost.TryGetDecimal(out var usd) ? Money.FromUsd(usd) : Money.Zero;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "job {Job} failed by a bug in its call {RequestId}")]
    private partial void LogBug(JobId job, RequestId requestId, Exception e);
}

/// <param name="Status">Of HTTP.</param>
internal sealed record JobAnswer(int Status)
{
    /// <summary>Why there is no answer; null where there is one.</summary>
    public Refusal? Refusal { get; init; }

    public ReadOnlyMemory<byte> Body { get; init; }

    public string? ContentType { get; init; }

    public Money Cost { get; init; }
}
