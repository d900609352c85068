using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Penstock.Configuration;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Tools.Fetch;

namespace Penstock.Jobs;

/// <summary>
/// Tells a job's client of its end: a signed POST as https://www.standardwebhooks.com specifies it, at least once, over connections that reach public addresses
/// only. What happened stands in the store, so the news is small and holds no answer.
/// </summary>
internal sealed partial class JobHooks(IJobStore store, IJobQueue queue, CheckedConnections connections, JobSection section, JobClock clock, ILogger<JobHooks> log)
{
    private const int MostTries = 10;
    private static readonly TimeSpan LongestCall = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan First = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    public TimeProvider Time => clock.Time;

    /// <summary>What the signatures for this key's jobs are made with; throws 422 where the operator set nothing up.</summary>
    public HookSecret SecretOf(TenantId tenant, KeyId key) => section.Current.WebhookSecret?.For($"{tenant}\n{key}") ?? throw new RefusedException(new Refusal(
        RefusalKind.Unprocessable, "webhooks_off", "This server signs no webhooks: its operator has set no 'jobs.webhookSecret'. Ask for GET /v1/jobs/{id} until the job has ended.") { Field = "webhook" });

    public async Task RunAsync(ReceivedJob received, CancellationToken cut)
    {
        if (JobNames.Id(received.Message.Id) is not { } id || await store.GetAsync(new TenantId(received.Message.Tenant), id, cut) is not { Hook: JobHook.Pending } job)
        {
            await queue.CompleteAsync(received.Receipt, cut);
            return;
        }

        var (end, why) = await TryAsync(job, cut);
        if (end is null && received.Attempt < MostTries)
        {
            LogAgain(job.Id, received.Attempt, why);
            await queue.ExtendAsync(received.Receipt, JobClock.Seconds(TimeSpan.FromTicks(Math.Min(Longest.Ticks, First.Ticks << Math.Clamp(received.Attempt - 1, 0, 20)))), cut);
            return;
        }

        if (end is null or JobHook.Failed) LogGivenUp(job.Id, received.Attempt, why);
        // Changed by another meanwhile: the message comes again, and finds what is left to do.
        if (await store.ChangeAsync(job with { Hook = end ?? JobHook.Failed, UpdatedAt = clock.Now }, null, cut)) await queue.CompleteAsync(received.Receipt, cut);
    }

    /// <summary>How it ended, null where it may be tried again.</summary>
    private async Task<(JobHook? End, string Why)> TryAsync(JobRecord job, CancellationToken cut)
    {
        using var limit = new CancellationTokenSource(LongestCall, Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cut, limit.Token);
        try
        {
            using var request = Request(job, SecretOf(job.Tenant, job.Key));
            using var answer = await connections.SendAsync(request, both.Token);
            if (answer.IsSuccessStatusCode) return (JobHook.Delivered, "");
            return (answer.StatusCode == HttpStatusCode.Gone ? JobHook.Failed : null, string.Create(CultureInfo.InvariantCulture, $"it answered {(int)answer.StatusCode}"));
        }
        catch (RefusedException e)
        {
            return (JobHook.Failed, e.Refusal.Code);
        }
        catch (Exception e) when (!cut.IsCancellationRequested && e is HttpRequestException or SocketException or OperationCanceledException or IOException)
        {
            return (null, e is OperationCanceledException ? "it did not answer in time" : "it could not be reached");
        }
    }

    private HttpRequestMessage Request(JobRecord job, HookSecret secret)
    {
        var body = Body(job);
        // The same at every try, and another where the job ends again after it was sent on.
        var id = string.Create(CultureInfo.InvariantCulture, $"{job.Id}.{job.EndedAt!.Value.ToUnixTimeMilliseconds()}");
        var timestamp = Time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var request = new HttpRequestMessage(HttpMethod.Post, job.Webhook) { Content = new ReadOnlyMemoryContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Penstock", null));
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", timestamp);
        request.Headers.Add("webhook-signature", secret.Sign(id, timestamp, body.Span));
        return request;
    }

    private static ReadOnlyMemory<byte> Body(JobRecord job)
    {
        var body = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(body, Json.Options);
        json.WriteStartObject();
        json.WriteString("type", $"job.{JobNames.Of(job.State)}");
        json.WriteString("timestamp", job.EndedAt!.Value);
        json.WriteStartObject("data");
        JobView.WriteHead(json, job);
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return body.WrittenMemory;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "job {Job}: the webhook did not take the news at try {Try}: {Why}")]
    private partial void LogAgain(JobId job, int @try, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "job {Job}: the webhook is not told any more after {Tries} tries: {Why}")]
    private partial void LogGivenUp(JobId job, int tries, string why);
}
