namespace Penstock.Gateway.Routing;

/// <summary>What became of a target's newest calls: the last <see cref="Most"/>, and none of more than <see cref="Longest"/> ago. Times only grow.</summary>
internal sealed class Verdicts
{
    public const int Most = 20;

    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    private readonly Queue<(TimeSpan At, bool Failed)> _calls = new();

    public int Failed { get; private set; }

    /// <summary>There are enough to speak of a share.</summary>
    public bool Tell => _calls.Count == Most;

    public void Add(TimeSpan at, bool failed)
    {
        while (_calls.TryPeek(out var oldest) && (_calls.Count == Most || at - oldest.At > Longest))
        {
            _calls.Dequeue();
            if (oldest.Failed) Failed--;
        }

        _calls.Enqueue((at, failed));
        if (failed) Failed++;
    }

    public void Clear()
    {
        _calls.Clear();
        Failed = 0;
    }
}
