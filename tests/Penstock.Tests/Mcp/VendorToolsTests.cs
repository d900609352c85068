using Microsoft.Extensions.DependencyInjection;
using Penstock.Gateway;
using Penstock.Providers.Local;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Mcp;

/// <summary>MCP servers that a vendor is asked to call: they pass to that vendor as they came, or are refused by name.</summary>
public sealed class VendorToolsTests
{
    private const string Servers = "\"mcp_servers\": [{\"type\": \"url\", \"url\": \"https://mcp.example.com\", \"name\": \"example\"}]";
    private const string Tool = "\"tools\": [{\"type\": \"mcp\", \"server_label\": \"example\", \"server_url\": \"https://mcp.example.com\"}]";

    [Theory]
    [InlineData("/v1/messages", "claude-haiku-4-5", Servers, "mcp_servers")]
    [InlineData("/v1/chat/completions", "gpt-4o-mini", Tool, "tools[0]")]
    public async Task They_pass_as_they_came_to_a_vendor_of_the_requests_own_dialect(string route, string model, string field, string path)
    {
        await using var host = await StartAsync();

        var answer = await host.PostAsync(route, Body(model, field));

        Assert.Equal(200, answer.Status);
        var call = host.Script.Calls.Single().Call;
        Assert.Contains(field, System.Text.Encoding.UTF8.GetString(call.Body.Span), StringComparison.Ordinal);
        Assert.Equal([path], call.DialectOnly);
    }

    [Theory]
    [InlineData("/v1/messages", Servers, "mcp_servers")]
    [InlineData("/v1/chat/completions", Tool, "tools[0]")]
    public async Task They_are_refused_by_name_where_they_cannot_cross(string route, string field, string path)
    {
        await using var host = await StartAsync();

        var answer = await host.PostAsync(route, Body("local", field));

        Assert.Equal(400, answer.Status);
        Assert.Contains($"'{path}' cannot be sent to local", answer.Text("error", "message"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/messages", "claude-haiku-4-5", Servers, "mcp_servers", "refuse", 400)]
    [InlineData("/v1/chat/completions", "gpt-4o-mini", Tool, "tools[0]", "refuse", 400)]
    [InlineData("/v1/messages", "claude-haiku-4-5", Servers, "mcp_servers", "allow", 200)]
    [InlineData("/v1/chat/completions", "gpt-4o-mini", Tool, "tools[0]", "allow", 200)]
    public async Task Under_a_hard_budget_they_are_refused_by_name_unless_the_operator_allows_them(string route, string model, string field, string path, string extras, int status)
    {
        await using var host = await StartAsync($$$"""{"budgets": {"extras": "{{{extras}}}"}}""");
        await host.SendAsync(HttpMethod.Put, "/v1/usage/budget", """{"scope": "tenant", "limit": 100, "hard": true}""");

        var answer = await host.PostAsync(route, Body(model, field));

        Assert.Equal(status, answer.Status);
        if (status == 400) Assert.Contains(path, answer.Text("error", "message"), StringComparison.Ordinal);
    }

    private static string Body(string model, string field) => $$"""{"model": "{{model}}", "max_tokens": 10, {{field}}, "messages": [{"role": "user", "content": "hello"}]}""";

    private static Task<GatewayHost> StartAsync(string? config = null) => GatewayHost.StartAsync(
        config: config,
        change: services =>
        {
            services.Remove(services.Single(service => (service.ImplementationInstance as IProviderKind)?.Kind == "local"));
            services.AddSingleton<IProviderKind, LocalKind>();
        },
        environment: ("ANTHROPIC_API_KEY", "sk-ant-upstream"));
}
