using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>Takes runs that want a worker, as many at once as may be, and takes over those whose owner shows no life.</summary>
internal sealed partial class RunWorker(IRunStore store, RunOwner owner, AgentSection section, RunSignals signals, TimeProvider time, ILogger<RunWorker> log) : BackgroundService
{
    private const int MostLooked = 1_000;
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<RunId, (TenantId Tenant, Task Work)> _running = new();
    private readonly Dictionary<RunId, (long Epoch, long Beat, long Since)> _watched = [];

    /// <summary>Runs that this server works at now.</summary>
    public int Running => _running.Count;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var released = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            var work = signals.NextWork;
            try
            {
                if (!released) await store.ReleaseAllAsync(stoppingToken);
                released = true;
                await TakeAsync(stoppingToken);
                await Task.WhenAny(work, Task.Delay(Look, time, stoppingToken));
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                LogBlind(e);
                await Task.WhenAny(Task.Delay(Look, time, stoppingToken));
            }
        }

        await Task.WhenAll(_running.Values.Select(run => run.Work));
    }

    private async Task TakeAsync(CancellationToken ct)
    {
        if (owner.Draining) return;
        var open = await store.OpenAsync(time.GetUtcNow(), MostLooked, ct);
        Forget(open);
        foreach (var run in open)
        {
            if (_running.Count >= section.Current.MaxRuns) return;
            if (_running.ContainsKey(run.Id) || !MayTake(run)) continue;
            if (_running.Values.Count(other => other.Tenant == run.Tenant) >= section.Current.MaxRunsPerTenant) continue;
            await AcquireAsync(run, ct);
        }
    }

    private async Task AcquireAsync(RunRecord run, CancellationToken ct)
    {
        var at = time.GetTimestamp();
        if (await TryAcquireAsync(run, ct) is not { } mine) return;
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _running[run.Id] = (run.Tenant, WorkAsync(mine, at, begun.Task, ct));
        begun.SetResult();
    }

    /// <summary>An acquisition that failed may have happened: what is there says so.</summary>
    private async Task<RunRecord?> TryAcquireAsync(RunRecord run, CancellationToken ct)
    {
        try
        {
            return await store.AcquireAsync(run, owner.Name, crashed: run.Status == RunStatus.Running, ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            LogUnheard(run.Id, e);
            return await store.GetAsync(run.Tenant, run.Id, ct) is { } now && now.Owner == owner.Name && now.Epoch == run.Epoch + 1 ? now : null;
        }
    }

    private async Task WorkAsync(RunRecord run, long acquiredAt, Task begun, CancellationToken stopping)
    {
        await begun;
        try
        {
            await owner.RunAsync(run, acquiredAt, stopping);
        }
        finally
        {
            _running.TryRemove(run.Id, out _);
            signals.Released(run.Id);
            signals.Wanted(run.Id);
        }
    }

    /// <summary>
    /// One that nobody has; or one whose owner's beat has stood still as long as a lease lasts on this clock. Clocks of different machines are never compared.
    /// </summary>
    private bool MayTake(RunRecord run)
    {
        if (run.Owner is null) return true;
        if (_watched.TryGetValue(run.Id, out var seen) && (seen.Epoch, seen.Beat) == (run.Epoch, run.Beat)) return time.GetElapsedTime(seen.Since) >= section.Current.Lease;
        _watched[run.Id] = (run.Epoch, run.Beat, time.GetTimestamp());
        return false;
    }

    private void Forget(IReadOnlyList<RunRecord> open)
    {
        var there = open.Select(run => run.Id).ToHashSet();
        foreach (var gone in _watched.Keys.Where(run => !there.Contains(run)).ToArray()) _watched.Remove(gone);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "run {Run}: whether it was acquired was not heard; it is looked up")]
    private partial void LogUnheard(RunId run, Exception e);

    [LoggerMessage(Level = LogLevel.Error, Message = "Runs that want a worker could not be looked for; they are looked for again")]
    private partial void LogBlind(Exception e);
}

/// <summary>Owns a run from its acquisition to its end.</summary>
internal sealed partial class RunOwner(IRunStore store, RunMachine machine, RunEnds ends, AgentSection section, RunOwnerParts parts, ILogger<RunOwner> log)
{
    /// <summary>Of this process; no other has it.</summary>
    public string Name { get; } = parts.Ids.Next("worker_");

    /// <summary>The server stops: no run is begun any more.</summary>
    public bool Draining => parts.Drain.Started;

    /// <summary>Ends when the run has ended, waits, or is another's; a bug leaves it to be taken over.</summary>
    public async Task RunAsync(RunRecord record, long acquiredAt, CancellationToken stopping)
    {
        await using var lease = new RunLease(store, record, acquiredAt, section.Current, parts.Signals, parts.Time, log);
        var state = new RunState(AgentCatalog.Read);
        using var journal = new RunJournal(store, record, state, parts, log);
        // The drain begins when the server is told to stop; the host stops its services later, when the last requests are over.
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(stopping, parts.Drain.Begun);
        var run = new OwnedRun(record, state, journal, lease) { Caller = null!, Stopping = leaving.Token, Cut = parts.Drain.Cut };
        try
        {
            if (record.Crashes < section.Current.MaxCrashes) await machine.RunAsync(run);
            else await BuryAsync(run);
        }
        catch (Exception e) when (e is FencedException || (e is OperationCanceledException && lease.Lost.IsCancellationRequested))
        {
            LogLost(record.Id, record.Epoch);
        }
        catch (Exception e)
        {
            LogBug(record.Id, record.Epoch, e);
        }
    }

    /// <summary>Workers died of it too often: it is left alone, in plain sight, until somebody sends it on.</summary>
    private async Task BuryAsync(OwnedRun run)
    {
        try
        {
            await run.Journal.LoadAsync();
        }
        catch (Exception e) when (e is InvalidOperationException or RefusedException)
        {
            // It may be the journal itself that workers die of.
            LogUnreadable(run.Record.Id, e);
            run.State.SkipTo(run.Record.NextSeq);
        }

        await ends.EndAsync(run, RunStatus.Dead, null, new Refusal(
            RefusalKind.Broken, "crashed_too_often", $"{run.Record.Crashes} workers died with this run, one after the other. Look at the log, and send it on with POST /v1/agents/runs/{run.Record.Id}/redrive."));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "run {Run} has another owner now; epoch {Epoch} is over")]
    private partial void LogLost(RunId run, long epoch);

    [LoggerMessage(Level = LogLevel.Error, Message = "run {Run} has a journal that cannot be read")]
    private partial void LogUnreadable(RunId run, Exception e);

    [LoggerMessage(Level = LogLevel.Error, Message = "run {Run} failed by a bug in epoch {Epoch}; it is taken over when its lease ends")]
    private partial void LogBug(RunId run, long epoch, Exception e);
}

/// <summary>What every owned run is made with.</summary>
internal sealed record RunOwnerParts(RunBodies Bodies, RunSignals Signals, Drain Drain, IdSource Ids, TimeProvider Time);
