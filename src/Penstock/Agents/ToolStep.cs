using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>
/// Carries the calls of a model's answer on, each by itself: one that fails or waits holds up none beside it. What may be called is called at once, up to the
/// run's limit, with an intent before and an outcome behind it.
/// </summary>
internal sealed class ToolStep(ToolBox box, ToolCalls calls, ToolOutcomes outcomes, ChildRuns children, TimeProvider time)
{
    /// <summary>A wait longer than this gives the run back meanwhile.</summary>
    private static readonly TimeSpan LongestHeldWait = TimeSpan.FromSeconds(10);

    public async Task RunAsync(OwnedRun run, CancellationToken ct)
    {
        var tools = new Toolset(run.State.Definition, run.State.Chosen, run.Caller, box, run.Depth < run.State.Definition.Limits.Depth);
        await run.Journal.AppendAsync([.. run.State.Calls.Select(call => Expired(call)).OfType<Draft>()]);
        await Task.WhenAll(run.State.Calls.Where(IsLost).ToArray().Select(async call => await run.Journal.AppendAsync(await outcomes.AskAsync(run, call, tools.Find(call.Name), ct))));
        await run.Journal.AppendAsync(PrepareAll(run, tools));
        await children.FollowAsync(run, ct);
        var ready = run.State.Calls.Where(call => call.Ready).ToArray();
        if (ready.Length > 0) await CallAllAsync(run, tools, ready, ct);
    }

    /// <summary>Nobody here knows whether it happened, and it must not happen twice.</summary>
    private static bool IsLost(ToolTurn call) => call.Phase == ToolPhase.Intended && call.Effect == ToolNames.Of(ToolEffect.Once);

    /// <summary>One after the other: those that start a run are counted as they come.</summary>
    private List<Draft> PrepareAll(OwnedRun run, Toolset tools)
    {
        var drafts = new List<Draft>();
        var starting = 0;
        foreach (var call in run.State.Calls.Where(call => call.Ready))
        {
            if (Prepare(run, call, tools, starting) is not { } draft) continue;
            if (draft.Kind == JournalKinds.ChildStarted) starting++;
            drafts.Add(draft);
        }

        return drafts;
    }

    /// <summary>What is over by now.</summary>
    private Draft? Expired(ToolTurn call)
    {
        if (call.Until is not { } until || until > time.GetUtcNow()) return null;
        return call.Phase switch
        {
            ToolPhase.AwaitsApproval => Drafts.ApprovalExpired(call),
            ToolPhase.AwaitsOutcome => Drafts.ToolFailed(call, "outcome_unknown", $"Nobody knows whether '{call.Name}' was done: its worker died during the call, and no person said what became of it. Do not ask for it again.", retry: false),
            ToolPhase.AwaitsTimer => Drafts.ToolResult(call, WaitedText(call), Money.Zero, until - call.Since),
            _ => null,
        };
    }

    /// <summary>What must come before the call, or instead of it; null where it may be made now.</summary>
    private Draft? Prepare(OwnedRun run, ToolTurn call, Toolset tools, int starting)
    {
        // What was approved is ready but for a run below, which is started like any.
        if (call.Phase == ToolPhase.Cleared) return tools.Find(call.Name) is { } cleared && Hands(cleared) ? ChildRuns.Start(run, call, ToolArguments.TryParse(call.Arguments)!.Value, starting) : null;
        // Its worker died, or lost the run. What may be done twice is done again, under the same key.
        if (call.Phase == ToolPhase.Intended) return null;
        if (tools.Find(call.Name) is not { } tool)
            return Drafts.ToolFailed(call, "tool_not_found", $"There is no tool '{Drafts.Cut(call.Name, 100)}' here. There are: {string.Join(", ", tools.Offered.Select(offered => offered.Alias))}.", retry: false);
        if (ToolArguments.TryParse(call.Arguments) is not { } arguments)
            return Drafts.ToolFailed(call, "invalid_arguments", $"The arguments of '{call.Name}' are not one JSON object. It takes: {tool.Spec.Input}", retry: false);
        if (tool.Spec.Input.Check(arguments.Element) is { } problem)
            return Drafts.ToolFailed(call, "invalid_arguments", $"{problem} in the arguments of '{call.Name}'. It takes: {tool.Spec.Input}", retry: false);
        return Before(run, call, tool, arguments, starting);
    }

    private Draft? Before(OwnedRun run, ToolTurn call, OfferedTool tool, JsonView arguments, int starting)
    {
        var now = time.GetUtcNow();
        if (tool is { OfMachine: true, Spec.Name: MachineTools.Escalate }) return Drafts.ApprovalRequested(call, now + MachineTools.EscalationTime, approveOnExpiry: false);
        if (run.State.Definition.Approvals.FirstOrDefault(rule => NamePattern.Fits(rule.Tool, tool.Spec.Name)) is { } rule) return Drafts.ApprovalRequested(call, now + rule.Expires, rule.ApproveOnExpiry);
        if (Hands(tool)) return ChildRuns.Start(run, call, arguments, starting);
        if (tool is { OfMachine: false, Spec: { Kind: ToolKind.BuiltIn, Name: "wait" } } && TimeSpan.FromSeconds(arguments.Required("seconds").Number(0, 300)) is var wait && wait > LongestHeldWait) return Drafts.TimerSet(call, now + wait);
        return null;
    }

    private static bool Hands(OfferedTool tool) => tool is { OfMachine: true, Spec.Name: MachineTools.RunAgent };

    private async Task CallAllAsync(OwnedRun run, Toolset tools, IReadOnlyList<ToolTurn> ready, CancellationToken ct)
    {
        using var places = new SemaphoreSlim(run.State.Definition.Limits.ParallelTools);
        var own = ready.Select(call => call.Name).Distinct().ToDictionary(name => name, name => new SemaphoreSlim(tools.Find(name)?.Settings.MaxConcurrency ?? int.MaxValue), StringComparer.Ordinal);
        try
        {
            // One after the other ends by itself: all have ended when this does, whatever became of one.
            await Task.WhenAll(ready.Select(call => InPlaceAsync(places, () => InPlaceAsync(own[call.Name], () => CallAsync(run, call, tools.Find(call.Name), ct), ct), ct)));
        }
        finally
        {
            foreach (var place in own.Values) place.Dispose();
        }
    }

    private async Task CallAsync(OwnedRun run, ToolTurn call, OfferedTool? tool, CancellationToken ct)
    {
        // A call that was approved later finds its tool again; one that is gone by now fails.
        if (tool is null) await run.Journal.AppendAsync([Drafts.ToolFailed(call, "tool_not_found", $"The tool '{call.Name}' is not there any more.", retry: false)]);
        else await calls.RunAsync(run, call, tool, ct);
    }

    private static async Task InPlaceAsync(SemaphoreSlim places, Func<Task> work, CancellationToken ct)
    {
        await places.WaitAsync(ct);
        try
        {
            await work();
        }
        finally
        {
            places.Release();
        }
    }

    private static string WaitedText(ToolTurn call) => JsonOutput.Of(json =>
    {
        json.WriteString("text", ToolArguments.TryParse(call.Arguments)?.Optional("text")?.Text() ?? "");
        json.WriteNumber("waitedSeconds", Math.Round((call.Until!.Value - call.Since).TotalSeconds, 3));
    }).GetRawText();
}
