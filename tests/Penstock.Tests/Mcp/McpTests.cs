using System.Text.Json;
using Penstock.Gateway;
using Penstock.Gateway.Tasks;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Mcp;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Mcp;

public sealed class McpTests : IAsyncLifetime
{
    private const string Modern = "2026-07-28";

    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync(config: """{"mcp": {"allowedOrigins": ["https://app.example.com"]}}""");

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("2025-06-18", "2025-06-18")]
    [InlineData("2025-11-25", "2025-11-25")]
    [InlineData("2024-11-05", "2025-11-25")]
    [InlineData("2026-07-28", "2025-11-25")]
    [InlineData("2099-01-01", "2025-11-25")]
    public async Task A_handshake_settles_on_a_version_of_both(string asked, string agreed)
    {
        var answer = await SendAsync($$$"""{"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": {"protocolVersion": "{{{asked}}}", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"} } }""");

        Assert.Equal((200, "a", agreed, "penstock"), (answer.Status, answer.Text("id"), answer.Text("result", "protocolVersion"), answer.Text("result", "serverInfo", "name")));
        Assert.True(answer.Json.GetProperty("result").GetProperty("capabilities").TryGetProperty("tools", out _));
        Assert.Equal(32, answer.Headers["Mcp-Session-Id"].Length);
    }

    [Fact]
    public async Task A_client_without_a_handshake_discovers_lists_and_calls()
    {
        Says("""{"label": "good"}""");

        var found = await ModernAsync("server/discover", "{}");
        Assert.Equal(("complete", "penstock"), (found.Text("result", "resultType"), found.Json.GetProperty("result").GetProperty("_meta").GetProperty("io.modelcontextprotocol/serverInfo").GetProperty("name").GetString()));
        Assert.Equal([Modern, "2025-11-25", "2025-06-18"], found.Json.GetProperty("result").GetProperty("supportedVersions").EnumerateArray().Select(version => version.GetString()));
        var listed = await ModernAsync("tools/list", "{}");
        Assert.Equal(("complete", "public"), (listed.Text("result", "resultType"), listed.Text("result", "cacheScope")));
        Assert.Equal("good", (await ModernAsync("tools/call", """{"name": "classify", "arguments": {"text": "x", "labels": ["good", "bad"]}}""", ("Mcp-Name", "=?base64?Y2xhc3NpZnk=?="))).Text("result", "structuredContent", "label"));
    }

    [Theory]
    [InlineData("tools/list", 400, -32020, "Mcp-Method", "tools/call")]
    [InlineData("tools/list", 400, -32020, "MCP-Protocol-Version", "2025-11-25")]
    [InlineData("tools/call", 400, -32020, "Mcp-Name", "extract")]
    [InlineData("tools/call", 400, -32020, "Mcp-Name", "=?base64?!!?=")]
    [InlineData("resources/list", 404, -32601, "x-none", "x")]
    public async Task Headers_that_say_other_than_the_message_and_unknown_methods_are_refused(string method, int status, int code, string header, string value)
    {
        var answer = await ModernAsync(method, """{"name": "classify"}""", (header, value));

        Assert.Equal((status, code), (answer.Status, answer.Json.GetProperty("error").GetProperty("code").GetInt32()));
    }

    [Fact]
    public async Task A_version_that_is_not_spoken_is_refused_with_those_that_are()
    {
        var body = """{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": {"io.modelcontextprotocol/protocolVersion": "2099-01-01"}}}""";
        foreach (var answer in new[] { await SendAsync(body, ("MCP-Protocol-Version", "2099-01-01")), await SendAsync("""{"jsonrpc": "2.0", "id": 1, "method": "ping"}""", ("MCP-Protocol-Version", "1999-01-01")) })
        {
            Assert.Equal((400, -32022), (answer.Status, answer.Json.GetProperty("error").GetProperty("code").GetInt32()));
            Assert.Equal(3, answer.Json.GetProperty("error").GetProperty("data").GetProperty("supported").GetArrayLength());
        }

        Assert.Equal(-32020, (await SendAsync("""{"jsonrpc": "2.0", "id": 1, "method": "ping"}""", ("MCP-Protocol-Version", Modern))).Json.GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal(200, (await SendAsync("""{"jsonrpc": "2.0", "id": 1, "method": "ping"}""", ("MCP-Protocol-Version", "2025-06-18"))).Status);
    }

    [Theory]
    [InlineData("""[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]""", 400, -32600)]
    [InlineData("{", 400, -32700)]
    [InlineData("\"x\"", 400, -32700)]
    [InlineData("", 400, -32700)]
    [InlineData("""{"id": 1, "method": "ping"}""", 400, -32600)]
    [InlineData("""{"jsonrpc": "1.0", "id": 1, "method": "ping"}""", 400, -32600)]
    [InlineData("""{"jsonrpc": "2.0", "id": {}, "method": "ping"}""", 400, -32600)]
    [InlineData("""{"jsonrpc": "2.0", "id": "\ud800", "method": "ping"}""", 400, -32600)]
    [InlineData("""{"jsonrpc": "2.0", "id": 1}""", 400, -32600)]
    [InlineData("""{"jsonrpc": "2.0", "id": 1, "method": 5}""", 400, -32600)]
    [InlineData("""{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}""", 400, -32600)]
    [InlineData("""{"jsonrpc": "2.0", "id": 1, "method": "prompts/list"}""", 200, -32601)]
    [InlineData("""{"jsonrpc": "2.0", "id": 1, "method": "tools/call"}""", 200, -32602)]
    [InlineData("""{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "suggest"}}""", 200, -32602)]
    [InlineData("""{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 5}}""", 200, -32602)]
    [InlineData("""{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "classify", "arguments": []}}""", 200, -32602)]
    public async Task What_is_no_request_is_an_error_of_the_protocol(string body, int status, int code)
    {
        var answer = await SendAsync(body);

        Assert.Equal((status, code, "2.0"), (answer.Status, answer.Json.GetProperty("error").GetProperty("code").GetInt32(), answer.Text("jsonrpc")));
        Assert.Empty(await _host.RowsAsync());
    }

    [Theory]
    [InlineData("""{"jsonrpc": "2.0", "method": "notifications/initialized"}""")]
    [InlineData("""{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}""")]
    [InlineData("""{"jsonrpc": "2.0", "method": "notifications/cancelled"}""")]
    [InlineData("""{"jsonrpc": "2.0", "method": "notifications/unknown"}""")]
    [InlineData("""{"jsonrpc": "2.0", "id": 3, "result": {}}""")]
    [InlineData("""{"jsonrpc": "2.0", "id": null, "method": "ping"}""")]
    public async Task A_notification_is_taken_and_not_answered(string body)
    {
        var answer = await SendAsync(body);

        Assert.Equal((202, ""), (answer.Status, answer.Body));
    }

    [Fact]
    public async Task A_call_is_booked_as_any_other_and_answered_twice()
    {
        Says("Short.");

        var answer = await CallAsync("""{"name": "summarise", "arguments": {"text": "Long.", "sentences": 1}}""");

        var result = answer.Json.GetProperty("result");
        Assert.False(result.GetProperty("isError").GetBoolean());
        Assert.False(result.TryGetProperty("resultType", out _));
        Assert.Equal("Short.", answer.Text("result", "structuredContent", "summary"));
        Assert.Equal(result.GetProperty("structuredContent").GetRawText(), result.GetProperty("content")[0].GetProperty("text").GetString());
        var row = await _host.RowAsync();
        Assert.Equal(("/mcp", answer.Headers["x-penstock-template"], "summarise"), (row.Route, row.Template, row.Template!.Split('@')[0]));
        Assert.Equal(7, answer.Json.GetProperty("id").GetInt32());
    }

    [Theory]
    [InlineData("""{"name": "summarise"}""", "invalid_request", "'text' is required")]
    [InlineData("""{"name": "summarise", "arguments": {"text": "x", "sentences": 0}}""", "invalid_request", "'sentences' must be a whole number from 1 to 20")]
    [InlineData("""{"name": "summarise", "arguments": {"text": "x", "max": 1}}""", "invalid_request", "'max' is not a field")]
    [InlineData("""{"name": "summarise", "arguments": {"text": "x", "model": "nobody"}}""", "model_not_found", "There is no model 'nobody'")]
    [InlineData("""{"name": "summarise", "arguments": {"text": "x", "template": "summarise:new"}}""", "template_not_found", "has no label 'new'")]
    public async Task What_a_tool_refuses_is_a_result_that_says_why(string parameters, string code, string says)
    {
        var answer = await CallAsync(parameters);

        AssertRefused(answer, code, says);
        Assert.Empty(_host.Script.Calls);
    }

    [Fact]
    public async Task A_spent_budget_and_a_limit_are_results_that_say_so()
    {
        var poor = await _host.AddKeyAsync("poor", change: key => key with { MonthlyBudget = new Money(1) });
        AssertRefused(await CallAsync("""{"name": "summarise", "arguments": {"text": "x", "model": "gpt-4o"}}""", poor), "budget_exceeded", "does not cover");

        var slow = await _host.AddKeyAsync("slow", change: key => key with { RequestsPerSecond = 0.01, Burst = 1 });
        Says("Short.");
        await CallAsync("""{"name": "summarise", "arguments": {"text": "x"}}""", slow);
        AssertRefused(await CallAsync("""{"name": "summarise", "arguments": {"text": "x"}}""", slow), "rate_limit", "Try again in");
        Assert.Equal(200, (await SendAsync("""{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}""", slow)).Status);
    }

    [Fact]
    public async Task A_vendor_that_fails_is_a_result_that_says_so()
    {
        Says("maybe");

        AssertRefused(await CallAsync("""{"name": "classify", "arguments": {"text": "x", "labels": ["a", "b"], "model": "gpt-4o-mini"}}"""), "provider_answer_unfit", "Try again");
    }

    [Fact]
    public async Task Whoever_has_no_key_is_told_to_bring_one()
    {
        var answer = await SendAsync("""{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}""", (string?)null);

        Assert.Equal((401, "Bearer", -32000), (answer.Status, answer.Headers["WWW-Authenticate"], answer.Json.GetProperty("error").GetProperty("code").GetInt32()));
        Assert.Equal(403, (await SendAsync("""{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}""", await _host.AddKeyAsync("embeds", Scopes.Embed))).Status);
    }

    [Theory]
    [InlineData("http://evil.example", 403)]
    [InlineData("https://app.example.com.evil.example", 403)]
    [InlineData("http://localhost.evil.example:3000", 403)]
    [InlineData("null", 403)]
    [InlineData("file:///etc/passwd", 403)]
    [InlineData("https://app.example.com", 200)]
    [InlineData("http://localhost:5173", 200)]
    [InlineData("http://127.0.0.1:8080", 200)]
    public async Task A_page_of_elsewhere_may_not_call(string origin, int status) =>
        Assert.Equal(status, (await SendAsync("""{"jsonrpc": "2.0", "id": 1, "method": "ping"}""", ("Origin", origin))).Status);

    [Fact]
    public async Task There_is_no_stream_and_no_session_to_end()
    {
        foreach (var method in new[] { HttpMethod.Get, HttpMethod.Delete })
        {
            var answer = await _host.SendAsync(method, "/mcp");
            Assert.Equal((405, "POST"), (answer.Status, answer.Headers["Allow"]));
        }
    }

    [Fact]
    public async Task A_call_taken_back_stops_the_vendor_and_no_other_session_can_take_it_back()
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct);
        var call = CallAsync("""{"name": "summarise", "arguments": {"text": "x"}}""", headers: ("Mcp-Session-Id", "mine"));
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);

        await SendAsync("""{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}""", ("Mcp-Session-Id", "another"));
        await SendAsync("""{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 8}}""", ("Mcp-Session-Id", "mine"));
        Assert.Equal(1, _host.Script.Open);
        await SendAsync("""{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}""", ("Mcp-Session-Id", "mine"));

        await GatewayHost.UntilAsync(() => _host.Script.Open == 0);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => call);
        Assert.Equal(AttemptOutcome.ClientGone, (await _host.RowAsync()).Outcome);
    }

    [Fact]
    public void The_tools_are_described_as_they_are_read()
    {
        var tools = new McpTools();
        using var definitions = JsonDocument.Parse(tools.Definitions);

        Assert.Equal(tools.Names.Order(StringComparer.Ordinal), definitions.RootElement.EnumerateArray().Select(tool => tool.GetProperty("name").GetString()));
        foreach (var tool in definitions.RootElement.EnumerateArray())
        {
            TextTask task = tools.Find(tool.GetProperty("name").GetString())!;
            Assert.Equal(task.Fields.Concat(["text", "model", "template"]).Order(StringComparer.Ordinal), tool.GetProperty("inputSchema").GetProperty("properties").EnumerateObject().Select(property => property.Name).Order(StringComparer.Ordinal));
            Assert.True(tool.GetProperty("annotations").GetProperty("readOnlyHint").GetBoolean());
        }
    }

    private void Says(string text) => _host.Script.Chat = (_, _) => Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, text), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(10, 5), true)], Last: true));

    private static void AssertRefused(Answer answer, string code, string says)
    {
        var result = answer.Json.GetProperty("result");
        Assert.Equal((200, true), (answer.Status, result.GetProperty("isError").GetBoolean()));
        Assert.StartsWith(code, result.GetProperty("_meta").GetProperty("penstock/error").GetProperty("code").GetString(), StringComparison.Ordinal);
        Assert.Contains(says, result.GetProperty("content")[0].GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.False(result.TryGetProperty("structuredContent", out _));
    }

    private Task<Answer> CallAsync(string parameters, string? key = GatewayHost.OperatorKey, params (string Name, string Value)[] headers) =>
        _host.SendAsync(HttpMethod.Post, "/mcp", $$"""{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {{parameters}}}""", key, headers);

    private Task<Answer> SendAsync(string body, params (string Name, string Value)[] headers) => _host.SendAsync(HttpMethod.Post, "/mcp", body, headers: headers);

    private Task<Answer> SendAsync(string body, string? key) => _host.SendAsync(HttpMethod.Post, "/mcp", body, key);

    private Task<Answer> ModernAsync(string method, string parameters, params (string Name, string Value)[] headers)
    {
        const string Meta = $"{{\"_meta\": {{\"io.modelcontextprotocol/protocolVersion\": \"{Modern}\", \"io.modelcontextprotocol/clientCapabilities\": {{}}}}";
        var whole = parameters == "{}" ? Meta + "}" : $"{Meta}, {parameters[1..]}";
        var all = new Dictionary<string, string> { ["MCP-Protocol-Version"] = Modern, ["Mcp-Method"] = method };
        if (method == "tools/call") all["Mcp-Name"] = "classify";
        foreach (var (name, value) in headers) all[name] = value;
        return SendAsync($$"""{"jsonrpc": "2.0", "id": 1, "method": "{{method}}", "params": {{whole}}}""", [.. all.Select(header => (header.Key, header.Value))]);
    }
}
