using System.Text.Json;
using Microsoft.Extensions.Logging;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>How a run begins and ends, and how its owner gives it back.</summary>
internal sealed partial class RunEnds(RunMemory memory, ChildRuns children, RunSignals signals, TimeProvider time, ILogger<RunEnds> log)
{
    /// <summary>Telling others outlives whatever ended the run; it must not hang either.</summary>
    private static readonly TimeSpan TellTime = TimeSpan.FromSeconds(10);

    public async Task BeginAsync(OwnedRun run, CancellationToken ct)
    {
        if (await memory.BeginAsync(run, ct) is { } remembered) await run.Journal.AppendAsync([remembered]);
    }

    /// <summary>Ends the run: every call that is open gets an outcome first, so that what was said stays a history that a vendor takes.</summary>
    /// <returns>True.</returns>
    public async Task<bool> EndAsync(OwnedRun run, RunStatus status, JsonElement? output, Refusal? error)
    {
        using var limit = new CancellationTokenSource(TellTime, time);
        if (output is { } answer) await memory.EndAsync(run, answer.ValueKind == JsonValueKind.String ? answer.GetString()! : answer.GetRawText(), limit.Token);
        var drafts = new List<Draft>();
        if (run.State.Model is { Failed: false } lost) drafts.Add(Drafts.ModelLost(lost.Op, lost.Attempt));
        drafts.AddRange(run.State.Calls.Where(call => call.Phase != ToolPhase.Done).Select(Closed));
        // The outcomes first: what they cost belongs to the end.
        await run.Journal.AppendAsync(drafts);
        var change = new RunChange { Status = status, EndedAt = Milliseconds(time.GetUtcNow()), Error = error?.Code, Steps = run.State.Steps };
        await run.Journal.AppendAsync([Drafts.Ended(status, run.State, output, error)], change);
        LogEnded(run.Record.Id, run.Record.Agent, status, run.State.Steps, run.State.Cost, error?.Code);
        await children.TellAsync(run.Record, run.State, limit.Token);
        return true;
    }

    /// <summary>Nobody owns the run after this.</summary>
    public async Task GiveBackAsync(OwnedRun run, RunStatus status, DateTimeOffset due, string? waitsFor)
    {
        await run.Journal.AppendAsync([], new RunChange { Status = status, WakeAt = Milliseconds(due), WaitsFor = waitsFor, Steps = run.State.Steps, Now = Milliseconds(time.GetUtcNow()), ClearCrashes = true });
        LogGivenBack(run.Record.Id, status, waitsFor, due);
        signals.Wanted(run.Record.Id);
    }

    /// <summary>What a run waits for, for those who look.</summary>
    public static string WaitsFor(IReadOnlyList<ToolTurn> waiting) => waiting.Any(call => call.Phase == ToolPhase.AwaitsApproval) ? "approval"
        : waiting.Any(call => call.Phase == ToolPhase.AwaitsOutcome) ? "outcome"
        : waiting.Any(call => call.Phase == ToolPhase.AwaitsChild) ? "child"
        : "timer";

    private static Draft Closed(ToolTurn call) => call.Phase is ToolPhase.Intended or ToolPhase.AwaitsOutcome
        ? Drafts.ToolFailed(call, "run_ended", $"The run ended during this call of '{call.Name}'. Whether it had an effect is not known.", retry: false)
        : Drafts.ToolFailed(call, "run_ended", $"The run ended before this call of '{call.Name}' was made.", retry: false);

    private static DateTimeOffset Milliseconds(DateTimeOffset at) => DateTimeOffset.FromUnixTimeMilliseconds(at.ToUnixTimeMilliseconds());

    [LoggerMessage(Level = LogLevel.Information, Message = "run {Run} is {Status}, for {What}, and due at {Due}")]
    private partial void LogGivenBack(RunId run, RunStatus status, string? what, DateTimeOffset due);

    [LoggerMessage(Level = LogLevel.Information, Message = "run {Run} of agent {Agent} {Status} after {Steps} steps, cost {Cost}, error {Error}")]
    private partial void LogEnded(RunId run, string agent, RunStatus status, int steps, Money cost, string? error);
}
