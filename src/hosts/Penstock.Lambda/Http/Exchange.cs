using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace Penstock.Lambda.Http;

/// <summary>One request and its answer, as the features by which ASP.NET Core sees a connection.</summary>
internal sealed class Exchange : IHttpResponseFeature, IHttpResponseBodyFeature, IHttpRequestLifetimeFeature, IHttpRequestBodyDetectionFeature, IDisposable
{
    private readonly IAnswerSink _sink;
    private readonly CancellationTokenSource _aborted;
    private readonly AnswerWriter _writer;
    private readonly Stack<(Func<object, Task> Callback, object State)> _starting = new();
    private readonly Stack<(Func<object, Task> Callback, object State)> _completed = new();
    private readonly bool _hasBody;
    private Stream? _stream;

    public Exchange(EventRequest request, IAnswerSink sink, CancellationToken over)
    {
        _sink = sink;
        _hasBody = request.BodyLength > 0;
        _aborted = CancellationTokenSource.CreateLinkedTokenSource(over, sink.Gone);
        _writer = new AnswerWriter(SendAsync);
        RequestAborted = _aborted.Token;
        Features.Set<IHttpRequestFeature>(request.Http);
        Features.Set<IHttpResponseFeature>(this);
        Features.Set<IHttpResponseBodyFeature>(this);
        Features.Set<IHttpRequestLifetimeFeature>(this);
        Features.Set<IHttpRequestBodyDetectionFeature>(this);
        Features.Set<IHttpConnectionFeature>(new HttpConnectionFeature { RemoteIpAddress = EventParts.Address(request.Address) });
        Features.Set(new Penstock.Http.RequestDeadline(over));
    }

    public FeatureCollection Features { get; } = new();

    public int StatusCode { get; set; } = StatusCodes.Status200OK;

    public string? ReasonPhrase { get; set; }

    public IHeaderDictionary Headers { get; set; } = new HeaderDictionary();

    public bool HasStarted { get; private set; }

    public CancellationToken RequestAborted { get; set; }

    /// <summary>True where an endpoint broke the answer off: what was sent of it is not the whole.</summary>
    public bool Broken { get; private set; }

    bool IHttpRequestBodyDetectionFeature.CanHaveBody => _hasBody;

    Stream IHttpResponseFeature.Body { get => Stream; set => throw new NotSupportedException("The body is written through IHttpResponseBodyFeature."); }

    public Stream Stream => _stream ??= _writer.AsStream(leaveOpen: true);

    public PipeWriter Writer => _writer;

    public void OnStarting(Func<object, Task> callback, object state) => _starting.Push((callback, state));

    public void OnCompleted(Func<object, Task> callback, object state) => _completed.Push((callback, state));

    public void DisableBuffering()
    {
    }

    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (HasStarted) return;
        // As a server does it: the last one first, and a callback may still set headers.
        while (_starting.TryPop(out var one)) await one.Callback(one.State);
        HasStarted = true;
        await _sink.BeginAsync(StatusCode, Headers, cancellationToken);
    }

    public async Task CompleteAsync() => await _writer.FlushAsync(CancellationToken.None);

    public async Task FireCompletedAsync()
    {
        while (_completed.TryPop(out var one)) await one.Callback(one.State);
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        SendFileFallback.SendFileAsync(Stream, path, offset, count, cancellationToken);

    public void Abort()
    {
        Broken = true;
        _aborted.Cancel();
    }

    public void Dispose() => _aborted.Dispose();

    private async ValueTask<bool> SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        try
        {
            await StartAsync(ct);
            await _sink.WriteAsync(bytes, ct);
            return !_sink.Gone.IsCancellationRequested;
        }
        catch (IOException)
        {
            // Whoever asked is gone; the endpoint hears it as it would from a socket.
            await _aborted.CancelAsync();
            return false;
        }
    }
}

/// <summary>Where an answer goes.</summary>
internal interface IAnswerSink
{
    /// <summary>Cancelled when nobody takes it any more.</summary>
    CancellationToken Gone { get; }

    Task BeginAsync(int status, IHeaderDictionary headers, CancellationToken ct);

    ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct);
}
