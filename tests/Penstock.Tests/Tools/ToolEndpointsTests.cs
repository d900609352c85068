using Penstock.Keys;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Penstock.Tools;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Penstock.Tests.Tools;

public sealed class ToolEndpointsTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_tool_answers_with_its_output_its_effect_and_its_cost()
    {
        var answer = await CallAsync("calculator", """{"expression": "x * 2", "variables": {"x": 21}}""");

        Assert.Equal((200, "42", "calculator", "pure"), (answer.Status, answer.Text("output", "text"), answer.Text("tool"), answer.Text("effect")));
        Assert.Equal((42, true, 0m), (answer.Json.GetProperty("output").GetProperty("value").GetInt32(), answer.Json.GetProperty("output").GetProperty("exact").GetBoolean(), answer.Json.GetProperty("cost").GetDecimal()));
        Assert.True(answer.Headers.ContainsKey("x-ratelimit-remaining-requests"));
    }

    [Fact]
    public async Task The_list_shows_each_tool_with_its_schemas()
    {
        var tools = (await _host.GetAsync("/v1/tools")).Json.GetProperty("tools").EnumerateArray().ToArray();

        Assert.Equal(ToolSection.BuiltIn, tools.Select(tool => tool.GetProperty("name").GetString()));
        Assert.All(tools, tool =>
        {
            Assert.Equal("object", tool.GetProperty("input").GetProperty("type").GetString());
            Assert.Equal("object", tool.GetProperty("output").GetProperty("type").GetString());
            Assert.Equal(("built_in", "pure"), (tool.GetProperty("kind").GetString(), tool.GetProperty("effect").GetString()));
        });
        Assert.False(tools.Single(tool => tool.GetProperty("name").GetString() == "summarize").TryGetProperty("cost", out _));
    }

    [Fact]
    public async Task A_tool_that_is_not_there_is_told_from_those_that_are()
    {
        var answer = await CallAsync("nothing", "{}");
        Assert.Equal((404, "tool_not_found"), (answer.Status, answer.Text("code")));
        Assert.Contains("calculator, classify, extract, http_fetch, search, summarize, wait", answer.Text("detail"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"expression": 5}""", "/expression", "'/expression' must be a string, not a number")]
    [InlineData("{}", "/expression", "'/expression' is required")]
    [InlineData("""{"expression": "1", "variables": {"x": "1"}}""", "/variables/x", "'/variables/x' must be a number")]
    [InlineData("""{"expression": "1", "other": 1}""", "/other", "'/other' is not known here")]
    public async Task Arguments_that_do_not_fit_are_told_by_field_and_schema(string arguments, string field, string message)
    {
        var answer = await CallAsync("calculator", arguments);

        Assert.Equal((400, "invalid_arguments", field), (answer.Status, answer.Text("code"), answer.Text("field")));
        Assert.StartsWith(message, answer.Text("detail"), StringComparison.Ordinal);
        Assert.Contains("\"maxLength\": 4000", answer.Text("detail"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Arguments_that_are_too_deep_or_too_long_are_refused()
    {
        Assert.Equal(400, (await CallAsync("calculator", string.Concat(Enumerable.Repeat("{\"a\":", 70)) + "1" + new string('}', 70))).Status);
        Assert.Equal("/expression", (await CallAsync("calculator", $$"""{"expression": "{{new string('(', 10_000)}}1{{new string(')', 10_000)}}"}""")).Text("field"));
        Assert.Equal("too_deep", (await CallAsync("calculator", $$"""{"expression": "{{new string('(', 1_000)}}1{{new string(')', 1_000)}}"}""")).Text("output", "error", "code"));
        Assert.Equal("overflow", (await CallAsync("calculator", """{"expression": "9^9^9^9"}""")).Text("output", "error", "code"));
    }

    [Fact]
    public async Task What_a_key_may_call_is_what_its_scopes_and_its_list_allow()
    {
        var chat = await _host.AddKeyAsync("chat");
        var caller = await _host.AddKeyAsync("caller", Scopes.CallTools);
        var agent = await _host.AddKeyAsync("agent", Scopes.RunAgents | Scopes.Complete);
        var listed = await _host.AddKeyAsync("listed", Scopes.CallTools, key => key with { Tools = ["calculator", "w*"] });

        Assert.Empty(await NamesAsync(chat));
        Assert.Equal(["calculator", "http_fetch", "search", "wait"], await NamesAsync(caller));
        Assert.Equal(ToolSection.BuiltIn, await NamesAsync(agent));
        Assert.Equal(["calculator", "wait"], await NamesAsync(listed));
        Assert.Equal((403, "missing_scope"), await RefusalAsync(chat, "calculator"));
        Assert.Equal((403, "missing_scope"), await RefusalAsync(caller, "summarize"));
        Assert.Equal((403, "tool_not_allowed"), await RefusalAsync(listed, "search"));
        Assert.Equal(401, (await _host.PostAsync("/v1/tools/calculator", "{}", null)).Status);
    }

    [Fact]
    public async Task An_admin_says_which_tools_a_key_may_call()
    {
        var made = await _host.PostAsync("/v1/auth/keys", """{"name": "n", "scopes": ["tool:call"], "tools": ["wait", "files.*"]}""");
        Assert.Equal((201, "[\"wait\",\"files.*\"]"), (made.Status, made.Json.GetProperty("tools").GetRawText()));
        Assert.Equal(["wait"], await NamesAsync(made.Text("apiKey")!));
    }

    [Fact]
    public async Task Three_calls_of_a_second_at_once_take_a_second()
    {
        var calls = Enumerable.Range(0, 3).Select(i => CallAsync("wait", $$"""{"seconds": 1, "text": "{{i}}"}""")).ToArray();
        await GatewayHost.UntilAsync(() => _host.Services.GetRequiredService<ToolPlaces>().Taken == 3);

        _host.Advance(TimeSpan.FromSeconds(1));

        var answers = await Task.WhenAll(calls);
        Assert.Equal(["0", "1", "2"], answers.Select(answer => answer.Text("output", "text")));
        Assert.All(answers, answer => Assert.InRange(answer.Json.GetProperty("latencyMs").GetDouble(), 1_000, 1_300));
    }

    [Fact]
    public async Task A_tool_that_takes_too_long_is_cut_off_and_its_place_is_free()
    {
        var never = new TaskCompletionSource();
        await using var host = await GatewayHost.StartAsync(change: services => services.AddSingleton<ITool>(new Slow(never.Task)));
        var call = host.PostAsync("/v1/tools/slow", "{}");
        await GatewayHost.UntilAsync(() => host.Services.GetRequiredService<ToolPlaces>().Taken == 1);

        host.Advance(TimeSpan.FromSeconds(30));

        var answer = await call;
        Assert.Equal((504, "tool_timed_out"), (answer.Status, answer.Text("code")));
        Assert.Contains("Whether it had an effect is not known", answer.Text("detail"), StringComparison.Ordinal);
        Assert.Equal("false", answer.Headers["x-should-retry"]);
        Assert.Equal(0, host.Services.GetRequiredService<ToolPlaces>().Taken);
    }

    [Fact]
    public async Task What_a_model_does_for_a_tool_is_booked_and_shown_as_its_cost()
    {
        Says("A summary.");
        var answer = await CallAsync("summarize", """{"text": "A long text.", "model": "gpt-4o-mini"}""");

        Assert.Equal((200, "A summary."), (answer.Status, answer.Text("output", "text")));
        var row = Assert.Single(await _host.RowsAsync());
        Assert.Equal(("/v1/tools/{name}", row.Cost.Usd, true), (row.Route, answer.Json.GetProperty("cost").GetDecimal(), row.Cost > Money.Zero));
    }

    [Theory]
    [InlineData("""{"labels": ["bad", "nonsense", "bad"]}""", true, "bad", 200)]
    [InlineData("""{"label": "good"}""", false, "good", 200)]
    [InlineData("""{"label": "nonsense"}""", false, null, 502)]
    [InlineData("good", false, null, 502)]
    public async Task Labels_are_those_asked_about(string says, bool multiple, string? text, int status)
    {
        Says(says);
        var answer = await CallAsync("classify", $$"""{"text": "x", "labels": ["good", "bad"], "multiple": {{(multiple ? "true" : "false")}}, "model": "gpt-4o-mini"}""");

        Assert.Equal(status, answer.Status);
        if (text is not null) Assert.Equal(text, answer.Text("output", "text"));
    }

    [Fact]
    public async Task Extracted_data_are_held_against_the_schema()
    {
        const string Arguments = """{"text": "x", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}, "model": "gpt-4o-mini"}""";
        Says("""{"n": 5}""");
        Assert.Equal(5, (await CallAsync("extract", Arguments)).Json.GetProperty("output").GetProperty("data").GetProperty("n").GetInt32());

        Says("""{"n": "five"}""");
        var unfit = await CallAsync("extract", Arguments);
        Assert.Equal((502, "tool_answer_unfit"), (unfit.Status, unfit.Text("code")));
        Assert.Contains("'/n' must be an integer", unfit.Text("detail"), StringComparison.Ordinal);

        var neither = await CallAsync("extract", """{"text": "x"}""");
        Assert.Equal((400, "invalid_arguments"), (neither.Status, neither.Text("code")));
        var unknown = await CallAsync("extract", """{"text": "x", "schema": {"type": "object", "nullable": true}}""");
        Assert.Equal((400, "schema.nullable"), (unknown.Status, unknown.Text("field")));
    }

    [Fact]
    public async Task A_model_that_takes_longer_than_the_tool_may_is_cancelled()
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct);
        var call = CallAsync("summarize", """{"text": "x", "model": "gpt-4o-mini"}""");
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);

        _host.Advance(TimeSpan.FromMinutes(2));

        Assert.Equal((504, "tool_timed_out"), ((await call).Status, (await call).Text("code")));
        await GatewayHost.UntilAsync(() => _host.Script.Open == 0);
    }

    [Fact]
    public async Task A_tool_never_takes_its_answer_from_the_cache_of_whole_responses()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"cache": {"default": "on"}}""");
        host.Script.Chat = (_, _) => Frames.Of(Frames.Whole("A summary."));
        for (var i = 0; i < 2; i++) Assert.Equal("A summary.", (await host.PostAsync("/v1/tools/summarize", """{"text": "x", "model": "gpt-4o-mini"}""")).Text("output", "text"));
        Assert.Equal(2, host.Script.Calls.Count);
    }

    [Fact]
    public async Task A_search_in_nothing_is_an_error_and_one_without_a_find_is_empty()
    {
        foreach (var arguments in new[] { """{"query": "wind"}""", """{"query": "wind", "texts": []}""" })
        {
            var nothing = await CallAsync("search", arguments);
            Assert.Equal((422, "search_not_configured"), (nothing.Status, nothing.Text("code")));
        }

        Assert.Equal("[]", (await CallAsync("search", """{"query": "wind", "texts": ["sun"]}""")).Json.GetProperty("output").GetProperty("results").GetRawText());
    }

    [Fact]
    public async Task The_best_piece_comes_first_and_names_its_source()
    {
        var answer = await CallAsync("search", """
            {"query": "wind turbines", "k": 2, "texts": [
              "The sun is warm.",
              {"docId": "w", "title": "Wind", "uri": "https://example.com/w", "text": "A wind turbine turns. Turbines like wind."},
              {"text": "The wind blows over the hill, and over the sea, and over the land, and nobody minds."}]}
            """);

        var results = answer.Json.GetProperty("output").GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal(["w", "text-3"], results.Select(result => result.GetProperty("docId").GetString()));
        Assert.Equal(("w#0", "Wind", "https://example.com/w"), (results[0].GetProperty("chunkId").GetString(), results[0].GetProperty("title").GetString(), results[0].GetProperty("uri").GetString()));
        Assert.True(results[0].GetProperty("score").GetDouble() > results[1].GetProperty("score").GetDouble());
    }

    [Fact]
    public async Task Each_call_is_one_line_without_its_arguments_and_one_measurement()
    {
        await CallAsync("wait", """{"seconds": 0, "text": "canary"}""");
        await CallAsync("wait", """{"seconds": -1, "text": "canary"}""");

        var lines = _host.Log.Own.Select(line => line.Text).Where(text => text.StartsWith("tool wait", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, lines.Length);
        Assert.Contains("key root completed", lines[0], StringComparison.Ordinal);
        Assert.Contains("key root invalid_arguments", lines[1], StringComparison.Ordinal);
        Assert.DoesNotContain(_host.Log.Lines, line => line.ToString().Contains("canary", StringComparison.Ordinal));
        var metrics = (await _host.GetAsync("/metrics", null)).Body;
        Assert.Contains("penstock_tool_duration_seconds_count{gen_ai_tool_name=\"wait\",outcome=\"completed\"} 1", metrics, StringComparison.Ordinal);
        Assert.Contains("penstock_tool_in_flight 0", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tool_can_be_turned_off()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"tools": {"off": ["http_fetch"]}}""");
        Assert.Equal(404, (await host.PostAsync("/v1/tools/http_fetch", """{"url": "https://example.com"}""")).Status);
    }

    private Task<Answer> CallAsync(string tool, string arguments) => _host.PostAsync($"/v1/tools/{tool}", arguments);

    private async Task<string[]> NamesAsync(string key) => [.. (await _host.GetAsync("/v1/tools", key)).Json.GetProperty("tools").EnumerateArray().Select(tool => tool.GetProperty("name").GetString()!)];

    private async Task<(int, string?)> RefusalAsync(string key, string tool)
    {
        var answer = await _host.PostAsync($"/v1/tools/{tool}", """{"text": "x"}""", key);
        return (answer.Status, answer.Text("code"));
    }

    private void Says(string text) => _host.Script.Chat = (_, _) => Frames.Of(Frames.Whole(text));

    private sealed class Slow(Task never) : ITool
    {
        public ToolSpec Spec { get; } = new() { Name = "slow", Description = "Never ends.", Input = JsonSchema.Parse("{}") };

        public async Task<ToolResult> RunAsync(ToolCall call, CancellationToken ct)
        {
            await never.WaitAsync(ct);
            return new ToolResult(call.Arguments.Element);
        }
    }
}
