using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace Penstock.LambdaFront;

/// <summary>One event on its way through a function, as whoever sent it sees it.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Its source has no timer and no handle; two sides hold the invocation, and neither knows when the other is through.")]
internal sealed class Invocation(string id, ReadOnlyMemory<byte> payload, TimeSpan timeout)
{
    private readonly Channel<byte[]> _pieces = Channel.CreateUnbounded<byte[]>();
    private readonly TaskCompletionSource<bool> _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<InvocationEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _left = new();

    public string Id => id;

    public ReadOnlyMemory<byte> Payload => payload;

    public TimeSpan Timeout => timeout;

    /// <summary>Pieces of the body as they came in; completed at its end.</summary>
    public ChannelReader<byte[]> Pieces => _pieces.Reader;

    /// <summary>True where the answer streams.</summary>
    public Task<bool> Begun => _begun.Task;

    public Task<InvocationEnd> Ended => _ended.Task;

    public CancellationToken Left => _left.Token;

    /// <summary>Whoever asked is gone: nothing more of the answer is taken.</summary>
    public void Leave() => _left.Cancel();

    public void Begin(bool streams) => _begun.TrySetResult(streams);

    public void Take(byte[] piece) => _pieces.Writer.TryWrite(piece);

    public void End(InvocationEnd end)
    {
        _pieces.Writer.TryComplete();
        _begun.TrySetResult(false);
        _ended.TrySetResult(end);
    }
}

/// <summary>What the function handed in.</summary>
/// <param name="ErrorType">Of a failed invocation, or of a stream that broke off; null where neither is.</param>
/// <param name="Body">Whole, as it came in.</param>
internal sealed record InvocationEnd(bool Failed, bool Streamed, byte[] Body, string? ErrorType, string? ErrorBody)
{
    public string Text => System.Text.Encoding.UTF8.GetString(Body);
}
