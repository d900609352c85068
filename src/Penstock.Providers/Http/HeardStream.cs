namespace Penstock.Providers.Http;

/// <summary>Reads through, restarts the silence timer on every byte heard, and refuses a line (or a body without lines) that grows past the limit.</summary>
internal sealed class HeardStream(Stream inner, Silence silence, int maxLine, Func<Exception> tooLong) : Stream
{
    private int _sinceNewLine;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken);
        silence.Heard();
        var newLine = buffer.Span[..read].LastIndexOf((byte)'\n');
        _sinceNewLine = newLine < 0 ? _sinceNewLine + read : read - newLine - 1;
        return _sinceNewLine > maxLine ? throw tooLong() : read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read asynchronously.");
    public override void Flush() => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }
}
