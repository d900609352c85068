using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Contracts;
using Penstock.Keys;
using Penstock.Tests.Alerts;
using Penstock.Tests.Configuration;
using Penstock.Tests.Gateway;
using Penstock.Tools;
using Penstock.Tools.Mcp;
using Xunit;

namespace Penstock.Tests.Tools;

public sealed class McpServersTests : IAsyncLifetime
{
    private readonly DirectoryInfo _state = Directory.CreateTempSubdirectory("penstock-mcp-");
    private GatewayHost _host = null!;
    private string _key = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(File.Exists("/bin/sh"), "The test's MCP server is a shell script.");
        _host = await GatewayHost.StartAsync(config: Config("plain"));
        _key = await _host.AddKeyAsync("caller", Scopes.CallTools, key => key with { Tools = ["*"] });
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is not null) await _host.DisposeAsync();
        _state.Delete(recursive: true);
    }

    [Fact]
    public async Task Its_tools_are_ours_under_its_name_and_its_hints_say_their_effect()
    {
        await ReadyAsync();

        var tools = (await _host.GetAsync("/v1/tools", _key)).Json.GetProperty("tools").EnumerateArray().Where(tool => tool.GetProperty("kind").GetString() == "mcp").ToArray();
        Assert.Equal([("files.drop", "once"), ("files.echo", "pure"), ("files.save", "idempotent")], tools.Select(tool => (tool.GetProperty("name").GetString()!, tool.GetProperty("effect").GetString()!)));
        Assert.Contains(_host.Log.Own, line => line.Text.Contains("Tool odd of MCP server files is left out: 'inputSchema.nullable'", StringComparison.Ordinal));
        Assert.Equal("echo", (await CallAsync("files.echo", """{"text": "x"}""")).Text("output", "text"));
        Assert.Equal(5, (await CallAsync("files.save", "{}")).Json.GetProperty("output").GetProperty("n").GetInt32());
        Assert.Equal("""{"text":"dropped","leftOut":["image"]}""", (await CallAsync("files.drop", "{}")).Json.GetProperty("output").GetRawText());
        Assert.Equal("/text", (await CallAsync("files.echo", "{}")).Text("field"));
        var sorry = await CallAsync("files.echo", """{"text": "sorry"}""");
        Assert.Equal((422, "tool_refused", "The tool 'files.echo' says: No such file."), (sorry.Status, sorry.Text("code"), sorry.Text("detail")));
    }

    [Fact]
    public async Task It_sees_of_our_environment_only_what_it_is_given()
    {
        Environment.SetEnvironmentVariable("PENSTOCK_TEST_LEAK", "leaked");
        await ReadyAsync();
        Assert.Equal("GIVEN=secret HOME= LEAK=", (await CallAsync("files.echo", """{"text": "env"}""")).Text("output", "text"));
    }

    [Fact]
    public async Task Tools_that_come_while_it_runs_are_there()
    {
        await ReadyAsync();
        Assert.Equal(404, (await CallAsync("files.late", "{}")).Status);
        await CallAsync("files.echo", """{"text": "more"}""");
        await GatewayHost.UntilAsync(async () => (await CallAsync("files.late", "{}")).Status == 200);
    }

    [Fact]
    public async Task One_that_crashes_fails_its_call_and_is_started_again_later()
    {
        await ReadyAsync();
        var crashed = await CallAsync("files.echo", """{"text": "crash"}""");
        Assert.Equal((502, "tool_failed"), (crashed.Status, crashed.Text("code")));
        await GatewayHost.UntilAsync(() => !Server.Ready);
        var away = await CallAsync("files.echo", """{"text": "x"}""");
        Assert.Equal((503, "tool_unavailable"), (away.Status, away.Text("code")));
        Assert.Equal(1, Starts);

        await ReadyAgainAsync();
        Assert.Equal(200, (await CallAsync("files.echo", """{"text": "x"}""")).Status);
        Assert.Equal(2, Starts);
    }

    [Fact]
    public async Task One_that_hangs_is_cut_off_at_its_time_and_started_anew()
    {
        await ReadyAsync();
        var call = CallAsync("files.echo", """{"text": "hang"}""");
        await GatewayHost.UntilAsync(() => File.Exists(Path.Combine(_state.FullName, "hang")));
        _host.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal((504, "tool_timed_out"), ((await call).Status, (await call).Text("code")));

        // It does not answer a ping either.
        await GatewayHost.UntilAsync(() =>
        {
            _host.Advance(TimeSpan.FromSeconds(1));
            return !Server.Ready;
        });
        File.Delete(Path.Combine(_state.FullName, "hang"));
        await ReadyAgainAsync();
        Assert.Equal(200, (await CallAsync("files.echo", """{"text": "x"}""")).Status);
    }

    [Fact]
    public async Task Garbage_between_its_messages_is_passed_over()
    {
        Use("garbage");
        await ReadyAsync(2);
        Assert.Equal("after garbage", (await CallAsync("files.echo", """{"text": "garbage"}""")).Text("output", "text"));
    }

    [Fact]
    public async Task A_line_without_an_end_ends_the_session_and_fills_no_memory()
    {
        await ReadyAsync();
        var before = GC.GetTotalAllocatedBytes(precise: true);
        var flooded = await CallAsync("files.echo", """{"text": "flood"}""");
        Assert.Equal((502, "tool_failed"), (flooded.Status, flooded.Text("code")));
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 60_000_000);
        await GatewayHost.UntilAsync(() => !Server.Ready);
        await ReadyAgainAsync();
    }

    [Fact]
    public async Task One_that_says_nothing_holds_nobody_up_and_is_tried_again()
    {
        Use("silent");
        Assert.Equal(200, (await CallAsync("calculator", """{"expression": "1"}""")).Status);
        await GatewayHost.UntilAsync(() =>
        {
            _host.Advance(TimeSpan.FromSeconds(1));
            return Starts >= 3;
        });
        Assert.Contains(_host.Log.Own, line => line.Text.Contains("MCP server files is not connected", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_told_in_the_log()
    {
        Assert.Empty(_host.Services.GetRequiredService<ToolSection>().Read("""{"tools": {"mcp": {"none": {"command": "/nowhere/to/be/found"} } } }"""));
        await GatewayHost.UntilAsync(() => _host.Log.Own.Any(line => line.Text.Contains("MCP server none is not connected: the program '/nowhere/to/be/found' cannot be started", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task It_is_killed_where_it_is_taken_away_and_left_alone_where_it_stays()
    {
        await ReadyAsync();
        var process = Process.GetProcessById(int.Parse(await File.ReadAllTextAsync(Path.Combine(_state.FullName, "pid"), Ct), System.Globalization.CultureInfo.InvariantCulture));
        Use("plain");
        Assert.Equal(1, Starts);
        Assert.Equal(200, (await CallAsync("files.echo", """{"text": "x"}""")).Status);

        Assert.Empty(_host.Services.GetRequiredService<ToolSection>().Read("{}"));
        Assert.Equal(404, (await CallAsync("files.echo", """{"text": "x"}""")).Status);
        await process.WaitForExitAsync(Ct).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Ct);
    }

    [Fact]
    public async Task It_dies_with_the_server()
    {
        await ReadyAsync();
        var process = Process.GetProcessById(int.Parse(await File.ReadAllTextAsync(Path.Combine(_state.FullName, "pid"), Ct), System.Globalization.CultureInfo.InvariantCulture));
        await _host.DisposeAsync();
        _host = null!;
        await process.WaitForExitAsync(Ct).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Ct);
    }

    [Fact]
    public async Task Over_http_it_gets_our_headers_and_its_tools_are_called()
    {
        await using var server = await Receiver.StartAsync(Ct);
        server.Answer = AnswerAsync;
        Assert.Empty(_host.Services.GetRequiredService<ToolSection>().Read($$$"""{"tools": {"mcp": {"web": {"url": "{{{server.Url("/mcp")}}}", "headers": {"Authorization": "Bearer t"}, "tools": ["fi*"] } } } }"""));
        await GatewayHost.UntilAsync(() => Server.Ready);

        Assert.Equal("found", (await CallAsync("web.find", "{}")).Text("output", "text"));
        Assert.Equal(404, (await CallAsync("web.other", "{}")).Status);
        Assert.All(server.Seen, seen => Assert.Equal("Bearer t", seen.Headers["authorization"]));
    }

    private static async Task AnswerAsync(HttpContext http)
    {
        if (http.Request.Method != "POST")
        {
            http.Response.StatusCode = 405;
            return;
        }

        using var message = await JsonDocument.ParseAsync(http.Request.Body, cancellationToken: http.RequestAborted);
        if (!message.RootElement.TryGetProperty("id", out var id))
        {
            http.Response.StatusCode = 202;
            return;
        }

        var result = message.RootElement.GetProperty("method").GetString() switch
        {
            "initialize" => "\"result\": {\"protocolVersion\": \"2025-06-18\", \"capabilities\": {\"tools\": {}}, \"serverInfo\": {\"name\": \"w\", \"version\": \"1\"}}",
            "tools/list" => "\"result\": {\"tools\": [{\"name\": \"find\", \"inputSchema\": {\"type\": \"object\"}}, {\"name\": \"other\", \"inputSchema\": {\"type\": \"object\"}}]}",
            "tools/call" => "\"result\": {\"content\": [{\"type\": \"text\", \"text\": \"found\"}]}",
            "ping" => "\"result\": {}",
            _ => "\"error\": {\"code\": -32601, \"message\": \"Method not found\"}",
        };
        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync($"{{\"jsonrpc\": \"2.0\", \"id\": {id.GetRawText()}, {result}}}", http.RequestAborted);
    }

    private McpServer Server => _host.Services.GetRequiredService<McpServers>().Servers.Single();

    private int Starts => File.Exists(Path.Combine(_state.FullName, "starts")) ? File.ReadAllLines(Path.Combine(_state.FullName, "starts")).Length : 0;

    private Task ReadyAsync(int starts = 1) => GatewayHost.UntilAsync(() => Server.Ready && Starts >= starts, "the MCP server");

    private Task ReadyAgainAsync() => GatewayHost.UntilAsync(() =>
    {
        ((ManualTime)_host.Time).Advance(TimeSpan.FromMilliseconds(100));
        return Server.Ready;
    });

    private Task<Answer> CallAsync(string tool, string arguments) => _host.PostAsync($"/v1/tools/{tool}", arguments, _key);

    private void Use(string mode) => Assert.Empty(_host.Services.GetRequiredService<ToolSection>().Read(Config(mode)));

    private string Config(string mode) => $$"""
        {"tools": {"mcp": {"files": {"command": "/bin/sh", "args": ["{{Path.Combine(AppContext.BaseDirectory, "Tools", "mcp-server.sh")}}"],
          "env": {"MODE": "{{mode}}", "STATE": "{{_state.FullName}}", "GIVEN": "secret"}, "passEnv": ["PATH"] } } } }
        """;
}
