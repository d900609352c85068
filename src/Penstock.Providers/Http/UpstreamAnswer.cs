using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Penstock.Gateway;

namespace Penstock.Providers.Http;

/// <summary>One event of a stream; <paramref name="Name"/> is <c>message</c> where the provider names none.</summary>
internal readonly record struct UpstreamEvent(string Name, byte[] Data);

/// <summary>A provider's answer whose body is still to be read.</summary>
internal sealed class UpstreamAnswer(string provider, HttpResponseMessage response, Silence silence) : IAsyncDisposable
{
    /// <summary>Longest whole answer, and longest single line of a stream, in bytes.</summary>
    private const int MaxBytes = 64 * 1024 * 1024;

    private const int MaxErrorBytes = 64 * 1024;
    private const int PieceBytes = 16 * 1024;

    public int Status => (int)response.StatusCode;

    public bool Succeeded => response.IsSuccessStatusCode;

    public HttpResponseHeaders Headers => response.Headers;

    public string? MediaType => response.Content.Headers.ContentType?.MediaType;

    public bool IsEventStream => MediaType == "text/event-stream";

    /// <summary>The whole body; <see cref="ProviderFault.CutShort"/> where the connection ends before it.</summary>
    public async Task<ReadOnlyMemory<byte>> ReadAllAsync(CancellationToken ct)
    {
        await using var body = await OpenAsync(ct);
        var buffer = new MemoryStream((int)Math.Clamp(response.Content.Headers.ContentLength ?? 4096, 256, MaxBytes));
        await Guarded(() => body.CopyToAsync(buffer, silence.Token), ct);
        if (buffer.Length > MaxBytes) throw TooLong();
        return buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
    }

    /// <summary>The beginning of an error's body: enough to say what is wrong.</summary>
    public async Task<ReadOnlyMemory<byte>> ReadErrorAsync(CancellationToken ct)
    {
        await using var body = await OpenAsync(ct);
        var buffer = new byte[MaxErrorBytes];
        var length = 0;
        await Guarded(async () => length = await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, silence.Token), ct);
        return buffer.AsMemory(0, length);
    }

    public async IAsyncEnumerable<UpstreamEvent> EventsAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await using var body = await OpenAsync(ct);
        var events = SseParser.Create(body, static (name, data) => new UpstreamEvent(name, data.ToArray())).EnumerateAsync(silence.Token).GetAsyncEnumerator(silence.Token);
        await using (events)
        {
            while (true)
            {
                var more = false;
                await Guarded(async () => more = await events.MoveNextAsync(), ct);
                if (!more) yield break;
                yield return events.Current.Data;
            }
        }
    }

    /// <summary>The body as it comes. A piece is good until the next is asked for.</summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> PiecesAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await using var body = await OpenAsync(ct);
        var buffer = new byte[PieceBytes];
        while (true)
        {
            var read = 0;
            await Guarded(async () => read = await body.ReadAsync(buffer, silence.Token), ct);
            if (read == 0) yield break;
            yield return buffer.AsMemory(0, read);
        }
    }

    public ValueTask DisposeAsync()
    {
        response.Dispose();
        silence.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<Stream> OpenAsync(CancellationToken ct)
    {
        Stream? body = null;
        await Guarded(async () => body = await response.Content.ReadAsStreamAsync(silence.Token), ct);
        return new HeardStream(body!, silence, MaxBytes, TooLong);
    }

    private ProviderException TooLong() => new(ProviderFault.Broken, $"Provider '{provider}' sent more than {MaxBytes / (1024 * 1024)} MiB at once.");

    private async Task Guarded(Func<Task> read, CancellationToken ct)
    {
        try
        {
            await read();
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested && silence.TimedOut)
        {
            throw silence.Fault(provider);
        }
        catch (Exception e) when (e is IOException or HttpRequestException && !ct.IsCancellationRequested)
        {
            throw new ProviderException(ProviderFault.CutShort, $"Provider '{provider}' broke off before its answer was complete.", inner: e);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            // A connection that we closed reports an error of the wire; it is our cancellation all the same.
            throw new OperationCanceledException(ct);
        }
    }
}
