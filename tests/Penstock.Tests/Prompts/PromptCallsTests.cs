using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Gateway;
using Penstock.Prompts;
using Penstock.Providers.Local;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Prompts;

/// <summary>Templates as calls use them: what the vendor is asked, what the ledger says, what the cache gives again.</summary>
public sealed class PromptCallsTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_summary_is_asked_for_with_the_template_and_booked_under_its_version()
    {
        Says("  Short. ");

        var answer = await _host.PostAsync("/v1/summarise", """{"text": "Long {{sentences}} text.", "sentences": 2}""");

        var version = new ShippedPrompts().Find("summarise")!.Id.ToString();
        Assert.Equal((200, "Short.", version, version), (answer.Status, answer.Text("summary"), answer.Text("template"), answer.Headers["x-penstock-template"]));
        Assert.False(answer.Json.GetProperty("truncated").GetBoolean());
        var row = await _host.RowAsync();
        Assert.Equal((version, "/v1/summarise"), (row.Template, row.Route));
        var call = _host.Script.Calls.Single().Call;
        Assert.Contains("at most 2 sentences", call.Messages[0].Text(), StringComparison.Ordinal);
        Assert.Equal("Long {{sentences}} text.", call.Messages[1].Text());
        Assert.Equal("fast", call.Model);
    }

    [Fact]
    public async Task Both_spellings_are_one_route()
    {
        Says("Short.");

        Assert.Equal(200, (await _host.PostAsync("/v1/summarize", """{"text": "x"}""")).Status);

        Assert.Equal("/v1/summarize", (await _host.RowAsync()).Route);
    }

    [Fact]
    public async Task A_summary_that_was_cut_off_says_so_and_an_empty_one_is_the_vendors_fault()
    {
        Says("Half a", FinishReason.Length);
        Assert.True((await _host.PostAsync("/v1/summarise", """{"text": "x"}""")).Json.GetProperty("truncated").GetBoolean());
        Says(" ");
        Assert.Equal((502, "provider_answer_unfit"), (await _host.PostAsync("/v1/summarise", """{"text": "x"}""")) is var answer ? (answer.Status, answer.Text("code")) : default);
    }

    [Fact]
    public async Task Fields_are_extracted_as_json_of_their_own_schema()
    {
        Says("""{"name": "Ann", "due": null}""");

        var answer = await _host.PostAsync("/v1/extract", """{"text": "I am Ann.", "fields": {"name": "Who it is.", "due": "When."}}""");

        Assert.Equal((200, "Ann"), (answer.Status, answer.Text("data", "name")));
        Assert.Equal(
            """{"type":"object","properties":{"name":{"type":["string","null"],"description":"Who it is."},"due":{"type":["string","null"],"description":"When."}},"required":["name","due"],"additionalProperties":false}""",
            _host.Script.Calls.Single().Call.ResponseFormat!.Schema);
    }

    [Theory]
    [InlineData("""{"fields": ["a"]}""", "text")]
    [InlineData("""{"text": "x"}""", "fields")]
    [InlineData("""{"text": "x", "fields": []}""", "fields")]
    [InlineData("""{"text": "x", "fields": ["a", "a"]}""", "fields")]
    [InlineData("""{"text": "x", "fields": "a"}""", "fields")]
    [InlineData("""{"text": "x", "fields": {"": "b"}}""", "fields")]
    [InlineData("""{"text": "x", "fields": ["a"], "schema": {"type": "object"}}""", "schema")]
    [InlineData("""{"text": "x", "schema": {"type": "array"}}""", "schema")]
    [InlineData("""{"text": "x", "schema": "{}"}""", "schema")]
    [InlineData("""{"text": "x", "fields": ["a"], "template": "no such"}""", "template")]
    [InlineData("""{"text": "x", "fields": ["a"], "sentences": 1}""", "sentences")]
    public async Task A_bad_extraction_names_its_field(string body, string field)
    {
        var answer = await _host.PostAsync("/v1/extract", body);

        Assert.Equal((400, field), (answer.Status, answer.Text("field")));
        Assert.Empty(_host.Script.Calls);
    }

    [Fact]
    public async Task A_call_may_name_another_version_and_one_for_another_use_is_refused()
    {
        var version = await PushAsync(Sources.Summarise("Other words."));
        var named = $$"""{"text": "x", "template": "{{version}}"}""";

        Assert.Equal(version, (await _host.PostAsync("/v1/summarise", named)).Headers["x-penstock-template"]);
        Assert.Equal("Other words.", _host.Script.Calls.Single().Call.Messages[0].Text());

        var refused = await _host.PostAsync("/v1/extract", $$"""{"text": "x", "fields": ["a"], "template": "{{version}}"}""");
        Assert.Equal((400, "template"), (refused.Status, refused.Text("field")));
        var missing = await _host.PostAsync("/v1/summarise", """{"text": "x", "template": "summarise:staging"}""");
        Assert.Equal((404, "template_not_found"), (missing.Status, missing.Text("code")));
        Assert.Contains("It has the labels production and the versions", missing.Text("detail"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_moved_label_never_serves_the_old_prompts_answer_from_the_cache()
    {
        const string Body = """{"text": "the same", "model": "gpt-4o-mini"}""";
        (string, string)[] on = [("x-penstock-cache", "on")];
        Says("old");
        Assert.Equal("miss", (await _host.SendAsync(HttpMethod.Post, "/v1/summarise", Body, headers: on)).Headers["x-penstock-cache"]);
        await GatewayHost.UntilAsync(async () => (await _host.SendAsync(HttpMethod.Post, "/v1/summarise", Body, headers: on)).Headers["x-penstock-cache"] == "hit");
        var hit = await _host.SendAsync(HttpMethod.Post, "/v1/summarise", Body, headers: on);
        Assert.Equal(("old", new ShippedPrompts().Find("summarise")!.Id.ToString()), (hit.Text("summary"), hit.Headers["x-penstock-template"]));

        Says("new");
        var version = await PushAsync(Sources.Summarise("Other words."), "production");

        var answer = await _host.SendAsync(HttpMethod.Post, "/v1/summarise", Body, headers: on);
        Assert.Equal(("new", "miss", version), (answer.Text("summary"), answer.Headers["x-penstock-cache"], answer.Headers["x-penstock-template"]));
    }

    [Theory]
    [InlineData("/v1/complete")]
    [InlineData("/v1/stream")]
    public async Task A_chat_takes_a_template_and_variables(string route)
    {
        var version = await PushAsync(Sources.Chat("greet", "Be {{tone}}.", "I am {{who}}.", "max-output-tokens: 77\n", "  - name: tone\n    default: kind\n  - name: who\n"), "production");

        var answer = await _host.PostAsync(route, """{"template": "greet", "variables": {"who": "{{tone}}"}, "messages": [{"role": "user", "content": "before"}]}""");

        Assert.Equal((200, version), (answer.Status, answer.Headers["x-penstock-template"]));
        var sent = _host.Script.Calls.Single();
        Assert.Equal(["Be kind.", "before", "I am {{tone}}."], sent.Call.Messages.Select(message => message.Text()));
        Assert.Equal(("gpt-4o-mini", 77, version), (sent.Model, sent.MaxOutputTokens!.Value, (await _host.RowAsync()).Template));
    }

    [Fact]
    public async Task What_a_call_says_itself_comes_before_what_its_template_says()
    {
        await PushAsync(Sources.Chat("form", "Be kind.", "Hello.", "max-output-tokens: 77\nschema: '{\"type\": \"object\"}'\n"), "production");

        await _host.PostAsync("/v1/complete", """{"template": "form"}""");
        await _host.PostAsync("/v1/complete", """{"template": "form", "model": "gpt-4o", "maxTokens": 5, "responseFormat": {"type": "json"}}""");

        var calls = _host.Script.Calls.ToArray();
        Assert.Equal(("""{"type": "object"}""", "gpt-4o-mini", 77), (calls[0].Call.ResponseFormat!.Schema, calls[0].Model, calls[0].MaxOutputTokens!.Value));
        Assert.Equal((null, "gpt-4o", 5), (calls[1].Call.ResponseFormat!.Schema, calls[1].Model, calls[1].MaxOutputTokens!.Value));
    }

    [Theory]
    [InlineData("""{"variables": {"a": "b"}, "messages": [{"role": "user", "content": "x"}]}""", "variables")]
    [InlineData("""{"template": "chat"}""", "messages")]
    [InlineData("""{"template": "chat", "messages": []}""", "messages")]
    [InlineData("""{"template": "chat", "systemPrompt": "x", "messages": [{"role": "user", "content": "x"}]}""", "systemPrompt")]
    [InlineData("""{"template": "chat", "variables": {"tone": 1}, "messages": [{"role": "user", "content": "x"}]}""", "variables.tone")]
    [InlineData("""{"template": "chat", "variables": {"tune": "x"}, "messages": [{"role": "user", "content": "x"}]}""", "variables.tune")]
    [InlineData("""{"template": "chat@1", "messages": [{"role": "user", "content": "x"}]}""", "template")]
    [InlineData("""{"messages": []}""", "messages")]
    public async Task A_chat_that_misuses_a_template_is_told_where(string body, string field)
    {
        var answer = await _host.PostAsync("/v1/complete", body);

        Assert.Equal((400, field), (answer.Status, answer.Text("field")));
        Assert.Empty(_host.Script.Calls);
    }

    [Fact]
    public async Task A_call_without_a_template_names_none()
    {
        var answer = await _host.ChatAsync();

        Assert.False(answer.Headers.ContainsKey("x-penstock-template"));
        Assert.Null((await _host.RowAsync()).Template);
    }

    [Fact]
    public async Task The_local_provider_answers_every_task()
    {
        await using var host = await GatewayHost.StartAsync(change: services =>
        {
            services.Remove(services.Single(service => (service.ImplementationInstance as IProviderKind)?.Kind == "local"));
            services.AddSingleton<IProviderKind, LocalKind>();
        });
        const string Text = "Summary of the call: Ann Lee wants a refund of $42.50 for her invoice. The shipment came late. Her mail is ann@example.com. Nobody answered the phone. The refund was promised for 2026-12-01.";

        var summary = await host.PostAsync("/v1/summarise", Body(new { text = Text, sentences = 2, model = "local" }));
        Assert.Equal((200, "local"), (summary.Status, summary.Text("provider")));
        Assert.Equal(2, summary.Text("summary")!.Split(". ").Length);
        Assert.All(summary.Text("summary")!.Split(". "), sentence => Assert.Contains(sentence.TrimEnd('.'), Text, StringComparison.Ordinal));

        var data = (await host.PostAsync("/v1/extract", Body(new { text = Text, fields = new[] { "email", "amount", "date", "colour" }, model = "local" }))).Json.GetProperty("data");
        Assert.Equal(("ann@example.com", "$42.50", "2026-12-01", JsonValueKind.Null), (data.GetProperty("email").GetString(), data.GetProperty("amount").GetString(), data.GetProperty("date").GetString(), data.GetProperty("colour").ValueKind));

        Assert.Equal("billing", (await host.PostAsync("/v1/classify", Body(new { text = Text, labels = new[] { "technical", "billing" }, model = "local" }))).Text("label"));
        Assert.Equal(200, (await host.PostAsync("/v1/suggest", Body(new { text = Text, model = "local" }))).Status);
        Assert.Equal(200, (await host.PostAsync("/v1/complete", """{"template": "chat", "model": "local", "messages": [{"role": "user", "content": "hi"}]}""")).Status);
    }

    [Fact]
    public async Task Prompts_are_pushed_labelled_shown_and_rolled_back_over_http()
    {
        var first = new ShippedPrompts().Find("summarise")!.Id;
        var pushed = await _host.PostAsync("/v1/prompts", Body(new { source = Sources.Summarise("Other words."), label = "staging", reason = "try" }));
        Assert.Equal((201, "summarise"), (pushed.Status, pushed.Text("name")));
        Assert.Equal(200, (await _host.PostAsync("/v1/prompts", Body(new { source = Sources.Summarise("Other words.") }))).Status);

        var moved = await _host.SendAsync(HttpMethod.Put, "/v1/prompts/summarise/labels/production", Body(new { version = "summarise:staging", expected = first.Hash[..8], reason = "good" }));
        Assert.Equal((200, first.Hash, pushed.Text("hash"), "good"), (moved.Status, moved.Text("from"), moved.Text("to"), moved.Text("reason")));
        Assert.Equal(409, (await _host.SendAsync(HttpMethod.Put, "/v1/prompts/summarise/labels/production", Body(new { version = first.Hash, expected = first.Hash }))).Status);
        Assert.False((await _host.SendAsync(HttpMethod.Put, "/v1/prompts/summarise/labels/production", Body(new { version = pushed.Text("hash") }))).Json.GetProperty("moved").GetBoolean());

        var shown = await _host.GetAsync("/v1/prompts/summarise");
        Assert.Equal((pushed.Text("hash"), pushed.Text("hash"), 2, 3), (shown.Text("hash"), shown.Text("labels", "production"), shown.Json.GetProperty("versions").GetArrayLength(), shown.Json.GetProperty("history").GetArrayLength()));
        Assert.Equal(first.Hash, (await _host.GetAsync($"/v1/prompts/{first}")).Text("hash"));
        Assert.Equal(5, (await _host.GetAsync("/v1/prompts")).Json.GetProperty("prompts").GetArrayLength());

        Assert.Equal(first.Hash, (await _host.PostAsync("/v1/prompts/summarise/labels/production/rollback", """{"reason": "bad"}""")).Text("to"));
        Assert.Equal(404, (await _host.PostAsync("/v1/prompts/summarise/labels/production/rollback", "{}")).Status);
    }

    [Fact]
    public async Task Only_an_admin_changes_prompts_and_a_bad_file_is_told_by_line()
    {
        var plain = await _host.AddKeyAsync("plain");

        Assert.Equal(403, (await _host.PostAsync("/v1/prompts", Body(new { source = Sources.Summarise("x") }), plain)).Status);
        Assert.Equal(403, (await _host.SendAsync(HttpMethod.Put, "/v1/prompts/summarise/labels/production", "{}", plain)).Status);
        Assert.Equal(403, (await _host.PostAsync("/v1/prompts/summarise/labels/production/rollback", "{}", plain)).Status);
        Assert.Equal(200, (await _host.GetAsync("/v1/prompts", plain)).Status);
        Assert.Equal(401, (await _host.GetAsync("/v1/prompts", null)).Status);
        var bad = await _host.PostAsync("/v1/prompts", Body(new { source = Sources.Summarise("{{x}}") }));
        Assert.Equal((400, "source"), (bad.Status, bad.Text("field")));
        Assert.Contains("source:11: {{x}} is not among", bad.Text("detail"), StringComparison.Ordinal);
    }

    private async Task<string> PushAsync(string source, string? label = null)
    {
        var answer = await _host.PostAsync("/v1/prompts", Body(new { source, label }));
        Assert.True(answer.Status == 201, answer.Body);
        return answer.Text("version")!;
    }

    private void Says(string text, FinishReason reason = FinishReason.Stop) => _host.Script.Chat = (_, _) => Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, text), new Finished(0, reason), new UsageReported(TokenCounts.Of(10, 5), true)], Last: true));

    private static string Body(object body) => JsonSerializer.Serialize(body);
}
