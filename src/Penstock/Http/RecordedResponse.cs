using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Penstock.Http;

/// <summary>
/// Stands in for a request's connection while its answer is made, so that the answer goes into a <see cref="Recording"/> and the work is cancelled by
/// <paramref name="cancelled"/> instead of by a client that leaves.
/// </summary>
internal sealed class RecordedResponse(Recording recording, CancellationToken cancelled) : IHttpResponseFeature, IHttpResponseBodyFeature, IHttpRequestLifetimeFeature
{
    private readonly Stack<(Func<object, Task> Callback, object State)> _starting = [];
    private readonly RecordingWriter _writer = new(recording);
    private IFeatureCollection? _features;
    private (IHttpResponseFeature Response, IHttpResponseBodyFeature Body, IHttpRequestLifetimeFeature Lifetime) _real;
    private bool _started;

    public int StatusCode { get; set; } = StatusCodes.Status200OK;

    public string? ReasonPhrase { get; set; }

    public IHeaderDictionary Headers { get; set; } = new HeaderDictionary();

    public bool HasStarted => _started;

    public CancellationToken RequestAborted { get; set; } = cancelled;

    public PipeWriter Writer => _writer;

    public Stream Stream => field ??= new StartingStream(this);

    /// <summary>The old way to the body, which nobody here goes.</summary>
    Stream IHttpResponseFeature.Body
    {
        get => Stream;
        set => throw new NotSupportedException();
    }

    public void PutInPlaceOf(HttpContext http)
    {
        _features = http.Features;
        _real = (_features.GetRequiredFeature<IHttpResponseFeature>(), _features.GetRequiredFeature<IHttpResponseBodyFeature>(), _features.GetRequiredFeature<IHttpRequestLifetimeFeature>());
        Set(this, this, this);
    }

    public void GiveBack() => Set(_real.Response, _real.Body, _real.Lifetime);

    public void OnStarting(Func<object, Task> callback, object state) => _starting.Push((callback, state));

    public void OnCompleted(Func<object, Task> callback, object state) => _real.Response.OnCompleted(callback, state);

    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (_started) return;
        while (_starting.TryPop(out var next)) await next.Callback(next.State);
        _started = true;
        recording.Begin(new RecordedHead(StatusCode, [.. Headers]));
    }

    /// <summary>What was written and not flushed counts too.</summary>
    public async Task CompleteAsync()
    {
        await StartAsync();
        await _writer.FlushAsync();
    }

    public void DisableBuffering()
    {
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <summary>The answer breaks off; its clients see a broken connection.</summary>
    public void Abort() => recording.Fail();

    private void Set(IHttpResponseFeature response, IHttpResponseBodyFeature body, IHttpRequestLifetimeFeature lifetime)
    {
        _features!.Set(response);
        _features.Set(body);
        _features.Set(lifetime);
    }

    /// <summary>A body that is written to begins the answer.</summary>
    private sealed class StartingStream(RecordedResponse owner) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await owner.StartAsync(cancellationToken);
            await owner._writer.WriteAsync(buffer, cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override Task FlushAsync(CancellationToken cancellationToken) => owner._writer.FlushAsync(cancellationToken).AsTask();

        public override void Flush() => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }

    private sealed class RecordingWriter(Recording recording) : PipeWriter
    {
        private readonly ArrayBufferWriter<byte> _unflushed = new();

        public override bool CanGetUnflushedBytes => true;

        public override long UnflushedBytes => _unflushed.WrittenCount;

        public override Memory<byte> GetMemory(int sizeHint = 0) => _unflushed.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => _unflushed.GetSpan(sizeHint);

        public override void Advance(int bytes) => _unflushed.Advance(bytes);

        public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            if (_unflushed.WrittenCount > 0)
            {
                await recording.AppendAsync(_unflushed.WrittenMemory, cancellationToken);
                _unflushed.ResetWrittenCount();
            }

            return new FlushResult(isCanceled: false, isCompleted: recording.Abandoned);
        }

        public override async ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
        {
            await FlushAsync(cancellationToken);
            await recording.AppendAsync(source, cancellationToken);
            return new FlushResult(isCanceled: false, isCompleted: recording.Abandoned);
        }

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }
    }
}
