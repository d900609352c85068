using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Penstock.Http;

internal enum DeliveryEnd
{
    /// <summary>The client has the whole answer.</summary>
    Sent,

    /// <summary>The answer failed before it began; the client was told nothing yet.</summary>
    NotBegun,

    /// <summary>The answer broke off, and the client's connection with it.</summary>
    Broken,

    /// <summary>The client left, or read too slowly.</summary>
    Gone,
}

/// <summary>
/// Copies recordings to one client, over the connection its request came by: a <see cref="RecordedResponse"/> that takes its place later does not matter.
/// </summary>
internal sealed class Delivery(HttpContext http, TimeProvider time)
{
    private static readonly TimeSpan LongestWrite = TimeSpan.FromSeconds(60);

    private readonly IHttpResponseFeature _response = http.Features.GetRequiredFeature<IHttpResponseFeature>();
    private readonly IHttpResponseBodyFeature _body = http.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
    private readonly IHttpRequestLifetimeFeature _lifetime = http.Features.GetRequiredFeature<IHttpRequestLifetimeFeature>();

    public IHeaderDictionary Headers => _response.Headers;

    /// <param name="head">Writes the headers of this client's answer.</param>
    /// <param name="before">Runs before each piece is written, so that what must be true by the end of the answer can be made true; null for nothing.</param>
    public async Task<DeliveryEnd> CopyAsync(Recording.Reader reader, Action<RecordedHead, IHeaderDictionary> head, Func<ValueTask>? before = null)
    {
        var gone = _lifetime.RequestAborted;
        var chunks = new List<ReadOnlyMemory<byte>>();
        while (true)
        {
            var state = await NextAsync(reader, chunks, gone);
            if (state is null) return DeliveryEnd.Gone;
            if (state is RecordingState.Failed && !_response.HasStarted) return DeliveryEnd.NotBegun;
            if (state is RecordingState.Failed or RecordingState.Lost)
            {
                _lifetime.Abort();
                return state is RecordingState.Failed ? DeliveryEnd.Broken : DeliveryEnd.Gone;
            }

            if (before is not null) await before();
            if (!await WriteAsync(reader.Recording.Head!, head, chunks, gone)) return DeliveryEnd.Gone;
            if (state is RecordingState.Ended) return DeliveryEnd.Sent;
        }
    }

    private static async ValueTask<RecordingState?> NextAsync(Recording.Reader reader, List<ReadOnlyMemory<byte>> chunks, CancellationToken gone)
    {
        try
        {
            return await reader.ReadAsync(chunks, gone);
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>False where the client left.</summary>
    private async ValueTask<bool> WriteAsync(RecordedHead recorded, Action<RecordedHead, IHeaderDictionary> head, List<ReadOnlyMemory<byte>> chunks, CancellationToken gone)
    {
        try
        {
            if (!_response.HasStarted)
            {
                _response.StatusCode = recorded.Status;
                head(recorded, _response.Headers);
                await _body.StartAsync(gone);
            }

            if (chunks.Count == 0) await _body.CompleteAsync();
            foreach (var chunk in chunks) _body.Writer.Write(chunk.Span);
            return chunks.Count == 0 || await FlushAsync(gone);
        }
        catch (TimeoutException)
        {
            // A client that reads nothing for this long would hold what it does not read for ever.
            _lifetime.Abort();
            return false;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return false;
        }
    }

    private async ValueTask<bool> FlushAsync(CancellationToken gone)
    {
        var flush = _body.Writer.FlushAsync(gone);
        var flushed = flush.IsCompletedSuccessfully ? flush.Result : await flush.AsTask().WaitAsync(LongestWrite, time, gone);
        return !flushed.IsCompleted && !flushed.IsCanceled;
    }
}
