using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>An answer's text in pieces, cut at the first stop sequence and at the most tokens allowed.</summary>
internal sealed record LocalAnswer(IReadOnlyList<string> Pieces, FinishReason Reason, string? StopSequence)
{
    public static LocalAnswer Of(string text, IReadOnlyList<string> stops, int? most)
    {
        var (stop, at) = FirstStop(text, stops);
        var pieces = Local.Pieces.Of(at >= 0 ? text[..at] : text).ToList();
        if (most < pieces.Count) return new LocalAnswer([.. pieces.Take(most.Value)], FinishReason.Length, null);
        return new LocalAnswer(pieces, stop is null ? FinishReason.Stop : FinishReason.StopSequence, stop);
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
