using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class MemoryEndpointsTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await AgentHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Facts_are_told_listed_and_forgotten()
    {
        var first = await _host.PostAsync("/v1/agents/memory?user=ann", """{"text":"likes fish"}""");
        var second = await _host.PostAsync("/v1/agents/memory?user=ann", """{"text":"lives in Ulm","id":"home"}""");
        await _host.PostAsync("/v1/agents/memory?user=ann", """{"text":"lives in Bonn","id":"home"}""");
        await _host.PostAsync("/v1/agents/memory?user=bob", """{"text":"hates fish"}""");

        Assert.Equal((201, 201, "home"), (first.Status, second.Status, second.Text("id")));
        Assert.Equal(["lives in Bonn", "likes fish"], await TextsAsync("ann"));
        Assert.Equal((204, 404), ((await DeleteAsync("/v1/agents/memory/home?user=ann")).Status, (await DeleteAsync("/v1/agents/memory/home?user=ann")).Status));
        Assert.Equal(["likes fish"], await TextsAsync("ann"));
        Assert.Equal(1, (await DeleteAsync("/v1/agents/memory?user=ann")).Json.GetProperty("forgotten").GetInt32());
        Assert.Equal(["hates fish"], await TextsAsync("bob"));
    }

    [Fact]
    public async Task Memory_is_a_projects()
    {
        var (red, blue) = (await _host.AgentKeyAsync("red", "red"), await _host.AgentKeyAsync("blue", "blue"));
        await _host.PostAsync("/v1/agents/memory?user=ann", """{"text":"likes fish","id":"f"}""", red);

        Assert.Empty(await TextsAsync("ann", blue));
        Assert.Equal(404, (await _host.SendAsync(HttpMethod.Delete, "/v1/agents/memory/f?user=ann", null, blue)).Status);
        Assert.Equal(["likes fish"], await TextsAsync("ann", red));
        Assert.Equal(403, (await _host.GetAsync("/v1/agents/memory?user=ann", await _host.AddKeyAsync("plain"))).Status);
    }

    [Fact]
    public async Task A_thread_is_shown_and_forgotten()
    {
        var memory = _host.Services.GetRequiredService<IMemoryStore>();
        await memory.AddMessagesAsync(new ThreadId(TenantId.Default, ProjectId.Default, "c/1"), new RunId("run_1"), [new ThreadMessage("user", "hi", _host.Time.GetUtcNow()), new ThreadMessage("assistant", "ho", _host.Time.GetUtcNow())], TestContext.Current.CancellationToken);

        var shown = await _host.GetAsync("/v1/agents/threads/c%2F1");

        Assert.Equal("c/1", shown.Text("conversation"));
        Assert.Equal(["user hi", "assistant ho"], shown.Json.GetProperty("messages").EnumerateArray().Select(message => $"{message.GetProperty("role").GetString()} {message.GetProperty("text").GetString()}"));
        Assert.Equal(2, (await DeleteAsync("/v1/agents/threads/c%2F1")).Json.GetProperty("forgotten").GetInt32());
        Assert.Empty((await _host.GetAsync("/v1/agents/threads/c%2F1")).Json.GetProperty("messages").EnumerateArray());
    }

    [Theory]
    [InlineData("GET", "/v1/agents/memory", null, "'user' is required")]
    [InlineData("GET", "/v1/agents/memory?user=a&limit=1001", null, "'limit'")]
    [InlineData("GET", "/v1/agents/memory?user=a%0ab", null, "'user' must have 1 to 200")]
    [InlineData("GET", "/v1/agents/memory?user=a&who=b", null, "'who' is no parameter")]
    [InlineData("POST", "/v1/agents/memory", """{"text":"a"}""", "'user' is required")]
    [InlineData("POST", "/v1/agents/memory?user=a", """{"text":""}""", "'text' must not be empty")]
    [InlineData("POST", "/v1/agents/memory?user=a", """{"text":"a","when":1}""", "'when' is not a field")]
    [InlineData("DELETE", "/v1/agents/memory", null, "'user' is required")]
    [InlineData("GET", "/v1/agents/threads/c?limit=0", null, "'limit'")]
    public async Task What_is_wrong_is_named(string method, string path, string? body, string says)
    {
        var answer = await _host.SendAsync(new HttpMethod(method), path, body);

        Assert.Equal(400, answer.Status);
        Assert.Contains(says, answer.Text("detail"), StringComparison.Ordinal);
    }

    private async Task<List<string?>> TextsAsync(string user, string key = GatewayHost.OperatorKey) =>
        [.. (await _host.GetAsync($"/v1/agents/memory?user={user}", key)).Json.GetProperty("facts").EnumerateArray().Select(fact => fact.GetProperty("text").GetString())];

    private Task<Answer> DeleteAsync(string path) => _host.SendAsync(HttpMethod.Delete, path);
}
