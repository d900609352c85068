using System.Text;
using System.Text.Json;
using Penstock.Gateway;
using Penstock.Keys;
using Penstock.Limits;
using Penstock.Usage;
using Xunit;
using static Penstock.Tests.Gateway.Guarding.VendorFrames;

namespace Penstock.Tests.Gateway.Guarding;

/// <summary>Guard rules on the routes, with vendors' own bytes.</summary>
public sealed partial class GuardTests : IAsyncLifetime
{
    private const string Card = "4111 1111 1111 1111";
    private const string Masks = """{"email": "mask", "card": "mask", "phone": "mask", "ssn": "mask"}""";

    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync(environment: ("ANTHROPIC_API_KEY", "sk-ant"));

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    /// <summary>Runs and jobs are made by these, and asked of a model later; what of a text comes into them is looked at where they are.</summary>
    public static TheoryData<string> Routes => [.. LimitSection.Routes.Where(route => route != "/v1/jobs" && !route.StartsWith("/v1/agents/", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task Nothing_of_a_masked_card_reaches_a_vendor_the_ledger_or_the_log(string route)
    {
        var seen = new StringBuilder();
        _host.Script.Embed = call =>
        {
            seen.AppendJoin('|', call.Inputs).Append(call.EndUser);
            return new EmbedAnswer([.. call.Inputs.Select(_ => new[] { 0.5f })], call.Model, TokenCounts.Of(1, 0), false);
        };
        _host.Script.Objects = call =>
        {
            seen.Append(Encoding.UTF8.GetString(call.Call.Body.Span)).AppendJoin('|', call.Call.Messages.SelectMany(message => message.Parts)).Append(call.Call.EndUser);
            return null;
        };
        var key = await KeyAsync(Masks, Scopes.Complete | Scopes.Embed | Scopes.CallTools);
        _host.Script.Chat = (_, _) => Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, """{"label": "a", "suggestions": ["x"]}"""), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(1, 1), true)], Last: true));
        if (route == "/v1/messages") _host.Script.Chat = (_, _) => Frames.Of(AnthropicWhole("""{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"""));

        var answer = await _host.SendAsync(HttpMethod.Post, route.Replace("{name}", "summarize", StringComparison.Ordinal), GuardedRequests.Of(route, Card), key, ("x-penstock-conversation", "order 4111-1111-1111-1111"));

        Assert.True(answer.Status == 200, answer.Body);
        Assert.Contains("card=", answer.Headers["x-penstock-guards"], StringComparison.Ordinal);
        Assert.Contains("[CARD]", seen.ToString(), StringComparison.Ordinal);
        foreach (var row in await _host.RowsAsync()) seen.Append(row);
        seen.AppendJoin('\n', _host.Log.Lines);
        foreach (var digits in new[] { Card, "4111-1111", "4111111111111111" }) Assert.DoesNotContain(digits, seen.ToString(), StringComparison.Ordinal);
    }

    /// <summary>A client's own maps may have any names, also such as are ids and settings elsewhere.</summary>
    [Theory]
    [InlineData("name")]
    [InlineData("url")]
    [InlineData("detail")]
    [InlineData("tools")]
    public async Task A_template_s_variable_is_looked_at_whatever_its_name(string name)
    {
        var source = $"---\nname: greet\nuse-case: chat\nowner: a\nversion: 1\nmodel: gpt-4o-mini\ndescription: x\nvariables:\n  - name: {name}\n    required: true\n---\nBe brief.\n\n=== user ===\n\nHello {{{{{name}}}}}\n";
        var pushed = await _host.PostAsync("/v1/prompts", JsonSerializer.Serialize(new Dictionary<string, string> { ["source"] = source, ["label"] = "production" }));
        Assert.True(pushed.Status == 201, pushed.Body);

        var answer = await _host.PostAsync("/v1/complete", $$"""{"template": "greet", "variables": {"{{name}}": "{{Card}}"} }""", await KeyAsync(Masks));

        Assert.True(answer.Status == 200, answer.Body);
        Assert.Equal("Hello [CARD]", _host.Script.Calls.Single().Call.Messages[^1].Text());
    }

    [Fact]
    public async Task The_name_of_a_speaker_is_a_text_and_that_of_a_tool_is_not()
    {
        var key = await KeyAsync(Masks);

        var answer = await _host.PostAsync("/v1/chat/completions", """
            {"model": "gpt-4o-mini", "messages": [{"role": "user", "name": "bob@example.com", "content": "hi"},
             {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "send_to_bob@example.com", "arguments": "{}"}}]},
             {"role": "tool", "tool_call_id": "a", "name": "send_to_bob@example.com", "content": "ok"}]}
            """, key);

        Assert.True(answer.Status == 200, answer.Body);
        Assert.Equal("email=1", answer.Headers["x-penstock-guards"]);
        Assert.Equal("[EMAIL]", _host.Script.Calls.Single().Call.Messages[0].Name);
    }

    [Fact]
    public async Task What_explains_a_schema_is_looked_at_and_what_is_compared_is_not()
    {
        const string Schema = """{"type":"object","title":"CARD","$comment":"CARD","examples":[{"name":"CARD"}],"properties":{"title":{"type":"string","description":"CARD","enum":["CARD"]},"examples":{"const":"CARD"}}}""";

        var answer = await _host.PostAsync("/v1/chat/completions", """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]}""".Replace("SCHEMA", Schema, StringComparison.Ordinal).Replace("CARD", Card, StringComparison.Ordinal), await KeyAsync(Masks));

        Assert.True(answer.Status == 200, answer.Body);
        Assert.Equal("card=4", answer.Headers["x-penstock-guards"]);
        Assert.Equal(
            """{"type":"object","title":"[CARD]","$comment":"[CARD]","examples":[{"name":"[CARD]"}],"properties":{"title":{"type":"string","description":"[CARD]","enum":["4111 1111 1111 1111"]},"examples":{"const":"4111 1111 1111 1111"}}}""",
            _host.Script.Calls.Single().Call.Tools.Single().Schema);
    }

    [Fact]
    public async Task A_field_to_extract_is_looked_at_whatever_its_name()
    {
        _host.Script.Chat = (_, _) => Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, """{"name": "x"}"""), new Finished(0, FinishReason.Stop)], Last: true));

        var answer = await _host.PostAsync("/v1/extract", $$"""{"text": "x", "fields": {"name": "Whose card is {{Card}}?"} }""", await KeyAsync(Masks));

        Assert.True(answer.Status == 200, answer.Body);
        Assert.Contains("Whose card is [CARD]?", _host.Script.Calls.Single().Call.ResponseFormat!.Schema, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/chat/completions", "\"code\":\"guard_blocked\"")]
    [InlineData("/v1/messages", "\"type\":\"invalid_request_error\"")]
    [InlineData("/v1/complete", "\"code\":\"guard_blocked\"")]
    [InlineData("/v1/embeddings", "\"code\":\"guard_blocked\"")]
    public async Task A_blocked_prompt_is_refused_by_the_rules_name_before_a_vendor_is_called(string route, string said)
    {
        var key = await KeyAsync("""{"card": "block"}""", Scopes.Complete | Scopes.Embed);

        var answer = await _host.PostAsync(route, GuardedRequests.Of(route, Card), key);

        Assert.Equal(400, answer.Status);
        Assert.Contains(said, answer.Body, StringComparison.Ordinal);
        Assert.Contains("guard rule 'card'", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("4111", answer.Body, StringComparison.Ordinal);
        Assert.StartsWith("card=", answer.Headers["x-penstock-guards"], StringComparison.Ordinal);
        Assert.Empty(_host.Script.Calls);
        Assert.Empty(await _host.RowsAsync());
        Assert.Contains("penstock_guard_matches_total{rule=\"card\",action=\"block\",direction=\"in\"}", (await _host.GetAsync("/metrics")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_adds_to_what_is_configured_and_takes_nothing_away()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"guards": {"email": "mask", "card": {"in": "block"}, "keys": {"trusted": {"phone": "mask"}}}}""");
        var own = await CreateAsync(host, """{"email": "off", "card": {"in": "flag", "out": "mask"}, "ssn": "mask"}""");

        Assert.Equal("[EMAIL] [SSN]", await SeenAsync(own, "a@b.org 078-05-1120"));
        Assert.Equal(400, (await host.ChatAsync(key: own, prompt: Card)).Status);
        Assert.Equal($"[PHONE] a@b.org {Card}", await SeenAsync(await host.AddKeyAsync("trusted"), $"+14155552671 a@b.org {Card}"));

        async Task<string> SeenAsync(string key, string prompt)
        {
            Assert.Equal(200, (await host.ChatAsync(key: key, prompt: prompt)).Status);
            return host.Script.Calls.Last().Call.Messages[0].Text();
        }
    }

    [Fact]
    public async Task Only_an_admin_sets_rules_and_sees_them_again()
    {
        var made = await _host.PostAsync("/v1/auth/keys", """{"name": "n", "scopes": ["ai:complete"], "guards": {"email": "mask", "deny": {"x-1": {"phrases": ["Falcon"], "action": {"out": "flag"}}}}}""");
        var holder = made.Text("apiKey")!;

        Assert.Contains("\"guards\":{\"email\": \"mask\", \"deny\": {\"x-1\": {\"phrases\": [\"Falcon\"], \"action\": {\"out\": \"flag\"}}}}", made.Body, StringComparison.Ordinal);
        Assert.Contains("\"guards\":{\"email\": \"mask\"", (await _host.GetAsync($"/v1/auth/keys/{made.Text("keyId")}")).Body, StringComparison.Ordinal);
        Assert.Equal(403, (await _host.PostAsync("/v1/auth/keys", """{"name": "n", "scopes": ["ai:complete"]}""", holder)).Status);
    }

    [Theory]
    [InlineData("""{"mail": "mask"}""", "guards.mail")]
    [InlineData("""{"email": "hide"}""", "guards.email")]
    [InlineData("""{"email": {"both": "mask"}}""", "guards.email.both")]
    [InlineData("""{"deny": {"A": {"phrases": ["x"]}}}""", "guards.deny.A")]
    [InlineData("""{"deny": {"a": {"phrases": []}}}""", "guards.deny.a.phrases")]
    [InlineData("""{"deny": {"a": {"phrases": ["\u200b "]}}}""", "guards.deny.a.phrases[0]")]
    [InlineData("""{"deny": {"a": {}}}""", "guards.deny.a.phrases")]
    public async Task Rules_that_are_none_are_refused_by_name(string guards, string field)
    {
        var answer = await _host.PostAsync("/v1/auth/keys", $$"""{"name": "n", "scopes": ["ai:complete"], "guards": {{guards}}}""");

        Assert.Equal((400, field), (answer.Status, answer.Text("field")));
    }

    private Task<string> KeyAsync(string? guards, Scopes scopes = Scopes.Complete) => guards is null ? _host.AddKeyAsync($"k{Guid.NewGuid():N}"[..12]) : CreateAsync(_host, guards, scopes);

    private static async Task<string> CreateAsync(GatewayHost host, string guards, Scopes scopes = Scopes.Complete)
    {
        var names = string.Join(',', ScopeNames.Of(scopes).Select(name => $"\"{name}\""));
        var made = await host.PostAsync("/v1/auth/keys", $$"""{"name": "n", "scopes": [{{names}}], "guards": {{guards}}}""");
        Assert.True(made.Status == 201, made.Body);
        return made.Text("apiKey")!;
    }
}
