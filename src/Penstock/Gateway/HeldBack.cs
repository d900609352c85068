namespace Penstock.Gateway;

/// <summary>
/// Frames of a stream that only say that an answer begins. They wait until there is one: a target that fails behind its first frame has then shown the client
/// nothing, and another can answer in its place.
/// </summary>
internal sealed class HeldBack
{
    /// <summary>Most frames that wait. More of them are content of a kind we do not know.</summary>
    private const int Most = 32;

    private const string UnknownDelta = "content_block_delta";

    private List<ProviderFrame>? _held = [];

    /// <summary>What goes out now that <paramref name="frame"/> came; empty while it all waits.</summary>
    public IReadOnlyList<ProviderFrame> Take(in ProviderFrame frame)
    {
        if (_held is not { } held) return [frame];
        held.Add(frame);
        if (!frame.Last && held.Count < Most && !IsContent(frame)) return [];
        _held = null;
        return held;
    }

    /// <summary>Text, a tool's call, a thought, a refusal or the end; also a delta of a kind that only the client's dialect knows.</summary>
    public static bool IsContent(in ProviderFrame frame)
    {
        foreach (var update in frame.Updates)
        {
            if (update is not (AnswerStarted or UsageReported)) return true;
        }

        return frame.Event == UnknownDelta && frame.Updates.Count == 0;
    }
}
