using System.Text;
using Penstock.Budgets;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Selecting;
using Penstock.Gateway.Wire;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Limits;
using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>Whose call it is, and what it asked for.</summary>
/// <param name="Operation"><c>chat</c> or <c>embeddings</c>.</param>
internal sealed record CallOrigin(RequestScope Request, Caller Caller, string Route, string Operation, string RequestedModel, bool Streamed, string? Conversation, string? EndUser)
{
    /// <summary>The template that made the prompt; null where the client wrote it.</summary>
    public string? Template { get; init; }

    /// <summary>The tier that was chosen, and why; null where the client named what is to answer.</summary>
    public Choice? Choice { get; init; }
}

/// <summary>
/// One call to one provider: meters what comes back and books it once, whether it completed, failed, or the client left.
/// What the provider did not report is counted here and marked as estimated.
/// </summary>
internal sealed class Attempt(AttemptId id, CallOrigin origin, Target target, Attempts attempts, TimeProvider time)
{
    private readonly long _started = time.GetTimestamp();
    private readonly StringBuilder _written = new();
    private UsageReported? _usage;
    private TimeSpan? _firstToken;
    private bool _estimated;
    private Money _granted;
    private Passage? _passage;

    public AttemptId Id { get; } = id;

    /// <summary>When it began, UTC.</summary>
    public DateTimeOffset At { get; } = time.GetUtcNow();

    public Target Target { get; } = target;

    /// <summary>Why this target, where it is not plainly the first of its plan.</summary>
    public string? Decision { get; init; }

    /// <summary>Tells the target what becomes of the call; null where none is made.</summary>
    public TargetCall? Entered { get; set; }

    /// <summary>True once anything of its answer goes to the client: nobody else can answer then.</summary>
    public bool Begun { get; set; }

    /// <summary>True where it is booked and nobody else is asked.</summary>
    public bool Final { get; private set; }

    /// <summary>The template that made the prompt; null where the client wrote it.</summary>
    public string? Template => origin.Template;

    public bool Booked { get; private set; }

    /// <summary>As it stands in the ledger; null until it does.</summary>
    public LedgerRow? BookedAs { get; private set; }

    /// <summary>True where the provider's filter, or a guard rule, ended the answer.</summary>
    public bool Filtered { get; set; }

    /// <summary>What the tightest hard budget leaves, this call at its ceiling until it is booked and at its cost then; null where there is none.</summary>
    public Money? Remaining { get; private set; }

    /// <summary>Soft budgets that this call passes, such as <c>project 'search' 104%</c>; null where it passes none.</summary>
    public string? Warning { get; private set; }

    /// <summary>True once the call is on its way: from then on the provider may bill it.</summary>
    public bool Sent { get; set; }

    /// <summary>True once the provider answered anything.</summary>
    public bool Heard { get; private set; }

    public void Meter(in ProviderFrame frame)
    {
        Heard = true;
        Entered?.Heard(time);
        if (HeldBack.IsContent(frame)) Entered?.Answering();
        foreach (var update in frame.Updates) Meter(update);
    }

    /// <summary>Counts of an answer that came whole.</summary>
    public void Meter(TokenCounts counts, bool estimated)
    {
        Heard = true;
        Entered?.Heard(time);
        _usage = new UsageReported(counts.Bounded(), Final: true);
        _estimated = estimated;
    }

    /// <summary>
    /// What the provider did not report is counted here; where it may bill more than it showed, the attempt is booked at what it held: unknown is never refunded.
    /// </summary>
    /// <param name="call">What was asked, to count where the provider did not; null where the provider did no work.</param>
    /// <param name="error">Code of the refusal the client gets, null where the answer was complete.</param>
    /// <param name="final">False where another target may be asked in its place.</param>
    public async Task<Receipt> BookAsync(AttemptOutcome outcome, ChatCall? call, string? error = null, bool final = true)
    {
        if (Booked) throw new InvalidOperationException($"Attempt {Id} is booked already.");
        (Booked, Final) = (true, final);
        if (outcome == AttemptOutcome.Completed) Entered?.Succeeded();

        var elapsed = time.GetElapsedTime(_started);
        if (!Sent) call = null;
        var (counts, estimated) = Counts(call);
        var row = Row(outcome, counts, estimated, error, elapsed);
        if (call is not null && estimated && outcome != AttemptOutcome.Completed && row.Cost < _granted && Ceiling.Hides(Target, call)) row = row with { Cost = _granted };
        origin.Request.Logged = true;
        try
        {
            await attempts.BookAsync(row, Target.Price.Vendor.Length > 0, elapsed, _firstToken);
        }
        finally
        {
            // Before the client sees the end: whoever sends one call after another never meets their own last one.
            _passage?.Use(counts.Total);
            if (final && _passage is not null) await _passage.SettleAsync();
        }

        BookedAs = row;
        origin.Request.Spend(row.Cost);
        Remaining += _granted - row.Cost;
        return new Receipt(counts, row.Cost, estimated, row.LatencyMs);
    }

    /// <summary>Books an answer that another call paid for: no provider was called and nothing is held.</summary>
    /// <param name="avoided">What it would have cost.</param>
    public async Task BookSharedAsync(AttemptOutcome outcome, TokenCounts counts, Money avoided, string? error = null)
    {
        if (Booked) throw new InvalidOperationException($"Attempt {Id} is booked already.");
        Booked = true;
        origin.Request.Logged = true;
        var row = Row(outcome, counts, false, error, time.GetElapsedTime(_started)) with { Cost = Money.Zero, Avoided = avoided };
        await attempts.BookSharedAsync(row);
        BookedAs = row;
    }

    /// <summary>
    /// Takes the tokens and the slot, where the request has none yet, and holds what it may cost; throws 429 or 402 where they are not left, and nothing is taken then.
    /// </summary>
    public async ValueTask<Hold> ReserveAsync(Passage passage, long tokens, Need need, CancellationToken ct)
    {
        await passage.TakeAsync(tokens, ct);
        _passage = passage;
        try
        {
            if (Target.OwnKey) return new Hold(Money.Zero);
            var hold = await attempts.Holds.ReserveAsync(origin.Caller, Row(AttemptOutcome.Unknown, default, true, null, TimeSpan.Zero), need, ct);
            Remaining = hold.Remaining;
            Warning = hold.Warning;
            _granted = hold.Granted;
            return hold;
        }
        catch (RefusedException)
        {
            await passage.ReturnAsync();
            throw;
        }
    }

    private void Meter(ChatUpdate update)
    {
        var text = update switch
        {
            TextDelta delta => delta.Text,
            ToolCallDelta delta => delta.Arguments,
            ToolCallStarted started => started.Name,
            ThinkingDelta delta => delta.Text,
            RefusalDelta delta => delta.Text,
            _ => null,
        };
        if (update is Finished { Reason: FinishReason.ContentFilter }) Filtered = true;
        if (update is UsageReported usage) _usage = usage with { Counts = usage.Counts.Bounded() };
        if (text is not { Length: > 0 }) return;
        _firstToken ??= time.GetElapsedTime(_started);
        _written.Append(text);
    }

    private (TokenCounts Counts, bool Estimated) Counts(ChatCall? call)
    {
        if (_usage is { Final: true } final) return (final.Counts, _estimated);
        if (call is null) return (default, false);

        var output = _written.Length == 0 ? 0 : attempts.Tokens.CountText(_written.ToString(), Target.Model);
        if (_usage is { } soFar) return (soFar.Counts with { Output = Math.Max(soFar.Counts.Output, output) }, true);
        return (TokenCounts.Of(attempts.Tokens.Count(call, Target.Model).Tokens, output), true);
    }

    private LedgerRow Row(AttemptOutcome outcome, TokenCounts counts, bool estimated, string? error, TimeSpan elapsed)
    {
        var row = AtListPrice(outcome, counts, estimated, error, elapsed);
        return Target.OwnKey ? row with { Cost = Money.Zero, Avoided = row.Cost, OwnKey = true } : row;
    }

    private LedgerRow AtListPrice(AttemptOutcome outcome, TokenCounts counts, bool estimated, string? error, TimeSpan elapsed) => new()
    {
        Tenant = origin.Caller.Tenant,
        Attempt = Id,
        Request = origin.Request.Id,
        Project = origin.Caller.Project,
        Key = origin.Caller.Key.Id,
        At = At,
        Operation = origin.Operation,
        Route = origin.Route,
        Provider = Target.Provider.Name,
        RequestedModel = origin.RequestedModel,
        Model = Target.Model,
        Tokens = counts,
        Cost = Target.Price.CostOf(counts, _usage?.PriceClass),
        PriceVersion = Target.PriceVersion,
        Estimated = estimated,
        Outcome = outcome,
        Error = error,
        LatencyMs = (int)elapsed.TotalMilliseconds,
        FirstTokenMs = _firstToken is { } first ? (int)first.TotalMilliseconds : null,
        Streamed = origin.Streamed,
        Conversation = origin.Conversation,
        EndUser = origin.EndUser,
        Decision = Decision,
        Template = origin.Template,
        Run = origin.Caller.Run,
    };
}
