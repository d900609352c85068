using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>
/// Carries a run on from where its journal ends, until it ends or waits:
/// <code>
/// 1 fold     what came to its inbox
/// 2 end      where somebody wants that, a limit is met, or the answer stands
/// 3 tools    the calls that the model asked for, side by side
/// 4 model    the next answer
/// </code>
/// It keeps nothing beside the journal: a worker that dies is followed by one that reads on.
/// </summary>
internal sealed class RunMachine(IRunStore store, ModelStep model, ToolStep tools, RunCallers callers, RunEnds ends, TimeProvider time)
{
    private const int MostUnfit = 2;

    /// <summary>Returns when the run has ended, or was given back. Throws <see cref="FencedException"/> where another owner has it.</summary>
    public async Task RunAsync(OwnedRun run)
    {
        await run.Journal.LoadAsync();
        if (run.State.Ended) await run.Journal.AppendAsync([Drafts.Redriven(null)]);
        while (true)
        {
            run.Lease.Lost.ThrowIfCancellationRequested();
            if (run.Stopping.IsCancellationRequested)
            {
                await ends.GiveBackAsync(run, RunStatus.Queued, time.GetUtcNow(), null);
                return;
            }

            if (await NextAsync(run)) return;
        }
    }

    /// <returns>True where the run has ended, or waits.</returns>
    private async Task<bool> NextAsync(OwnedRun run)
    {
        await FoldAsync(run);
        if (run.State.CancelRequested) return await ends.EndAsync(run, RunStatus.Cancelled, null, new Refusal(RefusalKind.Conflict, "cancelled", "The run was cancelled."));
        if (OverLimit(run.State) is { } limit) return await ends.EndAsync(run, RunStatus.Failed, null, limit);
        var left = run.State.Definition.Limits.Wall - Worked(run.State);
        using var wall = new CancellationTokenSource(left, time);
        using var until = CancellationTokenSource.CreateLinkedTokenSource(run.Lease.Cancelled, run.Lease.Lost, run.Cut, wall.Token);
        try
        {
            run.Caller = await callers.OfAsync(run.Record, run.State, until.Token);
            return await StepAsync(run, until.Token);
        }
        catch (OperationCanceledException) when (until.IsCancellationRequested)
        {
            return false;
        }
        catch (RefusedException e)
        {
            return await ends.EndAsync(run, RunStatus.Failed, null, e.Refusal);
        }
    }

    private async Task<bool> StepAsync(OwnedRun run, CancellationToken ct)
    {
        var state = run.State;
        if (!state.HasRemembered && state.Steps == 0) await ends.BeginAsync(run, ct);
        if (state.Calls.Count > 0)
        {
            await tools.RunAsync(run, ct);
            return state.Calls.Count > 0 && !state.Calls.Any(call => call.Ready) && await WaitAsync(run);
        }

        if (state.Answer is { } answer)
        {
            var (output, unfit) = Answers.Check(state, answer);
            if (unfit is null) return await ends.EndAsync(run, RunStatus.Completed, output, null);
            if (state.Unfit >= MostUnfit) return await ends.EndAsync(run, RunStatus.Failed, null, new Refusal(RefusalKind.ProviderFailed, "answer_unfit", unfit));
            await run.Journal.AppendAsync([Drafts.AnswerUnfit(unfit)]);
        }

        return await model.RunAsync(run, ct) is { } refusal && await ends.EndAsync(run, RunStatus.Failed, null, refusal);
    }

    /// <summary>What came from outside, told in the journal and gone from the inbox in one write. What the run does not wait for any more is dropped.</summary>
    private async Task FoldAsync(OwnedRun run)
    {
        var items = await store.InboxAsync(run.Record.Tenant, run.Record.Id, CancellationToken.None);
        foreach (var item in items)
        {
            var draft = item.Kind switch
            {
                InboxKinds.Cancel when !run.State.CancelRequested => Drafts.FromInbox(JournalKinds.CancelRequested, item),
                InboxKinds.Signal => Drafts.SignalFrom(item),
                InboxKinds.Approval => Decision(run.State, item, ToolPhase.AwaitsApproval, JournalKinds.ApprovalDecided),
                InboxKinds.Outcome => Decision(run.State, item, ToolPhase.AwaitsOutcome, JournalKinds.OutcomeDecided),
                InboxKinds.Redriven => Drafts.FromInbox(JournalKinds.Redriven, item),
                _ => (Draft?)null,
            };
            await run.Journal.AppendAsync(draft is { } told ? [told] : [], folded: [item.Id]);
        }
    }

    private static Draft? Decision(RunState state, InboxItem item, ToolPhase phase, string kind)
    {
        using var body = JsonDocument.Parse(item.Body);
        var call = body.RootElement.GetProperty("call").GetString();
        // What was decided in time counts, though it is read later.
        return state.Calls.Any(turn => turn.Id == call && turn.Phase == phase && turn.Until > item.At) ? Drafts.FromInbox(kind, item) : null;
    }

    private Refusal? OverLimit(RunState state)
    {
        var limits = state.Definition.Limits;
        if (Worked(state) >= limits.Wall) return Limit("limit_wall", $"its time of {limits.Wall.TotalSeconds:0} s");
        if (state.SameFailure >= 3) return Limit("loop_detected", $"the same call of a tool failing {state.SameFailure} times");
        if (state.Calls.Count > 0) return state.ToolCalls > limits.ToolCalls ? Limit("limit_tool_calls", $"its {limits.ToolCalls} calls of tools") : null;
        return state.Answer is null && state.Steps >= limits.Steps ? Limit("limit_steps", $"its {limits.Steps} steps") : null;
    }

    /// <summary>Time since its start, without that in which it waited for people.</summary>
    private TimeSpan Worked(RunState state)
    {
        var now = time.GetUtcNow();
        return now - state.StartedAt - state.Waited - (state.AwaitsPeopleSince is { } since ? now - since : TimeSpan.Zero);
    }

    private async Task<bool> WaitAsync(OwnedRun run)
    {
        var waiting = run.State.Calls.Where(call => call.Phase != ToolPhase.Done).ToArray();
        var now = time.GetUtcNow();
        var due = waiting.Min(call => call.Phase == ToolPhase.AwaitsChild ? now + ChildRuns.Look : call.Until!.Value);
        await ends.GiveBackAsync(run, RunStatus.Waiting, due, RunEnds.WaitsFor(waiting));
        return true;
    }

    private static Refusal Limit(string code, FormattableString what) => new(RefusalKind.Unprocessable, code, $"The run was ended by {FormattableString.Invariant(what)}.");
}
