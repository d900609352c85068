using Penstock.Gateway;
using Penstock.Keys;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway;

public sealed class TaskEndpointsTests : IAsyncLifetime
{
    private const string One = """{"text": "great", "labels": ["good", "bad"], "model": "gpt-4o-mini"}""";
    private const string Many = """{"text": "great", "labels": ["good", "bad"], "multiple": true, "model": "gpt-4o-mini"}""";

    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task One_label_is_chosen()
    {
        Says("""{"label": "good"}""");

        var answer = await _host.PostAsync("/v1/classify", One);

        Assert.Equal((200, "good", "gpt-4o-mini", "openai"), (answer.Status, answer.Text("label"), answer.Text("model"), answer.Text("provider")));
        Assert.Equal("""{"type":"object","properties":{"label":{"type":"string","enum":["good","bad"]}},"required":["label"],"additionalProperties":false}""", _host.Script.Calls.Single().Call.ResponseFormat!.Schema);
    }

    [Fact]
    public async Task Several_labels_are_those_asked_about_each_once()
    {
        Says("""{"labels": ["bad", "nonsense", "bad"]}""");

        Assert.Contains("\"labels\":[\"bad\"]", (await _host.PostAsync("/v1/classify", Many)).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(One, "good")]
    [InlineData(One, "{}")]
    [InlineData(One, """{"label": "nonsense"}""")]
    [InlineData(One, """{"label": 5}""")]
    [InlineData(One, """{"label": null}""")]
    [InlineData(One, """{"label": ["good"]}""")]
    [InlineData(One, """{"label": "\ud83d"}""")]
    [InlineData(Many, """{"labels": "good"}""")]
    [InlineData(Many, """{"labels": [5]}""")]
    public async Task An_answer_of_another_form_is_the_vendors_fault_and_not_the_clients(string body, string says)
    {
        Says(says);

        var answer = await _host.PostAsync("/v1/classify", body);

        Assert.Equal((502, "provider_answer_unfit"), (answer.Status, answer.Text("code")));
        Assert.Single(await _host.RowsAsync());
    }

    [Theory]
    [InlineData("""{"suggestions": "one"}""")]
    [InlineData("""{"suggestions": [1]}""")]
    [InlineData("[]")]
    public async Task Suggestions_of_another_form_are_the_vendors_fault(string says)
    {
        Says(says);

        Assert.Equal(502, (await _host.PostAsync("/v1/suggest", """{"text": "x", "model": "gpt-4o-mini"}""")).Status);
    }

    [Fact]
    public async Task No_more_suggestions_are_shown_than_were_asked_for()
    {
        Says("""{"suggestions": ["a", "", "b", "c", "d"]}""");

        Assert.Contains("\"suggestions\":[\"a\",\"b\"]", (await _host.PostAsync("/v1/suggest", """{"text": "x", "count": 2, "model": "gpt-4o-mini"}""")).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"labels": ["a", "b"]}""", "text")]
    [InlineData("""{"text": "", "labels": ["a", "b"]}""", "text")]
    [InlineData("""{"text": "x"}""", "labels")]
    [InlineData("""{"text": "x", "labels": ["a"]}""", "labels")]
    [InlineData("""{"text": "x", "labels": ["a", "a"]}""", "labels")]
    [InlineData("""{"text": "x", "labels": ["a", ""]}""", "labels[1]")]
    [InlineData("""{"text": "x", "labels": ["a", "b"], "multiple": 1}""", "multiple")]
    [InlineData("""{"text": "x", "labels": ["a", "b"], "label": 1}""", "label")]
    public async Task A_bad_request_names_its_field(string body, string field)
    {
        var answer = await _host.PostAsync("/v1/classify", body);

        Assert.Equal((400, field), (answer.Status, answer.Text("field")));
        Assert.Empty(_host.Script.Calls);
    }

    [Fact]
    public async Task Ai_answers_the_documented_way()
    {
        Says("Restart it.");

        var answer = await _host.PostAsync("/ai", """{"prompt": "It hangs.", "model": "fast"}""");

        Assert.Equal("""{"answer":"Restart it.","model":"fast","tokens":{"input":10,"output":5}}""", answer.Body);
        var call = _host.Script.Calls.Single();
        Assert.Equal(("You are a helpful DevOps assistant.", "It hangs.", 1024), (call.Call.Messages[0].Text(), call.Call.Messages[1].Text(), call.MaxOutputTokens!.Value));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"prompt": ""}""")]
    [InlineData("""{"prompt": null}""")]
    [InlineData("""{"model": "fast"}""")]
    public async Task Ai_without_a_prompt_says_exactly_that(string body)
    {
        var answer = await _host.PostAsync("/ai", body);

        Assert.Equal((400, """{"error":"prompt is required"}"""), (answer.Status, answer.Body));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("")]
    [InlineData("FAST")]
    [InlineData("text-embedding-3-small")]
    [InlineData("claude-haiku-4-5")]
    public async Task Ai_with_an_unknown_tier_is_answered_by_standard_and_says_so(string model)
    {
        var answer = await _host.PostAsync("/ai", $$"""{"prompt": "x", "model": "{{model}}"}""");

        Assert.Equal((200, "standard"), (answer.Status, answer.Text("model")));
        Assert.Equal("gpt-4.1", _host.Script.Calls.Single().Model);
    }

    [Fact]
    public async Task Ai_that_fails_is_500_and_tells_nothing()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new InvalidOperationException("secret detail"));

        var answer = await _host.PostAsync("/ai", """{"prompt": "x"}""");

        Assert.Equal(500, answer.Status);
        Assert.Matches("""^\{"error":"Penstock failed on this request\. Quote req_[0-9a-f]{24} when you report it\."\}$""", answer.Body);
    }

    [Fact]
    public async Task Embeddings_keep_their_order_and_are_booked()
    {
        _host.Script.Embed = call => new EmbedAnswer([.. call.Inputs.Select(input => new[] { float.Parse(input, System.Globalization.CultureInfo.InvariantCulture) })], call.Model, TokenCounts.Of(call.Inputs.Count, 0), false);

        var answer = await _host.PostAsync("/v1/embed", $$"""{"model": "text-embedding-3-small", "input": [{{string.Join(',', Enumerable.Range(0, 100).Select(i => $"\"{i}\""))}}]}""");

        Assert.Equal(Enumerable.Range(0, 100), answer.Json.GetProperty("embeddings").EnumerateArray().Select(vector => (int)vector[0].GetSingle()));
        var row = await _host.RowAsync();
        Assert.Equal(("embeddings", "/v1/embed", TokenCounts.Of(100, 0), 2_000), (row.Operation, row.Route, row.Tokens, row.Cost.NanoDollars));
    }

    [Fact]
    public async Task An_embedding_that_fails_is_booked_as_every_call()
    {
        _host.Script.Embed = _ => throw new ProviderException(ProviderFault.Limited, "slow", 429);
        Assert.Equal(429, (await _host.PostAsync("/v1/embeddings", """{"model": "text-embedding-3-small", "input": "x"}""")).Status);
        Assert.Equal((AttemptOutcome.ProviderFailed, "provider_rate_limited", 0L), ((await _host.RowAsync()).Outcome, (await _host.RowAsync()).Error, (await _host.RowAsync()).Tokens.Total));
    }

    [Fact]
    public async Task A_chat_model_embeds_nothing_and_an_embedding_model_does_not_chat()
    {
        Assert.Equal(400, (await _host.PostAsync("/v1/embeddings", """{"model": "gpt-4o", "input": "x"}""")).Status);
        Assert.Equal(400, (await _host.ChatAsync("text-embedding-3-small")).Status);
        Assert.Equal(403, (await _host.PostAsync("/v1/embeddings", """{"model": "text-embedding-3-small", "input": "x"}""", await _host.AddKeyAsync("chats", Scopes.Complete))).Status);
        Assert.Empty(await _host.RowsAsync());
    }

    private void Says(string text) => _host.Script.Chat = (_, _) => Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, text), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(10, 5), true)], Last: true));
}
