using System.Globalization;
using System.Text.Json;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents;

/// <summary>
/// What clients do with runs. A key sees the runs of its project, and an admin's key those of the tenant; any other run is not found. Nothing here executes a
/// run: what is asked of one goes to its inbox, and whoever owns it heeds it.
/// </summary>
internal sealed class Runs(IRunStore store, RunBodies bodies, RunSignals signals, RunChecks checks, IdSource ids, TimeProvider time)
{
    /// <summary>Characters; where an agent asked a person, it is their answer.</summary>
    public const int LongestReason = 4_000;

    private const int Page = 200;

    /// <summary>Accepted, queued, and durable when the task completes.</summary>
    /// <param name="job">Whose call starts it: the run is named after it, and one that is there already is that call's. Null for anybody else.</param>
    public async Task<RunRecord> StartAsync(Caller caller, RunRequest request, string? job, CancellationToken ct)
    {
        var named = job is null ? (RunId?)null : new RunId($"run_{job[(job.IndexOf('_', StringComparison.Ordinal) + 1)..]}");
        if (named is { } known && await store.GetAsync(caller.Tenant, known, ct) is { } there) return there;
        var order = checks.Check(caller, request);
        var now = Now();
        var first = RunBeginning.Of(caller, order, now);
        while (true)
        {
            var run = RunBeginning.Head(named ?? new RunId(ids.Next("run_")), caller, order, now) with { NextSeq = first.Count };
            if (!await store.CreateAsync(run, first, ct)) continue;
            signals.Wanted(run.Id);
            return run;
        }
    }

    /// <summary>Throws 404 where the caller sees no such run.</summary>
    public async Task<RunRecord> FindAsync(Caller caller, string id, CancellationToken ct) =>
        RunNames.Id(id) is { } run && await store.GetAsync(caller.Tenant, run, ct) is { } found && (found.Project == caller.Project || caller.Has(Scopes.Admin)) ? found : throw Unknown();

    /// <summary>Newest first.</summary>
    public Task<IReadOnlyList<RunRecord>> ListAsync(Caller caller, RunQuery query, CancellationToken ct) =>
        store.ListAsync(caller.Tenant, query with { Project = caller.Has(Scopes.Admin) ? null : caller.Project }, ct);

    /// <summary>From 1; null where it waits in no queue.</summary>
    public async Task<int?> PlaceAsync(RunRecord run, CancellationToken ct) => run.Status == RunStatus.Queued ? await store.AheadAsync(run, ct) + 1 : null;

    public Task<IReadOnlyList<RunRecord>> ChildrenAsync(RunRecord run, CancellationToken ct) => store.ChildrenAsync(run.Tenant, run.Id, ct);

    /// <summary>All it did so far.</summary>
    public async Task<RunTrace> TraceAsync(RunRecord run, CancellationToken ct)
    {
        var trace = new RunTrace();
        // Of steps a beginning is shown; what the run came to is whole.
        await foreach (var entry in JournalAsync(run, long.MaxValue, ct)) trace.Add(entry.Kind == JournalKinds.Ended ? await bodies.WholeAsync(run, entry, ct) : entry);
        return trace;
    }

    /// <summary>Asks for its end. Asking again changes nothing.</summary>
    public Task CancelAsync(Caller caller, RunRecord run, string? reason, CancellationToken ct) =>
        PostAsync(run, InboxKinds.Cancel, "cancel", json => WriteBy(json, caller, reason), ct);

    /// <summary>Approves or denies a call that waits for it, once.</summary>
    public async Task ApproveAsync(Caller caller, RunRecord run, string call, bool approved, string? reason, CancellationToken ct)
    {
        var waiting = (await TraceAsync(run, ct)).Approval(call) ?? throw NoCall(run, call, "approval");
        if (waiting.EndedAt is not null) throw Decided(call);
        if (waiting.ExpiresAt <= time.GetUtcNow())
            throw new RefusedException(new Refusal(RefusalKind.Conflict, "approval_expired", $"The approval of call '{call}' expired at {waiting.ExpiresAt:yyyy-MM-ddTHH:mm:ssZ}; the run goes on as its definition says."));
        var added = await PostAsync(run, InboxKinds.Approval, $"approval:{call}", json =>
        {
            json.WriteString("call", call);
            json.WriteBoolean("approved", approved);
            WriteBy(json, caller, reason);
        }, ct);
        if (!added) throw Decided(call);
    }

    /// <summary>Says what became of a call whose worker died, once each time it is asked: one that is called again may be asked about again.</summary>
    public async Task DecideAsync(Caller caller, RunRecord run, string call, bool done, JsonView? output, string? reason, CancellationToken ct)
    {
        var unknown = (await TraceAsync(run, ct)).Unknown(call) ?? throw NoCall(run, call, "word on its outcome");
        var added = await PostAsync(run, InboxKinds.Outcome, string.Create(CultureInfo.InvariantCulture, $"outcome:{call}:{unknown.Seq}"), json =>
        {
            json.WriteString("call", call);
            json.WriteBoolean("done", done);
            if (output is { } value) RunJson.WriteRaw(json, "output", RunJson.Compact(value));
            WriteBy(json, caller, reason);
        }, ct);
        if (!added) throw Decided(unknown.Call!);
    }

    /// <summary>Tells the run something. False where a signal of this id came before.</summary>
    public Task<bool> SignalAsync(RunRecord run, string id, string name, JsonView? payload, CancellationToken ct) =>
        // A client's names stand apart from ours, so that no signal takes the place of an approval.
        PostAsync(run, InboxKinds.Signal, $"signal:{id}", json =>
        {
            json.WriteString("id", id);
            json.WriteString("name", name);
            RunJson.WriteRaw(json, "payload", payload is { } value ? RunJson.Compact(value) : "null");
        }, ct);

    /// <summary>A new run that begins with what this one knew before the model call at <paramref name="from"/>.</summary>
    public async Task<RunRecord> ForkAsync(Caller caller, RunRecord run, long from, CancellationToken ct)
    {
        var now = Now();
        var fork = new RunFork(run, from, caller.Key, now);
        await foreach (var entry in JournalAsync(run, from + 1, ct)) fork.Add(entry);
        var first = fork.Entries();
        while (true)
        {
            var made = RunBeginning.Head(new RunId(ids.Next("run_")), caller, run, now) with { NextSeq = first.Count };
            await bodies.CopyAsync(run, made.Id, first, ct);
            if (!await store.CreateAsync(made, first, ct)) continue;
            signals.Wanted(made.Id);
            return made;
        }
    }

    /// <summary>Sends a dead run on.</summary>
    public async Task<RunRecord> RedriveAsync(Caller caller, RunRecord run, CancellationToken ct)
    {
        if (!await store.RedriveAsync(run.Tenant, run.Id, Now(), ct))
            throw new RefusedException(new Refusal(RefusalKind.Conflict, "run_not_dead", $"Run '{run.Id}' is {RunNames.Of(run.Status)}; only a dead run is sent on."));
        await PostAsync(run with { Status = RunStatus.Queued }, InboxKinds.Redriven, ids.Next("redriven:"), json => json.WriteString("by", caller.Key.Id.Value), ct);
        return await store.GetAsync(run.Tenant, run.Id, ct) ?? throw Unknown();
    }

    private async IAsyncEnumerable<JournalEntry> JournalAsync(RunRecord run, long before, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        for (var next = 0L; next < before;)
        {
            var page = await store.JournalAsync(run.Tenant, run.Id, next, (int)Math.Min(Page, before - next), ct);
            if (page.Count == 0) yield break;
            foreach (var entry in page) yield return entry;
            next = page[^1].Seq + 1;
        }
    }

    /// <summary>False where an item of this id came before.</summary>
    private async Task<bool> PostAsync(RunRecord run, string kind, string id, Action<Utf8JsonWriter> body, CancellationToken ct)
    {
        // An id that is known is known of an ended run too; what was told before is no reason to say that it will be heeded.
        var posted = run.Ended ? Posted.Ended : await store.PostAsync(run.Tenant, run.Id, new InboxItem(id, kind, Now(), RunJson.Of(body)), ct);
        if (posted == Posted.NotFound) throw Unknown();
        if (posted == Posted.Ended) throw new RefusedException(new Refusal(RefusalKind.Conflict, "run_ended", $"Run '{run.Id}' has ended; nothing more reaches it. Start another, or fork it."));
        signals.Wanted(run.Id);
        return posted == Posted.Added;
    }

    private static void WriteBy(Utf8JsonWriter json, Caller caller, string? reason)
    {
        json.WriteString("by", caller.Key.Id.Value);
        RunJson.WriteOptional(json, "reason", reason);
    }

    /// <summary>To the millisecond, as it is kept.</summary>
    private DateTimeOffset Now() => DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());

    private static RefusedException Unknown() => new(new Refusal(RefusalKind.NotFound, "run_not_found", "There is no such run among those that this key sees. GET /v1/agents/runs lists them."));

    private static RefusedException NoCall(RunRecord run, string call, string what) =>
        new(new Refusal(RefusalKind.NotFound, "call_not_found", $"No call '{call}' of run '{run.Id}' asked for {(what == "approval" ? "an " : "")}{what}. GET /v1/agents/runs/{run.Id} shows what it waits for."));

    private static RefusedException Decided(string call) =>
        new(new Refusal(RefusalKind.Conflict, "already_decided", $"Call '{call}' was decided before, and a decision counts once. The run's steps show what was said."));
}
