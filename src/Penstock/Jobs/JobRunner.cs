using Microsoft.Extensions.Logging;
using Penstock.Kernel;

namespace Penstock.Jobs;

/// <summary>
/// Does what a message asks for. The message only says that there may be something to do: the store says what, and a change by compare and set decides who. So a
/// message may come twice, late, or from a worker that died, and a job whose answer is stored is never called again.
/// </summary>
internal sealed partial class JobRunner(IJobStore store, IJobQueue queue, JobCalls calls, JobSection section, JobRunnerParts parts, ILogger<JobRunner> log)
{
    /// <summary>How long a job waits for a limit that its key meets before that counts as an attempt.</summary>
    private static readonly TimeSpan LongestLimited = TimeSpan.FromHours(24);

    private static readonly TimeSpan LongestBackoff = TimeSpan.FromMinutes(15);

    /// <summary>Between two looks at a run that goes on.</summary>
    private static readonly TimeSpan RunLook = TimeSpan.FromSeconds(5);

    private DateTimeOffset Now => parts.Clock.Now;

    /// <param name="cut">The server stops, and waits no longer.</param>
    public async Task RunAsync(ReceivedJob received, CancellationToken cut)
    {
        if (JobNames.Id(received.Message.Id) is not { } id || await store.GetAsync(new TenantId(received.Message.Tenant), id, cut) is not { } job)
        {
            // Swept away long after its end.
            await queue.CompleteAsync(received.Receipt, cut);
            return;
        }

        if (job.Ended) await FinishAsync(received, job);
        else if (job.LeaseUntil > Now) await queue.ExtendAsync(received.Receipt, JobClock.Seconds(job.LeaseUntil.Value - Now), cut);
        else if (await WhyNotAsync(job, cut) is var (state, refusal)) await EndAsync(received, job, state, new JobAnswer(refusal.Status) { Refusal = refusal });
        else if (await TakeAsync(job, cut) is { } mine) await WorkAsync(received, mine, cut);
        else await queue.ExtendAsync(received.Receipt, JobClock.Seconds(TimeSpan.Zero), cut);
    }

    /// <summary>A job whose worker died is called again, unless that happened too often, or might do a thing twice.</summary>
    private async Task<(JobState State, Refusal Refusal)?> WhyNotAsync(JobRecord job, CancellationToken ct)
    {
        if (job.State != JobState.Running || job.Owner is null) return null;
        if (!await calls.MayRepeatAsync(job, ct))
        {
            return (JobState.Failed, new Refusal(
                RefusalKind.Broken, "outcome_unknown", "The worker died during the call, and the tool's effect is 'once': nobody knows whether it happened, and it is not called again. Find out, and send another job where it did not."));
        }

        return job.Attempts < section.Current.MaxAttempts ? null : (JobState.Dead, new Refusal(
            RefusalKind.Broken, "worker_lost", $"{job.Attempts} workers died with this job or failed on it. Look at the log, and send it on with POST /v1/admin/jobs/{job.Id}/redrive."));
    }

    private async Task<JobRecord?> TakeAsync(JobRecord job, CancellationToken ct)
    {
        var mine = job with
        {
            State = JobState.Running,
            Owner = parts.Ids.Next("worker_"),
            LeaseUntil = Now + section.Current.Lease,
            Attempts = job.Attempts + 1,
            UpdatedAt = Now,
        };
        return await store.ChangeAsync(mine, null, ct) ? mine with { Version = mine.Version + 1 } : null;
    }

    private async Task WorkAsync(ReceivedJob received, JobRecord mine, CancellationToken cut)
    {
        JobAnswer? answer = null;
        var broken = false;
        var lease = new JobLease(store, queue, new TakenJob(mine, received.Receipt, section.Current.Lease), parts.Clock, log);
        parts.Running.Add(lease);
        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cut, lease.Lost);
            if (await store.RequestAsync(mine.Tenant, mine.Id, stop.Token) is { } request) answer = await calls.CallAsync(mine, request, stop.Token);
            broken = answer?.Refusal is not null && stop.IsCancellationRequested;
        }
        catch (Exception e) when (cut.IsCancellationRequested || lease.Lost.IsCancellationRequested)
        {
            LogCut(mine.Id, e);
        }
        finally
        {
            parts.Running.Remove(lease);
            await lease.DisposeAsync();
        }

        // As it stands now: the lease has changed it while the call went on.
        var job = lease.Job;
        if (answer is not null && !broken) await AnsweredAsync(received, job, answer);
        else await AgainAsync(received, job with { Attempts = job.Attempts - 1, Cost = job.Cost + (answer?.Cost ?? Money.Zero) }, TimeSpan.Zero);
    }

    private Task AnsweredAsync(ReceivedJob received, JobRecord job, JobAnswer answer)
    {
        job = job with { Cost = job.Path == JobPaths.Run ? answer.Cost : job.Cost + answer.Cost };
        // The run goes on without us: we look again, and it is the same run.
        if (answer is { Refusal: null, Status: 202 } && job.Path == JobPaths.Run) return AgainAsync(received, job with { Attempts = job.Attempts - 1 }, RunLook, JobState.Running);
        if (answer.Refusal is not { } refusal) return EndAsync(received, job, JobState.Completed, answer);
        if (!refusal.Retryable) return EndAsync(received, job, JobState.Failed, answer);

        // A limit that is met is no failure: whoever has sent more than a key may call waits, and loses nothing by it.
        if (refusal.Kind == RefusalKind.Limited && Now - job.CreatedAt < LongestLimited) job = job with { Attempts = job.Attempts - 1 };
        else if (job.Attempts >= section.Current.MaxAttempts) return EndAsync(received, job, JobState.Dead, answer);
        var noted = job with { Status = refusal.Status, ErrorCode = refusal.Code, Error = refusal.Message };
        return AgainAsync(received, noted, Backoff(job.Attempts, refusal.RetryAfter));
    }

    private TimeSpan Backoff(int attempts, TimeSpan? asked)
    {
        var doubled = section.Current.Backoff * Math.Pow(2, Math.Clamp(attempts - 1, 0, 10));
        return TimeSpan.FromTicks(Math.Min(LongestBackoff.Ticks, Math.Max(doubled.Ticks, asked?.Ticks ?? 0)));
    }

    /// <summary>Gives it back, to be taken by anybody after <paramref name="wait"/>.</summary>
    private async Task AgainAsync(ReceivedJob received, JobRecord job, TimeSpan wait, JobState state = JobState.Queued)
    {
        using var timeout = new CancellationTokenSource(JobRunnerParts.LongestWrite, parts.Clock.Time);
        if (await store.ChangeAsync(job with { State = state, Owner = null, LeaseUntil = null, UpdatedAt = Now }, null, timeout.Token)) LogAgain(job.Id, job.Attempts, wait.TotalSeconds, job.ErrorCode);
        await queue.ExtendAsync(received.Receipt, wait == TimeSpan.Zero ? wait : JobClock.Seconds(wait), timeout.Token);
    }

    private async Task EndAsync(ReceivedJob received, JobRecord job, JobState state, JobAnswer answer)
    {
        using var timeout = new CancellationTokenSource(JobRunnerParts.LongestWrite, parts.Clock.Time);
        var ended = JobEnds.End(job, state, Now) with { Status = answer.Status, ContentType = answer.ContentType, ErrorCode = answer.Refusal?.Code, Error = answer.Refusal?.Message };
        if (!await store.ChangeAsync(ended, answer.Refusal is null ? answer.Body : null, timeout.Token))
        {
            // Cancelled or taken over meanwhile: whoever looks next sees what is to be done.
            await queue.ExtendAsync(received.Receipt, TimeSpan.Zero, timeout.Token);
            return;
        }

        LogEnded(job.Id, state, ended.Attempts, ended.Cost.Usd, ended.ErrorCode);
        await FinishAsync(received, ended);
    }

    /// <summary>What is left where the job has ended; also where it was before, and its worker died in between.</summary>
    private async Task FinishAsync(ReceivedJob received, JobRecord job)
    {
        using var timeout = new CancellationTokenSource(JobRunnerParts.LongestWrite, parts.Clock.Time);
        if (job.Hook == JobHook.Pending) await queue.SendAsync(JobEnds.News(job), TimeSpan.Zero, timeout.Token);
        if (job.State == JobState.Dead) await queue.BuryAsync(received, $"{job.ErrorCode}: {job.Error}" is var why && why.Length > 1_000 ? why[..1_000] : why, timeout.Token);
        else await queue.CompleteAsync(received.Receipt, timeout.Token);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "job {Job} {State} after {Attempts} attempts, cost {CostUsd} USD, error {Error}")]
    private partial void LogEnded(JobId job, JobState state, int attempts, decimal costUsd, string? error);

    [LoggerMessage(Level = LogLevel.Information, Message = "job {Job} is given back after {Attempts} attempts, for {Seconds} s: {Error}")]
    private partial void LogAgain(JobId job, int attempts, double seconds, string? error);

    [LoggerMessage(Level = LogLevel.Information, Message = "job {Job}: its call was cut off")]
    private partial void LogCut(JobId job, Exception e);
}

/// <summary>What every job is run with.</summary>
internal sealed record JobRunnerParts(RunningJobs Running, JobClock Clock, IdSource Ids)
{
    /// <summary>What becomes of a job is written down also while the server stops; it must not hang either.</summary>
    public static readonly TimeSpan LongestWrite = TimeSpan.FromSeconds(30);
}

/// <summary>How a job ends, whoever ends it.</summary>
internal static class JobEnds
{
    public static JobRecord End(JobRecord job, JobState state, DateTimeOffset now) => job with
    {
        State = state,
        Owner = null,
        LeaseUntil = null,
        UpdatedAt = now,
        EndedAt = now,
        KeepUntil = now + job.Keep,
        Hook = job.Webhook is null ? JobHook.None : JobHook.Pending,
    };

    /// <summary>Takes a dead job back to where it began.</summary>
    public static JobRecord Revive(JobRecord job, DateTimeOffset now) => job with
    {
        State = JobState.Queued,
        Attempts = 0,
        UpdatedAt = now,
        EndedAt = null,
        KeepUntil = null,
        Hook = JobHook.None,
        Status = null,
        ErrorCode = null,
        Error = null,
    };

    public static JobMessage Work(JobRecord job) => new(job.Id.Value, job.Tenant.Value, JobKinds.Request);

    public static JobMessage News(JobRecord job) => new(job.Id.Value, job.Tenant.Value, JobKinds.Webhook);
}

/// <summary>Who handles a message.</summary>
internal static class JobKinds
{
    public const string Request = "request";
    public const string Webhook = "webhook";
}
