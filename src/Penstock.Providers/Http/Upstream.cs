using System.Net;
using System.Net.Http.Headers;
using Penstock.Gateway;

namespace Penstock.Providers.Http;

/// <summary>One provider's HTTP side: sends a JSON body, and turns every failure of the wire into a <see cref="ProviderException"/>.</summary>
internal sealed class Upstream(ProviderSettings settings, UpstreamConnections connections, TimeProvider time)
{
    private readonly string _base = settings.BaseUrl!.AbsoluteUri.TrimEnd('/');

    /// <summary>
    /// Sends and waits for the answer's headers, whatever their status. The caller disposes the answer, which closes the connection
    /// unless the body was read to its end.
    /// </summary>
    /// <param name="timeouts">Null for the provider's own.</param>
    public async Task<UpstreamAnswer> PostAsync(
        string path, ReadOnlyMemory<byte> body, IReadOnlyList<KeyValuePair<string, string>> headers, bool stream, CallTimeouts? timeouts, CancellationToken ct)
    {
        var times = timeouts ?? settings.Timeouts;
        var request = new HttpRequestMessage(HttpMethod.Post, _base + path)
        {
            Version = HttpVersion.Version11,
            Content = new ReadOnlyMemoryContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);

        var silence = new Silence(times, stream, time, ct);
        try
        {
            return new UpstreamAnswer(settings.Name, await connections.For(times.Connect).SendAsync(request, silence.Token), silence);
        }
        catch (Exception e) when (Fault(e, silence, ct) is { } fault)
        {
            silence.Dispose();
            request.Dispose();
            throw fault;
        }
        catch
        {
            silence.Dispose();
            request.Dispose();
            throw;
        }
    }

    private ProviderException? Fault(Exception e, Silence silence, CancellationToken ct) => e switch
    {
        OperationCanceledException when ct.IsCancellationRequested => null,
        OperationCanceledException when silence.TimedOut => silence.Fault(settings.Name),
        // The handler reports its own connect time-out as a cancellation.
        OperationCanceledException => Unreachable(e),
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError } => Unreachable(e),
        HttpRequestException or IOException => new ProviderException(ProviderFault.Broken, $"Provider '{settings.Name}' closed the connection without an answer.", inner: e),
        _ => null,
    };

    private ProviderException Unreachable(Exception inner) =>
        new(ProviderFault.Unreachable, $"Provider '{settings.Name}' cannot be reached at {settings.BaseUrl!.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped)}.", inner: inner);
}
