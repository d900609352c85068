using System.Buffers;
using System.IO.Pipelines;

namespace Penstock.Lambda.Http;

/// <summary>Takes what an endpoint writes, and gives it on at each flush.</summary>
internal sealed class AnswerWriter(Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask<bool>> send) : PipeWriter
{
    private readonly ArrayBufferWriter<byte> _waiting = new(4096);

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _waiting.WrittenCount;

    public override void Advance(int bytes) => _waiting.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => _waiting.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _waiting.GetSpan(sizeHint);

    /// <summary>Completed where nobody takes it any more.</summary>
    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        var taken = await send(_waiting.WrittenMemory, cancellationToken);
        _waiting.ResetWrittenCount();
        return new FlushResult(isCanceled: false, isCompleted: !taken);
    }

    public override void CancelPendingFlush()
    {
    }

    /// <summary>The exchange ends the answer, not whoever writes it.</summary>
    public override void Complete(Exception? exception = null)
    {
    }
}
