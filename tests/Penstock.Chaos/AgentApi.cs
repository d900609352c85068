using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Penstock.Chaos;

/// <summary>The product's routes for runs, as a client uses them.</summary>
internal sealed class AgentApi : IDisposable
{
    private readonly HttpClient _client;

    public AgentApi(Uri address, string key)
    {
        _client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address, Timeout = TimeSpan.FromSeconds(60) };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>With a key of its own, which may run agents and call every tool.</summary>
    public static async Task<AgentApi> WithKeyAsync(Uri address, string adminKey)
    {
        using var admin = new AgentApi(address, adminKey);
        var (status, body) = await admin.PostAsync("/v1/auth/keys", """{"name": "chaos", "scopes": ["ai:complete", "agent:run"], "tools": ["*"]}""");
        Assert.True(status == 201, $"{status}: {body}");
        return new AgentApi(address, body.GetProperty("apiKey").GetString()!);
    }

    /// <returns>The run's id.</returns>
    public Task<string> StartAsync(int seed) => StartAsync(Setting.Agent, string.Create(CultureInfo.InvariantCulture, $"seed={seed}"));

    /// <returns>The run's id.</returns>
    public async Task<string> StartAsync(string agent, string input, string more = "")
    {
        var (status, body) = await SendAsync(HttpMethod.Post, "/v1/agents/run", $$"""{"type": "{{agent}}", "input": "{{input}}", "wait": 0{{more}}}""");
        Assert.True(status is 200 or 202, $"{status}: {body}");
        return body.GetProperty("id").GetString()!;
    }

    public async Task<JsonElement> RunAsync(string id)
    {
        var (status, body) = await SendAsync(HttpMethod.Get, $"/v1/agents/runs/{id}");
        Assert.True(status == 200, $"{status}: {body}");
        return body;
    }

    /// <summary>What the list says of it, for which nobody reads its journal.</summary>
    public async Task<JsonElement> HeadAsync(string id)
    {
        var (status, body) = await SendAsync(HttpMethod.Get, "/v1/agents/runs?limit=100");
        Assert.True(status == 200, $"{status}: {body}");
        return body.GetProperty("runs").EnumerateArray().Single(run => run.GetProperty("id").GetString() == id);
    }

    public Task<(int Status, JsonElement Body)> PostAsync(string path, string body) => SendAsync(HttpMethod.Post, path, body);

    public void Dispose() => _client.Dispose();

    private async Task<(int Status, JsonElement Body)> SendAsync(HttpMethod method, string path, string? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return ((int)response.StatusCode, JsonDocument.Parse(text.Length == 0 ? "{}" : text).RootElement.Clone());
    }
}
