using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Penstock.EndToEnd.Running;

/// <summary>A client of the server with one key. Every answer it sees is held against the API description.</summary>
internal sealed class Api : IDisposable
{
    private readonly HttpClient _http;
    private readonly ApiContract _contract;

    public Api(Uri address, ApiContract contract, string? key = null, TimeSpan? timeout = null)
    {
        _contract = contract;
        Key = key;
        // Nothing is drained for a client that leaves: its connection closes at once.
        _http = new HttpClient(new SocketsHttpHandler { MaxResponseDrainSize = 0, UseCookies = false, AllowAutoRedirect = false, RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1 })
        {
            BaseAddress = address,
            Timeout = timeout ?? TimeSpan.FromSeconds(30),
        };
        if (key is not null) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    public string? Key { get; }

    public static HttpContent Body(string json) => Body(Encoding.UTF8.GetBytes(json));

    public static HttpContent Body(byte[] json, string type = "application/json")
    {
        var content = new ByteArrayContent(json);
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        return content;
    }

    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, HttpCompletionOption completion = HttpCompletionOption.ResponseContentRead, CancellationToken? ct = null)
    {
        var answer = await _http.SendAsync(request, completion, ct ?? Wait.Token);
        _contract.Check(request.Method.Method, new Uri(_http.BaseAddress!, request.RequestUri!).AbsolutePath, answer);
        return answer;
    }

    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? json = null) =>
        SendAsync(new HttpRequestMessage(method, path) { Content = json is null ? null : Body(json) });

    public Task<HttpResponseMessage> PostAsync(string path, string json, HttpCompletionOption completion = HttpCompletionOption.ResponseContentRead) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = Body(json) }, completion);

    /// <summary>Throws with the answer's text where it is not 2xx.</summary>
    public async Task<JsonElement> JsonAsync(HttpMethod method, string path, string? json = null)
    {
        using var answer = await SendAsync(method, path, json);
        var text = await answer.Content.ReadAsStringAsync(Wait.Token);
        Assert.True(answer.IsSuccessStatusCode, $"{method} {path}: {(int)answer.StatusCode} {text}");
        return text.Length == 0 ? default : JsonElement.Parse(text);
    }

    public Task<JsonElement> GetAsync(string path) => JsonAsync(HttpMethod.Get, path);

    /// <summary>A new key; <paramref name="members"/> is JSON without its braces.</summary>
    public async Task<(string Id, string Text)> NewKeyAsync(string scopes, string members = "")
    {
        var names = string.Join(',', scopes.Split(' ').Select(scope => $"\"{scope}\""));
        var made = await JsonAsync(HttpMethod.Post, "/v1/auth/keys", $$"""{"name":"made by a test","scopes":[{{names}}]{{(members.Length > 0 ? "," + members : "")}}}""");
        return (made.GetProperty("keyId").GetString()!, made.GetProperty("apiKey").GetString()!);
    }

    public Api With(string? key) => new(_http.BaseAddress!, _contract, key, _http.Timeout);

    public void Dispose() => _http.Dispose();
}
