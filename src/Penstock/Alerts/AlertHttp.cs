using System.Globalization;
using System.Net.Http.Headers;
using Penstock.Http;

namespace Penstock.Alerts;

/// <summary>Sends to the operator's own URLs. Nothing is followed, and of the answer only the status is read.</summary>
internal sealed class AlertHttp : IDisposable
{
    private readonly HttpMessageInvoker _connections = new(PlainConnections.Create());

    /// <summary>Completes with an answer of 2xx.</summary>
    /// <exception cref="NotSentException">It was any other, or none came.</exception>
    public async Task PostAsync(Uri url, ReadOnlyMemory<byte> json, IEnumerable<(string Name, string Value)> headers, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ReadOnlyMemoryContent(json) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Penstock", null));
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        try
        {
            using var answer = await _connections.SendAsync(request, ct);
            if (!answer.IsSuccessStatusCode) throw new NotSentException(string.Create(CultureInfo.InvariantCulture, $"it answered {(int)answer.StatusCode}"));
        }
        catch (HttpRequestException e)
        {
            throw new NotSentException($"it could not be reached ({e.HttpRequestError})", e);
        }
    }

    public void Dispose() => _connections.Dispose();
}
