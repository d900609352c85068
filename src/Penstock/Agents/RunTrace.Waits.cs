using System.Text.Json;

namespace Penstock.Agents;

/// <summary>Steps that wait, and ends.</summary>
internal sealed partial class RunTrace
{
    private void AddWait(JournalEntry entry, JsonElement body)
    {
        var call = RunJson.TextOf(body, "call") ?? "";
        switch (entry.Kind)
        {
            case JournalKinds.ApprovalRequested:
                _approvals[call] = Begin(Wait("approval", call, entry, body, RunJson.TimeOf(body, "expiresAt")));
                break;
            case JournalKinds.ApprovalDecided:
                if (Find($"approval:{call}") is not { } approval) break;
                approval.By = RunJson.TextOf(body, "by");
                End(approval, entry, RunJson.FlagOf(body, "approved") ? "approved" : approval.By is null ? "expired" : "denied");
                break;
            case JournalKinds.TimerSet:
                Begin(Wait("timer", call, entry, body, RunJson.TimeOf(body, "until")));
                break;
            case JournalKinds.ChildStarted:
                var child = Begin(Wait("child", call, entry, body, null));
                (child.Child, child.Name) = (RunJson.TextOf(body, "run"), RunJson.TextOf(body, "agent"));
                break;
            default:
                EndChild(call, entry, body);
                break;
        }
    }

    private void EndChild(string call, JournalEntry entry, JsonElement body)
    {
        if (Find($"child:{call}") is not { } child) return;
        child.Cost = RunJson.MoneyOf(body, "cost");
        child.Output = Shown.Of(body, "output");
        End(child, entry, RunJson.TextOf(body, "status") ?? "completed");
        if (entry.Epoch > 0) Cost += child.Cost;
    }

    private RunStep Wait(string kind, string call, JournalEntry entry, JsonElement body, DateTimeOffset? until) => new()
    {
        Id = $"{kind}:{call}",
        Kind = kind,
        Seq = entry.Seq,
        Parent = ParentOf(call),
        Name = RunJson.TextOf(body, "name") ?? NameOf(call),
        Call = call,
        StartedAt = entry.At,
        ExpiresAt = until,
        Arguments = ArgumentsOf(call) ?? Shown.Of(body, "arguments"),
    };

    /// <summary>What a person said of a call: done, it has its result; not done, it is called again.</summary>
    private void Decide(string call, JournalEntry entry, JsonElement body, bool done)
    {
        if (Find($"outcome:{call}") is { } unknown)
        {
            unknown.By = RunJson.TextOf(body, "by");
            End(unknown, entry, done ? "done" : "not_done", answers: false);
        }

        if (!done || Find($"tool:{call}") is not { } step) return;
        step.Output = Shown.Of(body, "output");
        End(step, entry, "completed");
    }

    private void Fail(RunStep step, JournalEntry entry, JsonElement body)
    {
        step.Error = (RunJson.TextOf(body, "code") ?? "failed", Shown.Cut(RunJson.TextOf(body, "message") ?? ""));
        if (RunJson.FlagOf(body, "retry")) return;
        End(step, entry, "failed");
        if (step.Kind == "tool" && entry.Epoch > 0) ToolCalls++;
    }

    private void AddEnd(JournalEntry entry, JsonElement body)
    {
        var status = RunJson.TextOf(body, "status") ?? "completed";
        Output = body.TryGetProperty("output", out var output) ? output.GetRawText() : null;
        if (body.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object) Error = (RunJson.TextOf(error, "code") ?? "failed", RunJson.TextOf(error, "message") ?? "");
        // A dead run may be sent on, and its open calls with it.
        if (status == RunNames.Of(RunStatus.Dead)) return;
        foreach (var step in _open.Values.ToList()) End(step, entry, status == RunNames.Of(RunStatus.Cancelled) ? "cancelled" : "unfinished");
    }

    private RunStep? Find(string id) => _open.GetValueOrDefault(id);

    private RunStep Begin(RunStep step)
    {
        if (_steps.Count < MostSteps) _steps.Add(step);
        else Omitted++;
        _open[step.Id] = step;
        return step;
    }

    private void End(RunStep step, JournalEntry entry, string outcome, bool answers = true)
    {
        step.End(entry.At, outcome);
        _open.Remove(step.Id);
        if (step.Call is not { } call || step.Kind is not ("tool" or "child") || !answers) return;
        _unanswered.Remove(call);
        if (Find($"timer:{call}") is { } timer) End(timer, entry, "completed");
    }

    private string? ParentOf(string call) => _calls.TryGetValue(call, out var found) ? found.Parent : null;

    private string? NameOf(string call) => _calls.TryGetValue(call, out var found) ? found.Name : null;

    private Shown? ArgumentsOf(string call) => _calls.TryGetValue(call, out var found) ? found.Arguments : null;
}
