using System.Net;
using System.Text;
using Xunit;

namespace Penstock.Tests.Gateway;

/// <summary>A stream that is read piece by piece.</summary>
internal sealed class OpenStream : IDisposable
{
    private readonly HttpClient _client;
    private readonly HttpResponseMessage _response;
    private readonly Stream _body;
    private readonly StringBuilder _text = new();
    private readonly byte[] _buffer = new byte[64 * 1024];

    private OpenStream(HttpClient client, HttpResponseMessage response, Stream body) => (_client, _response, _body) = (client, response, body);

    public string Text => _text.ToString();

    public string? Said => Header("x-penstock-cache");

    public HttpStatusCode Status => _response.StatusCode;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static async Task<OpenStream> OpenAsync(GatewayHost host, string body, params (string Name, string Value)[] headers)
    {
        var client = host.Connect(GatewayHost.OperatorKey);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
        return new OpenStream(client, response, await response.Content.ReadAsStreamAsync(Ct));
    }

    public string? Header(string name) => _response.Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : null;

    public async Task ReadUntilAsync(string text)
    {
        while (!_text.ToString().Contains(text, StringComparison.Ordinal)) Assert.True(await ReadAsync(), $"The stream ended before '{text}'.");
    }

    public async Task<string> ReadToEndAsync()
    {
        while (await ReadAsync())
        {
        }

        return Text;
    }

    public void Dispose()
    {
        _response.Dispose();
        _client.Dispose();
    }

    private async Task<bool> ReadAsync()
    {
        var read = await _body.ReadAsync(_buffer, Ct);
        _text.Append(Encoding.UTF8.GetString(_buffer, 0, read));
        return read > 0;
    }
}
