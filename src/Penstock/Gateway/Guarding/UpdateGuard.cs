using Penstock.Guards;

namespace Penstock.Gateway.Guarding;

/// <summary>Rules on what an answer means, for a client whose dialect is written from that.</summary>
internal sealed class UpdateGuard(GuardRules rules, GuardTally tally) : AnswerGuard(tally)
{
    private readonly Dictionary<(int Choice, Kind Kind), GuardScan> _texts = [];
    private readonly SortedDictionary<(int Choice, int Index), ArgumentsScan> _calls = [];

    private enum Kind
    {
        Thinking,
        Text,
        Refusal,
    }

    public override IReadOnlyList<ProviderFrame> Pass(in ProviderFrame frame)
    {
        var shown = new List<ChatUpdate>(frame.Updates.Count + 1);
        foreach (var update in frame.Updates) Add(update, shown);
        if (frame.Last) EndAll(shown);
        return [new ProviderFrame(frame.Event, default, Blocked ? Cut(shown) : shown, frame.Last)];
    }

    public override ProviderFrame Whole(in ProviderFrame frame)
    {
        var shown = Pass(frame)[0];
        return Blocked ? shown with { Updates = [.. shown.Updates.Where(update => update is AnswerStarted or Finished or UsageReported)] } : shown;
    }

    /// <summary>What still waits, before an answer ends that never said of a choice that it finished.</summary>
    public void EndAll(List<ChatUpdate> shown)
    {
        var ends = new List<ChatUpdate>();
        foreach (var choice in _texts.Keys.Select(key => key.Choice).Concat(_calls.Keys.Select(key => key.Choice)).Distinct().Order().ToArray()) End(choice, ends);
        shown.InsertRange(0, ends);
    }

    private void Add(ChatUpdate update, List<ChatUpdate> shown)
    {
        switch (update)
        {
            case TextDelta text:
                EndTexts(text.Choice, Kind.Text, shown);
                Piece(text.Choice, Kind.Text, text.Text, shown);
                break;
            case RefusalDelta refusal:
                EndTexts(refusal.Choice, Kind.Refusal, shown);
                Piece(refusal.Choice, Kind.Refusal, refusal.Text, shown);
                break;
            case ThinkingDelta thinking:
                EndTexts(0, Kind.Thinking, shown);
                Piece(0, Kind.Thinking, thinking.Text, shown);
                break;
            case ThinkingSigned or ThinkingRedacted or ToolCallStarted when Blocked:
                break;
            case ThinkingSigned or ThinkingRedacted:
                EndTexts(0, null, shown);
                shown.Add(update);
                break;
            case ToolCallStarted started:
                EndTexts(started.Choice, null, shown);
                shown.Add(update);
                break;
            case ToolCallDelta delta:
                if (!_calls.TryGetValue((delta.Choice, delta.Index), out var call)) _calls[(delta.Choice, delta.Index)] = call = new ArgumentsScan(rules, Tally);
                if (call.Piece(delta.Arguments) is { Length: > 0 } piece) shown.Add(delta with { Arguments = piece });
                break;
            case Finished finished:
                End(finished.Choice, shown);
                shown.Add(Blocked ? finished with { Reason = FinishReason.ContentFilter, StopSequence = null } : finished);
                break;
            default:
                shown.Add(update);
                break;
        }
    }

    private void Piece(int choice, Kind kind, string text, List<ChatUpdate> shown)
    {
        if (!_texts.TryGetValue((choice, kind), out var scan)) _texts[(choice, kind)] = scan = new GuardScan(rules, Tally);
        Show(choice, kind, scan.Piece(text), shown);
    }

    /// <summary>What one kind of text holds back is let out before another kind begins.</summary>
    private void EndTexts(int choice, Kind? except, List<ChatUpdate> shown)
    {
        foreach (var ((of, kind), scan) in _texts)
        {
            if (of == choice && kind != except) Show(choice, kind, scan.Take(final: true), shown);
        }
    }

    private void End(int choice, List<ChatUpdate> shown)
    {
        EndTexts(choice, null, shown);
        foreach (var ((of, index), scan) in _calls)
        {
            if (of == choice && scan.End() is { Length: > 0 } rest) shown.Add(new ToolCallDelta(choice, index, rest));
        }
    }

    private static void Show(int choice, Kind kind, string text, List<ChatUpdate> shown)
    {
        if (text.Length == 0) return;
        shown.Add(kind switch { Kind.Text => new TextDelta(choice, text), Kind.Refusal => new RefusalDelta(choice, text), _ => new ThinkingDelta(text) });
    }

    /// <summary>Nothing new begins in an answer that is cut off, and nothing of it counts as a call to be made.</summary>
    private static List<ChatUpdate> Cut(List<ChatUpdate> shown) =>
        shown.ConvertAll(update => update is Finished finished ? finished with { Reason = FinishReason.ContentFilter, StopSequence = null } : update);
}
