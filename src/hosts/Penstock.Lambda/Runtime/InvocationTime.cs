namespace Penstock.Lambda.Runtime;

/// <summary>How long an invocation may work: until a moment before its deadline, so that what it began is cut off, booked and answered before the process is frozen.</summary>
internal sealed class InvocationTime : IDisposable
{
    private static readonly TimeSpan LongestMargin = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _over;

    public InvocationTime(Invocation invocation, TimeProvider time)
    {
        var left = invocation.Deadline - time.GetUtcNow();
        var margin = left / 5 < LongestMargin ? left / 5 : LongestMargin;
        _over = new CancellationTokenSource(left > margin ? left - margin : TimeSpan.Zero, time);
    }

    /// <summary>Cancelled when what is still at work has to end.</summary>
    public CancellationToken Over => _over.Token;

    public void Dispose() => _over.Dispose();
}
