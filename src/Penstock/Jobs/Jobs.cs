using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Jobs;

/// <summary>
/// What clients do with jobs. A key sees the jobs of its project, and an admin's key those of the tenant; any other job is not found. Nothing here makes a call:
/// a worker does, of this server or of another.
/// </summary>
internal sealed class Jobs(IJobStore store, IJobQueue queue, JobHooks hooks, JobSection section, JobRunnerParts parts)
{
    public const int LongestKeptHours = 24 * 90;

    /// <summary>Accepted, and not lost any more, when it returns.</summary>
    public async Task<JobRecord> SubmitAsync(Caller caller, JobOrder order, CancellationToken ct)
    {
        if (!caller.Has(order.Scope)) throw Missing(caller, order.Scope);
        // Refused now, and not when there is nobody to tell.
        if (order.Webhook is not null) hooks.SecretOf(caller.Tenant, caller.Key.Id);
        while (true)
        {
            var now = parts.Clock.Now;
            var job = new JobRecord
            {
                Tenant = caller.Tenant,
                Id = new JobId(parts.Ids.Next("job_")),
                Key = caller.Key.Id,
                Project = caller.Project,
                Authority = JobCallers.Authority(caller.Key),
                Path = order.Path,
                Webhook = order.Webhook?.AbsoluteUri,
                CreatedAt = now,
                UpdatedAt = now,
                Keep = order.Keep ?? section.Current.Keep,
            };
            if (!await store.AddAsync(job, order.Body, ct)) continue;
            await SendAsync(job, ct);
            return job;
        }
    }

    /// <summary>Throws 404 where the caller sees no such job.</summary>
    public async Task<JobRecord> FindAsync(Caller caller, string id, CancellationToken ct) =>
        JobNames.Id(id) is { } job && await store.GetAsync(caller.Tenant, job, ct) is { } found && (found.Project == caller.Project || caller.Has(Scopes.Admin)) ? found : throw Unknown();

    public Task<ReadOnlyMemory<byte>?> ResultAsync(JobRecord job, CancellationToken ct) => store.ResultAsync(job.Tenant, job.Id, ct);

    /// <summary>Newest first.</summary>
    public Task<IReadOnlyList<JobRecord>> ListAsync(Caller caller, JobQuery query, CancellationToken ct) =>
        store.ListAsync(caller.Tenant, query with { Project = caller.Has(Scopes.Admin) ? null : caller.Project }, ct);

    /// <summary>It is not called any more, or its call ends, and what it cost so far is booked. Asking again changes nothing.</summary>
    public async Task<JobRecord> CancelAsync(Caller caller, string id, CancellationToken ct)
    {
        while (true)
        {
            var job = await FindAsync(caller, id, ct);
            if (job.State == JobState.Cancelled) return job;
            if (job.Ended) throw new RefusedException(new Refusal(RefusalKind.Conflict, "job_ended", $"Job '{job.Id}' is {JobNames.Of(job.State)}; there is nothing left to cancel."));
            var cancelled = JobEnds.End(job, JobState.Cancelled, parts.Clock.Now);
            if (!await store.ChangeAsync(cancelled, null, ct)) continue;
            parts.Running.Stop(job.Id);
            if (cancelled.Hook == JobHook.Pending) await queue.SendAsync(JobEnds.News(cancelled), TimeSpan.Zero, ct);
            return cancelled;
        }
    }

    /// <summary>Sends a dead job of the caller's tenant on.</summary>
    public async Task<JobRecord> RedriveAsync(Caller caller, string id, CancellationToken ct)
    {
        while (true)
        {
            var job = await FindAsync(caller, id, ct);
            if (job.State != JobState.Dead) throw new RefusedException(new Refusal(RefusalKind.Conflict, "job_not_dead", $"Job '{job.Id}' is {JobNames.Of(job.State)}; only a dead job is sent on."));
            var revived = JobEnds.Revive(job, parts.Clock.Now);
            if (!await store.ChangeAsync(revived, null, ct)) continue;
            await queue.SendAsync(JobEnds.Work(revived), TimeSpan.Zero, ct);
            return revived;
        }
    }

    /// <summary>Sends dead letters of every tenant back. Returns how many.</summary>
    public Task<int> RedriveAsync(int most, CancellationToken ct) => queue.RedriveAsync(most, ReadmitAsync, ct);

    /// <summary>Of every tenant.</summary>
    public Task<IReadOnlyList<DeadJob>> LettersAsync(int most, CancellationToken ct) => queue.ListDeadAsync(most, ct);

    /// <summary>One that no message stands for would be found and called later, when its client has long been told that it was not taken.</summary>
    private async Task SendAsync(JobRecord job, CancellationToken ct)
    {
        try
        {
            await queue.SendAsync(JobEnds.Work(job), TimeSpan.Zero, ct);
        }
        catch
        {
            using var timeout = new CancellationTokenSource(JobRunnerParts.LongestWrite, parts.Clock.Time);
            await store.ChangeAsync(JobEnds.End(job, JobState.Cancelled, parts.Clock.Now) with { Hook = JobHook.None }, null, timeout.Token);
            throw;
        }
    }

    /// <summary>Called maybe more than once for one letter: a job that lives already may have been revived by a redrive that broke off.</summary>
    private async Task<bool> ReadmitAsync(JobMessage letter, CancellationToken ct)
    {
        if (letter.Kind != JobKinds.Request) return true;
        while (JobNames.Id(letter.Id) is { } id && await store.GetAsync(new TenantId(letter.Tenant), id, ct) is { } job)
        {
            if (job.State != JobState.Dead) return !job.Ended;
            if (await store.ChangeAsync(JobEnds.Revive(job, parts.Clock.Now), null, ct)) return true;
        }

        return false;
    }

    private static RefusedException Missing(Caller caller, Scopes scope) =>
        new(new Refusal(RefusalKind.Forbidden, "missing_scope", $"Key '{caller.Key.Id}' lacks the scope '{string.Join(' ', ScopeNames.Of(scope))}', which this path needs. Ask an admin for a key that has it."));

    private static RefusedException Unknown() => new(new Refusal(RefusalKind.NotFound, "job_not_found", "There is no such job among those that this key sees. GET /v1/jobs lists them."));
}
