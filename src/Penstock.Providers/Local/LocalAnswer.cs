using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>A tool call that an in-process provider makes.</summary>
/// <param name="Arguments">One JSON object as text.</param>
internal readonly record struct MadeCall(string Name, string Arguments);

/// <summary>An answer token by token, cut at the first stop sequence and at the most tokens allowed: a text, or tool calls.</summary>
/// <param name="Tokens">What each token brings.</param>
internal sealed record LocalAnswer(IReadOnlyList<IReadOnlyList<ChatUpdate>> Tokens, FinishReason Reason, string? StopSequence)
{
    /// <summary>All at once: a text in one piece, and the arguments of each call.</summary>
    public IEnumerable<ChatUpdate> Whole
    {
        get
        {
            var updates = Tokens.SelectMany(token => token).ToList();
            var text = string.Concat(updates.OfType<TextDelta>().Select(delta => delta.Text));
            if (text.Length > 0) yield return new TextDelta(0, text);
            foreach (var call in updates.OfType<ToolCallStarted>())
            {
                yield return call;
                var arguments = string.Concat(updates.OfType<ToolCallDelta>().Where(delta => delta.Index == call.Index).Select(delta => delta.Arguments));
                if (arguments.Length > 0) yield return new ToolCallDelta(0, call.Index, arguments);
            }
        }
    }

    public static LocalAnswer Of(string text, IReadOnlyList<string> stops, int? most)
    {
        var (stop, at) = FirstStop(text, stops);
        var pieces = Pieces.Of(at >= 0 ? text[..at] : text).Select(piece => (ChatUpdate[])[new TextDelta(0, piece)]).ToList();
        if (most < pieces.Count) return new LocalAnswer([.. pieces.Take(most.Value)], FinishReason.Length, null);
        return new LocalAnswer(pieces, stop is null ? FinishReason.Stop : FinishReason.StopSequence, stop);
    }

    /// <summary>One call after the other; the ids are unique to the attempt.</summary>
    public static LocalAnswer Of(IReadOnlyList<MadeCall> calls, ProviderCall call, int? most)
    {
        var tokens = new List<IReadOnlyList<ChatUpdate>>();
        for (var i = 0; i < calls.Count; i++)
        {
            var index = i;
            ChatUpdate started = new ToolCallStarted(0, index, $"call_{call.Attempt}_{index}", calls[index].Name);
            var pieces = Pieces.Of(calls[index].Arguments).Select(piece => new ToolCallDelta(0, index, piece)).ToList();
            tokens.Add([started, pieces[0]]);
            tokens.AddRange(pieces.Skip(1).Select(piece => (ChatUpdate[])[piece]));
        }

        return most < tokens.Count
            ? new LocalAnswer([.. tokens.Take(most.Value)], FinishReason.Length, null)
            : new LocalAnswer(tokens, FinishReason.ToolCalls, null);
    }

    private static (string? Stop, int At) FirstStop(string text, IReadOnlyList<string> stops)
    {
        string? first = null;
        var least = -1;
        foreach (var stop in stops)
        {
            var at = stop.Length > 0 ? text.IndexOf(stop, StringComparison.Ordinal) : -1;
            if (at < 0 || (least >= 0 && at >= least)) continue;
            (first, least) = (stop, at);
        }

        return (first, least);
    }
}
