using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;
using Penstock.Keys;
using Penstock.Tests.Alerts;
using Penstock.Tests.Configuration;
using Penstock.Tests.Gateway;
using Penstock.Tools;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Tools;

public sealed class EndpointToolTests : IAsyncLifetime
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private Receiver _server = null!;
    private GatewayHost _host = null!;
    private string _key = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await Receiver.StartAsync(Ct);
        _server.Answer = http => http.Response.WriteAsync("""{"id": 7}""");
        _host = await GatewayHost.StartAsync(config: Config(("ticket", "\"effect\": \"idempotent\"")));
        _key = await _host.AddKeyAsync("caller", Scopes.CallTools, key => key with { Tools = ["*"] });
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_call_is_signed_and_carries_the_arguments_and_its_name()
    {
        var answer = await CallAsync("ticket", """{"title": "Wind"}""");

        Assert.Equal((200, 7, "idempotent"), (answer.Status, answer.Json.GetProperty("output").GetProperty("id").GetInt32(), answer.Text("effect")));
        var seen = Assert.Single(_server.Seen);
        Assert.Equal("""{"type":"tool.call","data":{"tool":"ticket","tenant":"default","arguments":{"title": "Wind"}}}""", Encoding.UTF8.GetString(seen.Body).Replace("\"title\":\"", "\"title\": \"", StringComparison.Ordinal));
        var secret = new HookSecret(Convert.FromBase64String(Secret["whsec_".Length..]));
        Assert.Equal(secret.Sign(seen.Headers["webhook-id"], seen.Headers["webhook-timestamp"], seen.Body), seen.Headers["webhook-signature"]);
        Assert.Equal(seen.Headers["webhook-id"], seen.Headers["idempotency-key"]);
        Assert.Equal(_host.Time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture), seen.Headers["webhook-timestamp"]);
    }

    [Fact]
    public async Task A_tool_that_runs_once_gets_no_idempotency_key()
    {
        Reload(("once", null));
        await CallAsync("once", "{}");
        Assert.DoesNotContain("idempotency-key", Assert.Single(_server.Seen).Headers.Keys);
    }

    [Fact]
    public async Task Two_calls_have_two_names_and_one_call_that_comes_again_has_one()
    {
        await CallAsync("ticket", "{}");
        await CallAsync("ticket", "{}");
        Assert.Equal(2, _server.Seen.Select(seen => seen.Headers["webhook-id"]).Distinct().Count());

        _server.Answer = Receiver.Status(500);
        await _host.SendAsync(HttpMethod.Post, "/v1/tools/ticket", "{}", _key, ("Idempotency-Key", "mine"));
        await _host.SendAsync(HttpMethod.Post, "/v1/tools/ticket", "{}", _key, ("Idempotency-Key", "mine"));
        Assert.Single(_server.Seen.Skip(2).Select(seen => seen.Headers["webhook-id"]).Distinct());
    }

    [Theory]
    [InlineData(500, "oops", 502, "tool_failed")]
    [InlineData(302, "", 502, "tool_failed")]
    [InlineData(200, "no json", 502, "tool_answer_unfit")]
    [InlineData(200, """{"id": "seven"}""", 502, "tool_answer_unfit")]
    [InlineData(422, """{"detail": "The title is taken."}""", 422, "tool_refused")]
    [InlineData(400, "nothing", 422, "tool_refused")]
    public async Task An_answer_that_is_none_says_whose_fault_it_is(int status, string body, int ours, string code)
    {
        _server.Answer = http =>
        {
            http.Response.StatusCode = status;
            return http.Response.WriteAsync(body);
        };

        var answer = await CallAsync("ticket", "{}");

        Assert.Equal((ours, code), (answer.Status, answer.Text("code")));
        if (body.Contains("taken", StringComparison.Ordinal)) Assert.EndsWith(": The title is taken.", answer.Text("detail"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_is_read_up_to_its_limit_and_no_longer_than_its_time()
    {
        _server.Answer = http => http.Response.WriteAsync(new string(' ', 3_000_000) + "{}");
        Assert.Contains("larger than 1048576 bytes", (await CallAsync("ticket", "{}")).Text("detail"), StringComparison.Ordinal);

        _server.Answer = Receiver.Silence;
        var call = CallAsync("ticket", "{}");
        await GatewayHost.UntilAsync(() => _server.Seen.Count == 2);
        _host.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal((504, "tool_timed_out"), ((await call).Status, (await call).Text("code")));
    }

    [Fact]
    public async Task An_endpoint_that_is_not_there_did_nothing()
    {
        await _server.DisposeAsync();
        var answer = await CallAsync("ticket", "{}");
        Assert.Equal((503, "tool_unavailable"), (answer.Status, answer.Text("code")));
    }

    [Fact]
    public async Task A_tool_can_be_added_and_taken_away_while_the_server_runs()
    {
        Assert.Equal(404, (await CallAsync("late", "{}")).Status);
        Reload(("late", null));
        Assert.Equal(200, (await CallAsync("late", "{}")).Status);
        Assert.Equal(404, (await CallAsync("ticket", "{}")).Status);
    }

    [Fact]
    public async Task A_key_without_a_list_may_call_nothing_that_was_added()
    {
        var plain = await _host.AddKeyAsync("plain", Scopes.CallTools);
        Assert.Equal((403, "tool_not_allowed"), ((await _host.PostAsync("/v1/tools/ticket", "{}", plain)).Status, (await _host.PostAsync("/v1/tools/ticket", "{}", plain)).Text("code")));
        Assert.DoesNotContain("ticket", (await _host.GetAsync("/v1/tools", plain)).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_price_is_booked_where_the_tool_answered_and_refused_where_a_budget_does_not_cover_it()
    {
        Reload(("dear", "\"costUsd\": 0.4"));
        var poor = await _host.AddKeyAsync("poor", Scopes.CallTools, key => key with { Tools = ["dear"], MonthlyBudget = Penstock.Kernel.Money.FromUsd(1) });
        for (var i = 0; i < 2; i++) Assert.Equal(0.4m, (await _host.PostAsync("/v1/tools/dear", "{}", poor)).Json.GetProperty("cost").GetDecimal());
        Assert.Equal((402, "budget_exceeded"), ((await _host.PostAsync("/v1/tools/dear", "{}", poor)).Status, (await _host.PostAsync("/v1/tools/dear", "{}", poor)).Text("code")));
        Assert.Equal(2, _server.Seen.Count);
        Assert.All(await _host.RowsAsync(), row => Assert.Equal(("tool", "dear", 0.4m, AttemptOutcome.Completed), (row.Operation, row.Model, row.Cost.Usd, row.Outcome)));
    }

    [Theory]
    [InlineData(422, 0)]
    [InlineData(500, 0.4)]
    public async Task A_refused_call_costs_nothing_and_an_unknown_one_its_price(int status, double cost)
    {
        Reload(("dear", "\"costUsd\": 0.4"));
        _server.Answer = Receiver.Status(status);
        await CallAsync("dear", "{}");
        Assert.Equal((decimal)cost, (await _host.RowAsync()).Cost.Usd);
    }

    [Theory]
    [InlineData("""{"http": {"calculator": {}}}""", "no name of a built-in tool")]
    [InlineData("""{"http": {"a b": {}}}""", "must be named by")]
    [InlineData("""{"http": {"x": {"description": "d", "url": "http://example.com", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "input": {"type": "object"}}}}""", "'tools.http.x.url' must be an https URL")]
    [InlineData("""{"http": {"x": {"description": "d", "url": "https://example.com", "secret": "short", "input": {"type": "object"}}}}""", "'tools.http.x.secret' must be 'whsec_'")]
    [InlineData("""{"http": {"x": {"description": "d", "url": "https://example.com", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "input": {"type": "array"}}}}""", "'tools.http.x.input' must be a JSON Schema whose")]
    [InlineData("""{"http": {"x": {"description": "d", "url": "https://example.com", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "input": {"type": "object", "nullable": true}}}}""", "'tools.http.x.input.nullable'")]
    [InlineData("""{"http": {"x": {"effect": "twice", "description": "d", "url": "https://example.com", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "input": {"type": "object"}}}}""", "must be one of once, pure, idempotent")]
    [InlineData("""{"mcp": {"x": {}}}""", "must have 'command'")]
    [InlineData("""{"mcp": {"x": {"url": "https://example.com", "headers": {"Authorization": "env:PENSTOCK_TEST_NOTHING"}}}}""", "PENSTOCK_TEST_NOTHING, which is not set")]
    [InlineData("""{"off": ["nothing"]}""", "'tools.off[0]' must be one of")]
    [InlineData("""{"functions": {"summarize": {"function": "summarize"}}}""", "set AWS_REGION")]
    [InlineData("""{"maxInFlight": 0}""", "'tools.maxInFlight'")]
    [InlineData("""{"unknown": 0}""", "'tools.unknown'")]
    public void A_section_with_an_error_names_it(string tools, string error)
    {
        var section = _host.Services.GetRequiredService<ToolSection>();
        Assert.Contains(section.Read($$"""{"tools": {{tools}}}"""), found => found.Contains(error, StringComparison.Ordinal));
    }

    private Task<Answer> CallAsync(string tool, string arguments) => _host.PostAsync($"/v1/tools/{tool}", arguments, _key);

    private void Reload(params (string Name, string? More)[] tools) =>
        Assert.Empty(_host.Services.GetRequiredService<ToolSection>().Read(Config(tools)));

    private string Config(params (string Name, string? More)[] tools)
    {
        var entries = tools.Select(tool => $$"""
            "{{tool.Name}}": {
              "description": "Opens a ticket.", "url": "{{_server.Url("/hook")}}", "secret": "{{Secret}}",
              "input": {"type": "object", "properties": {"title": {"type": "string"} }, "additionalProperties": false },
              "output": {"type": "object", "properties": {"id": {"type": "integer"} }, "required": ["id"]}{{(tool.More is null ? "" : ", " + tool.More)}}
            }
            """);
        return $$"""{"tools": {"http": { {{string.Join(',', entries)}} } } }""";
    }
}
