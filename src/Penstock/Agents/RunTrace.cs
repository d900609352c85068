using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>One thing a run did or waits for, with its times: enough to draw it.</summary>
internal sealed class RunStep
{
    /// <summary>Unique in the run; names its kind first.</summary>
    public required string Id { get; init; }

    /// <summary><c>model</c>, <c>summary</c>, <c>tool</c>, <c>child</c>, <c>approval</c>, <c>outcome</c> or <c>timer</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Sequence number of the entry it began with.</summary>
    public required long Seq { get; init; }

    /// <summary>The step it is part of; null for the run itself.</summary>
    public string? Parent { get; init; }

    public string? Name { get; set; }

    public string? Call { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; set; }

    /// <summary>Null while it lasts.</summary>
    public string? Outcome { get; set; }

    public int Attempts { get; set; } = 1;
    public string? Effect { get; set; }
    public string? Provider { get; set; }
    public long InputTokens { get; set; }
    public long OutputTokens { get; set; }
    public Money Cost { get; set; }
    public Shown? Arguments { get; set; }
    public Shown? Output { get; set; }
    public string? Text { get; set; }
    public (string Code, string Message)? Error { get; set; }
    public string? Child { get; set; }
    public string? By { get; set; }
    public DateTimeOffset? ExpiresAt { get; set; }

    public void End(DateTimeOffset at, string outcome) => (EndedAt, Outcome) = (at, outcome);
}

/// <summary>What a run did, folded from its journal in order. Bounded: of a long run the first <see cref="MostSteps"/> steps are kept, and all are counted.</summary>
internal sealed partial class RunTrace
{
    public const int MostSteps = 1_000;

    private readonly List<RunStep> _steps = [];
    private readonly Dictionary<string, RunStep> _open = new(StringComparer.Ordinal);
    private readonly Dictionary<string, RunStep> _approvals = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Parent, string Name, Shown? Arguments)> _calls = new(StringComparer.Ordinal);
    private readonly HashSet<string> _unanswered = new(StringComparer.Ordinal);

    public IReadOnlyList<RunStep> Steps => _steps;

    /// <summary>Steps that are not kept.</summary>
    public int Omitted { get; private set; }

    /// <summary>Steps that last, and calls that no step began for.</summary>
    public IEnumerable<string> Open => _open.Keys.Concat(_unanswered);

    public IEnumerable<RunStep> Waiting => _open.Values.Where(step => step.Kind is "approval" or "outcome" or "timer" or "child").OrderBy(step => step.Seq);

    public long InputTokens { get; private set; }

    public long OutputTokens { get; private set; }

    public int ModelCalls { get; private set; }

    public int ToolCalls { get; private set; }

    /// <summary>Of this run's own calls and its children's; not of what it was forked with.</summary>
    public Money Cost { get; private set; }

    /// <summary>JSON; null before the end, and where there is none.</summary>
    public string? Output { get; private set; }

    public (string Code, string Message)? Error { get; private set; }

    /// <summary>Null where the call never asked for one.</summary>
    public RunStep? Approval(string call) => _approvals.GetValueOrDefault(call);

    /// <summary>Null where nobody is asked what became of the call.</summary>
    public RunStep? Unknown(string call) => _open.GetValueOrDefault($"outcome:{call}");

    public void Add(JournalEntry entry)
    {
        using var parsed = JsonDocument.Parse(entry.Body);
        var body = parsed.RootElement;
        switch (entry.Kind)
        {
            case JournalKinds.ModelIntent or JournalKinds.ModelResult or JournalKinds.Summary or JournalKinds.ModelFailed or JournalKinds.ModelLost:
                AddModel(entry, body);
                break;
            case JournalKinds.ToolIntent or JournalKinds.ToolResult or JournalKinds.ToolFailed or JournalKinds.ToolUnknown or JournalKinds.OutcomeDecided:
                AddTool(entry, body);
                break;
            case JournalKinds.ApprovalRequested or JournalKinds.ApprovalDecided or JournalKinds.TimerSet or JournalKinds.ChildStarted or JournalKinds.ChildEnded:
                AddWait(entry, body);
                break;
            case JournalKinds.Ended:
                AddEnd(entry, body);
                break;
            case JournalKinds.Redriven:
                (Output, Error) = (null, null);
                break;
        }
    }

    private void AddModel(JournalEntry entry, JsonElement body)
    {
        var id = $"model:{RunJson.NumberOf(body, "op")}";
        if (entry.Kind == JournalKinds.ModelIntent)
        {
            var step = Find(id) ?? Begin(new RunStep { Id = id, Kind = RunJson.TextOf(body, "purpose") == "summary" ? "summary" : "model", Seq = entry.Seq, StartedAt = entry.At });
            step.Attempts = (int)Math.Max(1, RunJson.NumberOf(body, "attempt"));
            step.Name = RunJson.TextOf(body, "model");
            return;
        }

        if (Find(id) is not { } found || entry.Kind == JournalKinds.ModelLost) return;
        if (entry.Kind == JournalKinds.ModelFailed)
        {
            Fail(found, entry, body);
            return;
        }

        AddAnswer(found, entry, body);
    }

    private void AddAnswer(RunStep step, JournalEntry entry, JsonElement body)
    {
        (step.Name, step.Provider) = (RunJson.TextOf(body, "model") ?? step.Name, RunJson.TextOf(body, "provider"));
        (step.InputTokens, step.OutputTokens, step.Cost) = (RunJson.NumberOf(body, "inputTokens"), RunJson.NumberOf(body, "outputTokens"), RunJson.MoneyOf(body, "cost"));
        step.Text = RunJson.TextOf(body, "text") is { } text ? Shown.Cut(text) : null;
        End(step, entry, "completed");
        if (body.TryGetProperty("calls", out var calls) && calls.ValueKind == JsonValueKind.Array)
        {
            foreach (var call in calls.EnumerateArray()) AddCall(step, call);
        }

        if (entry.Epoch == 0) return;
        ModelCalls++;
        InputTokens += step.InputTokens;
        OutputTokens += step.OutputTokens;
        Cost += step.Cost;
    }

    private void AddCall(RunStep step, JsonElement call)
    {
        if (RunJson.TextOf(call, "id") is not { } id) return;
        _calls[id] = (step.Id, RunJson.TextOf(call, "name") ?? "", Shown.Of(call, "arguments"));
        _unanswered.Add(id);
    }

    private void AddTool(JournalEntry entry, JsonElement body)
    {
        var call = RunJson.TextOf(body, "call") ?? "";
        var step = Find($"tool:{call}");
        if (entry.Kind == JournalKinds.OutcomeDecided)
        {
            Decide(call, entry, body, RunJson.FlagOf(body, "done"));
            return;
        }

        step ??= Begin(new RunStep { Id = $"tool:{call}", Kind = "tool", Seq = entry.Seq, Parent = ParentOf(call), Name = RunJson.TextOf(body, "name") ?? NameOf(call), Call = call, StartedAt = entry.At, Arguments = ArgumentsOf(call) });
        switch (entry.Kind)
        {
            case JournalKinds.ToolIntent:
                step.Attempts = (int)Math.Max(1, RunJson.NumberOf(body, "attempt"));
                step.Effect = RunJson.TextOf(body, "effect");
                break;
            case JournalKinds.ToolResult:
                Answer(step, entry, body);
                break;
            case JournalKinds.ToolFailed:
                Fail(step, entry, body);
                break;
            case JournalKinds.ToolUnknown:
                Begin(new RunStep { Id = $"outcome:{call}", Kind = "outcome", Seq = entry.Seq, Parent = step.Id, Name = step.Name, Call = call, StartedAt = entry.At, ExpiresAt = RunJson.TimeOf(body, "expiresAt"), Arguments = step.Arguments });
                break;
        }
    }

    private void Answer(RunStep step, JournalEntry entry, JsonElement body)
    {
        step.Cost = RunJson.MoneyOf(body, "cost");
        step.Output = Shown.Of(body, "output");
        End(step, entry, "completed");
        if (entry.Epoch == 0) return;
        ToolCalls++;
        Cost += step.Cost;
    }
}
