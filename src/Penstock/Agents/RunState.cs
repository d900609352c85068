using System.Text.Json;
using Penstock.Gateway;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>A piece of what was said, and the entry that it comes from.</summary>
internal sealed record Said(long Seq, ChatMessage Message, int Size);

/// <summary>A text given with the run.</summary>
internal sealed record RunDocument(string DocId, string? Title, string? Uri, string Text);

/// <summary>A model call whose answer is not journaled.</summary>
internal sealed record OpenModelCall(long Op, int Attempt, bool Summarises, bool Failed = false);

/// <summary>Where a run stands: the fold of its journal, and of nothing else.</summary>
internal sealed class RunState(Func<string, AgentDefinition> read)
{
    private const string NoFailure = "";

    /// <summary>Characters of an outcome that the model is always shown.</summary>
    private const int LeastShown = 60_000;

    private readonly List<Said> _said = [];
    private readonly List<Said> _late = [];
    private readonly List<ToolTurn> _calls = [];
    private Said? _asked;
    private string _lastFailure = NoFailure;

    /// <summary>Null before <see cref="JournalKinds.Started"/>.</summary>
    public AgentDefinition Definition { get; private set; } = null!;

    public JsonElement Input { get; private set; }

    /// <summary>Names of tools the client chose; null for all of the definition's.</summary>
    public IReadOnlyList<string>? Chosen { get; private set; }

    /// <summary>What the token that started the run allowed; null where a stored key did, which is asked anew.</summary>
    public JsonElement? Authority { get; private set; }

    public List<RunDocument> Documents { get; } = [];

    public bool HasRemembered { get; private set; }

    public IReadOnlyList<string> Facts { get; private set; } = [];

    /// <summary>What the model is shown, but for the system prompt.</summary>
    public IReadOnlyList<Said> Messages => _said;

    /// <summary>Characters in <see cref="Messages"/>.</summary>
    public int Size { get; private set; }

    /// <summary>The calls of the last answer, in its order; empty once all their outcomes are said.</summary>
    public IReadOnlyList<ToolTurn> Calls => _calls;

    public OpenModelCall? Model { get; private set; }

    /// <summary>The last answer's text, where it asked for no tool and nothing was said since.</summary>
    public string? Answer { get; private set; }

    /// <summary>Answers that could not stand, one after the other.</summary>
    public int Unfit { get; private set; }

    public long NextSeq { get; private set; }

    public int Steps { get; private set; }

    public int ToolCalls { get; private set; }

    public int Children { get; private set; }

    /// <summary>Of what was answered.</summary>
    public Money Cost { get; private set; }

    /// <summary>The same call failed this often, one time after the other.</summary>
    public int SameFailure { get; private set; }

    public DateTimeOffset StartedAt { get; private set; }

    /// <summary>Spent on waiting for people, however many were asked at once.</summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>Since when people have been waited for without a break; null where nobody is.</summary>
    public DateTimeOffset? AwaitsPeopleSince { get; private set; }

    public bool CancelRequested { get; private set; }

    public bool Ended { get; private set; }

    /// <summary>Pieces that <c>search</c> and <c>http_fetch</c> answered with: what may be cited.</summary>
    public Sources Sources { get; } = new();

    public void Apply(JournalEntry entry)
    {
        using var document = JsonDocument.Parse(entry.Body);
        Apply(entry, document.RootElement);
        // What a fork begins with was another run's to pay for, and does not count towards this one's limits.
        if (entry.Epoch == 0) (Steps, ToolCalls, Children, Cost) = (0, 0, 0, Money.Zero);
        NextSeq = entry.Seq + 1;
    }

    /// <summary>For a journal that cannot be folded: what comes next is appended all the same.</summary>
    public void SkipTo(long seq)
    {
        NextSeq = seq;
        _calls.Clear();
    }

    private void Apply(JournalEntry entry, JsonElement body)
    {
        switch (entry.Kind)
        {
            case JournalKinds.Started:
                Start(entry, body);
                break;
            case JournalKinds.Document:
                Documents.Add(new RunDocument(Text(body, "docId")!, Text(body, "title"), Text(body, "uri"), Text(body, "text")!));
                break;
            case JournalKinds.Remembered:
                Remember(entry.Seq, body);
                break;
            case JournalKinds.Signal:
                Tell(entry.Seq, $"Signal '{Text(body, "name")}': {(body.TryGetProperty("payload", out var payload) ? payload.GetRawText() : "{}")}");
                break;
            case JournalKinds.AnswerUnfit:
                Unfit++;
                Tell(entry.Seq, Text(body, "message")!);
                break;
            case JournalKinds.CancelRequested:
                CancelRequested = true;
                break;
            case JournalKinds.Redriven:
                Ended = false;
                break;
            case JournalKinds.Ended:
                Ended = true;
                break;
            case JournalKinds.Summary:
                Summarise(body);
                break;
            default:
                if (entry.Kind.StartsWith("model.", StringComparison.Ordinal)) ApplyModel(entry, body);
                else ApplyCall(entry, body);
                break;
        }
    }

    private void Start(JournalEntry entry, JsonElement body)
    {
        StartedAt = entry.At;
        Definition = read(body.GetProperty("definition").GetRawText());
        if (Text(body, "model") is { } model) Definition = Definition with { Model = model };
        if (body.TryGetProperty("limits", out var limits)) Definition = Definition with { Limits = RunLimits.Lower(Definition.Limits, new JsonView(limits, "limits")) };
        Input = body.GetProperty("input").Clone();
        if (body.TryGetProperty("authority", out var authority)) Authority = authority.Clone();
        if (body.TryGetProperty("tools", out var tools)) Chosen = [.. tools.EnumerateArray().Select(tool => tool.GetString()!)];
        Say(_asked = Made(entry.Seq, ChatRole.User, [new TextPart(Input.ValueKind == JsonValueKind.String ? Input.GetString()! : Input.GetRawText())]));
    }

    /// <summary>The thread comes before what is asked now.</summary>
    private void Remember(long seq, JsonElement body)
    {
        HasRemembered = true;
        Facts = [.. body.GetProperty("facts").EnumerateArray().Select(fact => fact.GetString()!)];
        _said.Remove(_asked!);
        foreach (var message in body.GetProperty("messages").EnumerateArray())
            Say(seq, Text(message, "role") == "user" ? ChatRole.User : ChatRole.Assistant, new TextPart(Text(message, "text")!));
        _said.Add(_asked!);
    }

    private void ApplyModel(JournalEntry entry, JsonElement body)
    {
        var op = body.GetProperty("op").GetInt64();
        switch (entry.Kind)
        {
            case JournalKinds.ModelIntent:
                Model = new OpenModelCall(op, body.GetProperty("attempt").GetInt32(), body.TryGetProperty("purpose", out _));
                break;
            case JournalKinds.ModelFailed:
            case JournalKinds.ModelLost:
                Model = Model! with { Failed = true };
                break;
            case JournalKinds.ModelResult:
                Answered(entry, body);
                break;
            default:
                throw new InvalidOperationException($"Entry {entry.Seq} is of a kind that this build does not know: {entry.Kind}.");
        }
    }

    private void Answered(JournalEntry entry, JsonElement body)
    {
        Steps++;
        Pay(body);
        Model = null;
        var parts = new List<ChatPart>();
        if (body.TryGetProperty("parts", out var thought)) parts.AddRange(thought.EnumerateArray().Select(Thought));
        var text = Text(body, "text")!;
        if (text.Length > 0) parts.Add(new TextPart(text));
        _calls.Clear();
        foreach (var call in body.GetProperty("calls").EnumerateArray())
        {
            var turn = new ToolTurn(Text(call, "id")!, Text(call, "name")!, Text(call, "arguments")!);
            _calls.Add(turn);
            // Arguments that are no object could not be sent back to the vendor that made them.
            parts.Add(new ToolCallPart(turn.Id, turn.Name, ToolArguments.IsObject(turn.Arguments) ? turn.Arguments : "{}"));
        }

        ToolCalls += _calls.Count;
        Answer = _calls.Count == 0 ? text : null;
        if (parts.Count > 0) Say(entry.Seq, ChatRole.Assistant, [.. parts]);
        else Say(entry.Seq, ChatRole.Assistant, new TextPart("(no answer)"));
    }

    private void ApplyCall(JournalEntry entry, JsonElement body)
    {
        var call = _calls.Find(turn => turn.Id == Text(body, "call")) ?? throw new InvalidOperationException($"Entry {entry.Seq} ({entry.Kind}) is of a call that nobody asked for.");
        switch (entry.Kind)
        {
            case JournalKinds.ToolIntent:
                (call.Phase, call.Effect, call.Attempt) = (ToolPhase.Intended, Text(body, "effect"), body.GetProperty("attempt").GetInt32());
                break;
            case JournalKinds.ToolResult:
                Pay(body);
                call.End(Text(body, "output")!, failed: false);
                Sources.Add(call);
                break;
            case JournalKinds.ToolFailed:
                Fail(call, body);
                break;
            case JournalKinds.ChildEnded:
                Pay(body);
                call.End(Text(body, "output") ?? Text(body, "error") ?? Text(body, "status")!, Text(body, "status") != "completed");
                break;
            default:
                ApplyWait(entry, body, call);
                break;
        }

        Count(entry.At);
        if (_calls.TrueForAll(turn => turn.Phase == ToolPhase.Done)) SayOutcomes(entry.Seq);
    }

    /// <summary>Time that people take: from when the first of them is asked until none is any more.</summary>
    private void Count(DateTimeOffset at)
    {
        var awaits = _calls.Exists(call => call.AwaitsPerson);
        if (awaits) AwaitsPeopleSince ??= at;
        if (awaits || AwaitsPeopleSince is not { } since) return;
        Waited += at - since;
        AwaitsPeopleSince = null;
    }

    /// <summary>What a call waits for, and what came of it.</summary>
    private void ApplyWait(JournalEntry entry, JsonElement body, ToolTurn call)
    {
        switch (entry.Kind)
        {
            case JournalKinds.ApprovalRequested:
                Wait(call, ToolPhase.AwaitsApproval, entry.At, body.GetProperty("expiresAt"));
                call.ApproveOnExpiry = Text(body, "onExpire") == "approve";
                break;
            case JournalKinds.ApprovalDecided:
                Decide(call, body);
                break;
            case JournalKinds.ToolUnknown:
                Wait(call, ToolPhase.AwaitsOutcome, entry.At, body.GetProperty("expiresAt"));
                break;
            case JournalKinds.OutcomeDecided:
                if (!body.GetProperty("done").GetBoolean()) call.Phase = ToolPhase.Cleared;
                else call.End(body.TryGetProperty("output", out var output) ? Raw(output) : "{\"done\":true}", failed: false);
                break;
            case JournalKinds.TimerSet:
                Wait(call, ToolPhase.AwaitsTimer, entry.At, body.GetProperty("until"));
                break;
            case JournalKinds.ChildStarted:
                Children++;
                (call.Phase, call.Child) = (ToolPhase.AwaitsChild, Text(body, "run"));
                break;
            default:
                throw new InvalidOperationException($"Entry {entry.Seq} is of a kind that this build does not know: {entry.Kind}.");
        }
    }

    private static void Decide(ToolTurn call, JsonElement body)
    {
        var reason = Text(body, "reason");
        if (call.Name == MachineTools.Escalate) call.End(MachineTools.Reply(body.GetProperty("approved").GetBoolean(), reason), failed: false);
        else if (body.GetProperty("approved").GetBoolean()) call.Phase = ToolPhase.Cleared;
        else call.End($"A person denied this call{(reason is null ? "" : $": {reason}")}. Do not ask for it again.", failed: true);
    }

    private void Fail(ToolTurn call, JsonElement body)
    {
        if (body.GetProperty("retry").GetBoolean())
        {
            call.Phase = ToolPhase.Cleared;
            return;
        }

        call.End(Text(body, "message")!, failed: true);
        var failure = $"{call.Name}\n{call.Arguments}\n{Text(body, "code")}";
        SameFailure = failure == _lastFailure ? SameFailure + 1 : 1;
        _lastFailure = failure;
    }

    /// <summary>All at once and in the order of the calls, as every vendor wants them, and then what came meanwhile.</summary>
    private void SayOutcomes(long seq)
    {
        if (_calls.Exists(call => !call.Failed)) (SameFailure, _lastFailure) = (0, NoFailure);
        // Of what is large as much as fits into half a prompt, beside the others.
        var longest = Math.Max(LeastShown, RunPrompt.CharactersOf(Definition.Context) / 2 / _calls.Count);
        foreach (var call in _calls) Say(seq, ChatRole.Tool, new ToolResultPart(call.Id, [new TextPart(call.Outcome.Length > 0 ? Drafts.Cut(call.Outcome, longest) : "(nothing)")], call.Failed));
        _calls.Clear();
        foreach (var late in _late) Say(late);
        _late.Clear();
    }

    private void Summarise(JsonElement body)
    {
        Pay(body);
        Model = null;
        var to = body.GetProperty("to").GetInt64();
        var kept = _said.Where(said => said.Seq >= to && said != _asked).ToArray();
        _said.Clear();
        Size = 0;
        // What is asked is never left out; an older summary makes way for this one.
        Say(_asked = Made(to, ChatRole.User, [_asked!.Message.Parts[0], new TextPart($"What was said and done so far, in short:\n{Text(body, "text")}")]));
        foreach (var said in kept) Say(said);
    }

    private void Tell(long seq, string text)
    {
        Answer = null;
        var said = Made(seq, ChatRole.User, [new TextPart(text)]);
        if (_calls.Count > 0) _late.Add(said);
        else Say(said);
    }

    private void Say(long seq, ChatRole role, params ChatPart[] parts) => Say(Made(seq, role, parts));

    private void Say(Said said)
    {
        _said.Add(said);
        Size += said.Size;
    }

    private static Said Made(long seq, ChatRole role, ChatPart[] parts) => new(seq, new ChatMessage(role, parts), parts.Sum(SizeOf));

    private static int SizeOf(ChatPart part) => part switch
    {
        TextPart text => text.Text.Length,
        ToolCallPart call => call.Name.Length + call.Arguments.Length,
        ToolResultPart result => result.Content.Sum(SizeOf),
        ThinkingPart thinking => thinking.Text.Length,
        RedactedThinkingPart redacted => redacted.Data.Length,
        _ => 0,
    };

    private void Pay(JsonElement body) => Cost += Money.FromUsd(body.GetProperty("cost").GetDecimal());

    private static void Wait(ToolTurn call, ToolPhase phase, DateTimeOffset since, JsonElement until) =>
        (call.Phase, call.Since, call.Until) = (phase, since, until.GetDateTimeOffset());

    private static ChatPart Thought(JsonElement part) => part.TryGetProperty("redacted", out var redacted)
        ? new RedactedThinkingPart(redacted.GetString()!)
        : new ThinkingPart(Text(part, "thinking")!, Text(part, "signature"));

    private static string Raw(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    private static string? Text(JsonElement body, string name) => body.TryGetProperty(name, out var value) ? value.GetString() : null;
}
