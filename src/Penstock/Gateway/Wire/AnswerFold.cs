using System.Text;

namespace Penstock.Gateway.Wire;

/// <summary>
/// An answer's updates folded into the whole answer, in no dialect's words. May be read at any point: what came so far.
/// </summary>
internal sealed class AnswerFold
{
    private readonly SortedDictionary<int, FoldedChoice> _choices = [];

    /// <summary>The provider's id of the answer; null where it gave none.</summary>
    public string? Id { get; private set; }

    /// <summary>The model that answered, as the provider names it; null until it said so.</summary>
    public string? Model { get; private set; }

    /// <summary>The last report. Reports are never summed.</summary>
    public UsageReported? Usage { get; private set; }

    /// <summary>By index; the first exists even where nothing came.</summary>
    public IReadOnlyCollection<FoldedChoice> Choices => _choices.Count > 0 ? _choices.Values : [First];

    /// <summary>Choice 0, the only one but for <c>n &gt; 1</c>. Thinking belongs to it.</summary>
    public FoldedChoice First => Choice(0);

    public AnswerFold Add(in ProviderFrame frame)
    {
        foreach (var update in frame.Updates) Add(update);
        return this;
    }

    public void Add(ChatUpdate update)
    {
        switch (update)
        {
            case AnswerStarted started:
                Id = started.Id.Length > 0 ? started.Id : null;
                Model = started.Model.Length > 0 ? started.Model : null;
                break;
            case UsageReported usage:
                Usage = usage;
                break;
            case TextDelta text:
                Choice(text.Choice).Append(FoldedKind.Text, text.Text);
                break;
            case RefusalDelta refusal:
                Choice(refusal.Choice).Append(FoldedKind.Refusal, refusal.Text);
                break;
            case ThinkingDelta thinking:
                First.Append(FoldedKind.Thinking, thinking.Text);
                break;
            case ThinkingSigned signed:
                First.Sign(signed.Signature);
                break;
            case ThinkingRedacted redacted:
                First.Append(FoldedKind.Redacted, redacted.Data);
                break;
            case ToolCallStarted started:
                Choice(started.Choice).StartCall(started);
                break;
            case ToolCallDelta delta:
                Choice(delta.Choice).ContinueCall(delta);
                break;
            case Finished finished:
                Choice(finished.Choice).Finish(finished);
                break;
            default:
                throw new InvalidOperationException($"No fold for {update.GetType().Name}.");
        }
    }

    private FoldedChoice Choice(int index)
    {
        if (!_choices.TryGetValue(index, out var choice)) _choices[index] = choice = new FoldedChoice(index);
        return choice;
    }
}

internal enum FoldedKind
{
    Text,
    Refusal,
    Thinking,
    Redacted,
    ToolCall,
}

/// <summary>One of the answers asked for.</summary>
internal sealed class FoldedChoice(int index)
{
    private readonly List<Piece> _pieces = [];
    private readonly Dictionary<int, Piece> _calls = [];

    public int Index { get; } = index;

    /// <summary>Null where the answer did not say that it ended.</summary>
    public FinishReason? Reason { get; private set; }

    public string? StopSequence { get; private set; }

    /// <summary>
    /// Everything in the order in which it began: <see cref="TextPart"/>, <see cref="RefusedPart"/>, <see cref="ThinkingPart"/>,
    /// <see cref="RedactedThinkingPart"/>, <see cref="ToolCallPart"/>. Text between two calls is a part of its own.
    /// </summary>
    public IReadOnlyList<ChatPart> Parts => _pieces.ConvertAll(piece => piece.Part());

    /// <summary>All text, without what the model thought or declined with; empty where there is none.</summary>
    public string Text => Join(FoldedKind.Text);

    /// <summary>Null where the model did not decline.</summary>
    public string? Refusal => _pieces.Exists(piece => piece.Kind == FoldedKind.Refusal) ? Join(FoldedKind.Refusal) : null;

    /// <summary>In the order of their index. No arguments at all read <c>{}</c>.</summary>
    public IReadOnlyList<ToolCallPart> ToolCalls => [.. _calls.OrderBy(call => call.Key).Select(call => (ToolCallPart)call.Value.Part())];

    /// <summary>Blocks of visible reasoning with their signatures; a redacted one is not among them but in <see cref="Parts"/>.</summary>
    public IReadOnlyList<ThinkingPart> Thinking => [.. _pieces.Where(piece => piece.Kind == FoldedKind.Thinking).Select(piece => (ThinkingPart)piece.Part())];

    internal void Append(FoldedKind kind, string text)
    {
        var open = _pieces.Count > 0 ? _pieces[^1] : null;
        // A redacted block arrives whole and a signature closes its block: what follows either begins another.
        if (open is null || open.Kind != kind || kind == FoldedKind.Redacted || open.Signature is not null) _pieces.Add(open = new Piece(kind));
        open.Text.Append(text);
    }

    internal void Sign(string signature)
    {
        if (_pieces.Count == 0 || _pieces[^1] is not { Kind: FoldedKind.Thinking, Signature: null }) _pieces.Add(new Piece(FoldedKind.Thinking));
        _pieces[^1].Signature = signature;
    }

    internal void StartCall(ToolCallStarted started)
    {
        var piece = new Piece(FoldedKind.ToolCall) { Id = started.Id, Name = started.Name };
        if (!_calls.TryAdd(started.Index, piece)) throw new InvalidOperationException($"Tool call {started.Index} started twice.");
        _pieces.Add(piece);
    }

    internal void ContinueCall(ToolCallDelta delta)
    {
        if (!_calls.TryGetValue(delta.Index, out var call)) throw new InvalidOperationException($"Tool call {delta.Index} continued before it started.");
        call.Text.Append(delta.Arguments);
    }

    internal void Finish(Finished finished)
    {
        Reason = finished.Reason;
        StopSequence = finished.StopSequence;
    }

    private string Join(FoldedKind kind) => string.Concat(_pieces.Where(piece => piece.Kind == kind).Select(piece => piece.Text.ToString()));

    private sealed class Piece(FoldedKind kind)
    {
        public FoldedKind Kind { get; } = kind;

        public StringBuilder Text { get; } = new();

        public string Id { get; init; } = "";

        public string Name { get; init; } = "";

        public string? Signature { get; set; }

        public ChatPart Part() => Kind switch
        {
            FoldedKind.Text => new TextPart(Text.ToString()),
            FoldedKind.Refusal => new RefusedPart(Text.ToString()),
            FoldedKind.Thinking => new ThinkingPart(Text.ToString(), Signature),
            FoldedKind.Redacted => new RedactedThinkingPart(Text.ToString()),
            _ => new ToolCallPart(Id, Name, Text.Length > 0 ? Text.ToString() : "{}"),
        };
    }
}
