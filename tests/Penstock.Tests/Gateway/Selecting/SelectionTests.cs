using Microsoft.Extensions.DependencyInjection;
using Penstock.Gateway;
using Penstock.Gateway.Cache;
using Penstock.Gateway.Selecting;
using Penstock.Gateway.Wire;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Selecting;

public sealed class SelectionTests
{
    private const string Label = """{"type":"object","properties":{"label":{"type":"string","enum":["a","b"]}},"required":["label"],"additionalProperties":false}""";

    [Theory]
    [InlineData("Summarize this article: it is about a bug in a function", "summarise", "fast")]
    [InlineData("Please give me a summary of the following text", "summarise", "fast")]
    [InlineData("Extract all dates and amounts as JSON", "extract", "fast")]
    [InlineData("Classify the sentiment of: great!", "classify", "fast")]
    [InlineData("Here is my module:\n```python\nprint(1)\n```\nwhy does it fail?", "code", "standard")]
    [InlineData("Implement a queue in C#", "code", "standard")]
    [InlineData("Prove that the square root of 2 is irrational", "maths", "standard")]
    [InlineData("Think step by step about the trade-offs", "reason", "standard")]
    [InlineData("Hello, how are you?", "chat", "standard")]
    public void The_words_of_a_prompt_say_what_the_task_is(string prompt, string task, string tier)
    {
        var choice = Selection.Choose(Call(prompt), "/v1/chat/completions", null, new SelectionOptions());

        Assert.Equal((task, tier), (choice.Task, choice.Tier));
        Assert.StartsWith($"auto > {tier} (task {task} by ", choice.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_instruction_at_the_end_of_a_long_text_counts() =>
        Assert.Equal("summarise", Selection.Choose(Call(new string('x', 5000) + "\n\nSummarise the text above."), "/v1/complete", null, new SelectionOptions()).Task);

    [Fact]
    public void The_caller_goes_before_the_route_and_the_route_before_the_prompt()
    {
        var code = Call("Implement a queue in C#");

        Assert.Equal("classify", Selection.Choose(code, "/v1/classify", null, new SelectionOptions()).Task);
        Assert.Equal(("summarise", "auto > fast (task summarise named by the caller)"), Named(Selection.Choose(code, "/v1/classify", "summarise", new SelectionOptions())));
        Assert.Equal("task", Assert.Throws<RefusedException>(() => Selection.Choose(code, "/v1/complete", "juggle", new SelectionOptions())).Refusal.Field);

        static (string, string) Named(Choice choice) => (choice.Task, choice.Reason);
    }

    [Fact]
    public void What_a_call_needs_may_lift_it_to_another_tier()
    {
        var call = Call("Summarise this");
        var options = new SelectionOptions { FastInputTokens = 1000, FastImages = false };

        Assert.Equal("reasoning", Choose(call with { DialectOnly = ["reasoning_effort"] }));
        Assert.Equal("reasoning", Choose(call with { DialectOnly = ["thinking"] }));
        Assert.Equal("standard", Choose(call with { Tools = [new ToolDefinition("x", null, null)] }));
        Assert.Equal("fast", Selection.Choose(call with { Tools = [new ToolDefinition("x", null, null)] }, "/v1/complete", null, options with { FastTools = true }).Tier);
        Assert.Equal("standard", Choose(Call("Summarise this: " + new string('x', 5000))));
        Assert.Equal("standard", Choose(call with { Messages = [new ChatMessage(ChatRole.User, [new TextPart("Summarise this"), new ImagePart("https://x.org/a.png", null, null)])] }));
        Assert.Equal("fast", Choose(call));

        string Choose(ChatCall asked) => Selection.Choose(asked, "/v1/complete", null, options).Tier;
    }

    [Theory]
    [InlineData("The water turbine report says pressure fell.", null)]
    [InlineData("", "it was empty")]
    [InlineData("No.", "it was too short")]
    [InlineData("I cannot help with that turbine report.", "it declined")]
    [InlineData("I'm sorry, but the water turbine report is long.", "it declined")]
    [InlineData("Once upon another time seven dragons slept.", "it was about something else")]
    public void A_summary_is_held_against_its_text(string answer, string? problem) =>
        Assert.Equal(problem, QualityCheck.Problem(SelectionOptions.Shipped["summarise"].Check!, Call("Summarise: the water turbine report says that pressure fell on Tuesday"), Fold(answer)));

    [Theory]
    [InlineData("""{"label": "a"}""", null)]
    [InlineData("""{"label": "c"}""", "it did not fit its schema")]
    [InlineData("""{"label": 1}""", "it did not fit its schema")]
    [InlineData("""{}""", "it did not fit its schema")]
    [InlineData("""{"label": "a", "more": 1}""", "it did not fit its schema")]
    [InlineData("""{"label": "a" """, "it was no JSON")]
    [InlineData("""["a"]""", "it did not fit its schema")]
    public void An_answer_with_a_schema_must_fit_it(string answer, string? problem) =>
        Assert.Equal(problem, QualityCheck.Problem(new CheckSettings(), Call("x") with { ResponseFormat = new ResponseFormat("l", Label) }, Fold(answer)));

    [Fact]
    public void A_cut_or_filtered_answer_fails_and_a_tool_call_passes()
    {
        Assert.Equal("it was cut off", QualityCheck.Problem(new CheckSettings(), Call("x"), Fold("some text", FinishReason.Length)));
        Assert.Equal("it declined", QualityCheck.Problem(new CheckSettings(), Call("x"), Fold("some text", FinishReason.ContentFilter)));
        Assert.Equal("it was too long", QualityCheck.Problem(new CheckSettings { MostWords = 1 }, Call("x"), Fold("some text")));
        var called = Fold("");
        called.Add(new ToolCallStarted(0, 0, "t", "x"));
        Assert.Null(QualityCheck.Problem(new CheckSettings(), Call("x"), called));
    }

    [Fact]
    public async Task A_choice_is_explained_in_a_header_and_in_the_ledger()
    {
        await using var host = await GatewayHost.StartAsync();

        var answer = await host.ChatAsync("auto", stream: true, prompt: "Summarise: the water turbine");

        Assert.Equal(("auto > fast (task summarise by its first words)", "gpt-4.1-mini"), (answer.Headers["x-penstock-route"], answer.Headers["x-penstock-model"]));
        var row = await host.RowAsync();
        Assert.Equal(("auto", "gpt-4.1-mini", answer.Headers["x-penstock-route"]), (row.RequestedModel, row.Model, row.Decision));
        Assert.False((await host.ChatAsync("gpt-4o-mini")).Headers.ContainsKey("x-penstock-route"));
    }

    [Fact]
    public async Task A_poor_answer_is_asked_again_of_standard_and_both_are_booked()
    {
        await using var host = await GatewayHost.StartAsync();
        host.Script.Chat = (call, _) => Answer(call.Model == "gpt-4.1-mini" ? "I cannot do that." : "The water turbine turns.");

        var answer = await AskAsync();

        Assert.Equal((200, "The water turbine turns.", "gpt-4.1"), (answer.Status, answer.Text("content"), answer.Headers["x-penstock-model"]));
        Assert.Equal("auto > fast (task summarise by its first words); vetoed, it declined > standard", answer.Headers["x-penstock-route"]);
        var rows = (await host.RowsAsync()).Where(row => row.Request.Value == answer.RequestId).ToArray();
        Assert.Equal(["gpt-4.1", "gpt-4.1-mini"], rows.Select(row => row.Model).Order());
        Assert.Equal(rows.Sum(row => row.Cost.Usd), decimal.Parse(answer.Headers["x-penstock-cost-usd"], System.Globalization.CultureInfo.InvariantCulture));
        Assert.Contains(rows, row => row.Decision == answer.Headers["x-penstock-route"] && row.Model == "gpt-4.1");
        // It is not kept under the small model's name.
        await GatewayHost.UntilAsync(() => host.Services.GetRequiredService<Flights>().Count == 0);
        Assert.Equal("miss", (await AskAsync()).Headers["x-penstock-cache"]);

        Task<Answer> AskAsync() => host.SendAsync(HttpMethod.Post, "/v1/complete", """{"model": "auto", "messages": [{"role": "user", "content": "Summarise: the water turbine turns"}]}""", GatewayHost.OperatorKey, ("x-penstock-cache", "on"));
    }

    [Fact]
    public async Task A_poor_answer_is_better_than_none()
    {
        await using var host = await GatewayHost.StartAsync();
        host.Script.Chat = (call, _) => call.Model == "gpt-4.1-mini" ? Answer("I cannot do that.") : Frames.Then(new ProviderException(ProviderFault.Broken, "down"));

        var answer = await host.ChatAsync("auto", prompt: "Summarise: the water turbine");

        Assert.Equal((200, "gpt-4.1-mini"), (answer.Status, answer.Headers["x-penstock-model"]));
        Assert.Equal(2, (await host.RowsAsync()).Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Where_nobody_of_the_small_tier_answers_standard_does_and_the_decision_says_so(bool stream)
    {
        await using var host = await GatewayHost.StartAsync();
        host.Script.Chat = (call, _) => call.Model == "gpt-4.1-mini" ? Frames.Then(new ProviderException(ProviderFault.Broken, "down")) : Answer("I cannot do that.");

        var answer = await host.ChatAsync("auto", stream, prompt: "Summarise: the water turbine");

        const string Decision = "auto > fast (task summarise by its first words); fallback from openai/gpt-4.1-mini: provider_failed > standard";
        Assert.Equal((200, "gpt-4.1", Decision), (answer.Status, answer.Headers["x-penstock-model"], answer.Headers["x-penstock-route"]));
        // What standard says is not checked, and so not asked for again.
        Assert.Equal(["gpt-4.1-mini", "gpt-4.1"], host.Script.Calls.Select(call => call.Model));
        Assert.Contains(await host.RowsAsync(), row => row.Decision == Decision && row.Model == "gpt-4.1" && row.RequestedModel == "auto");
    }

    [Fact]
    public async Task A_small_tier_whose_circuits_are_open_is_passed_over_for_standard()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"routing": {"retries": 0}}""");
        host.Script.Chat = (call, _) => call.Model == "gpt-4.1-mini" ? Frames.Then(new ProviderException(ProviderFault.Broken, "down")) : Answer("The water turbine turns.");
        for (var i = 0; i < 5; i++) Assert.Equal(502, (await host.ChatAsync("fast")).Status);
        Assert.Equal(503, (await host.ChatAsync("fast")).Status);
        var before = host.Script.Calls.Count;

        var answer = await host.ChatAsync("auto", prompt: "Summarise: the water turbine");

        Assert.Equal((200, "auto > fast (task summarise by its first words); fallback from openai/gpt-4.1-mini: target_unavailable > standard"), (answer.Status, answer.Headers["x-penstock-route"]));
        Assert.Equal(before + 1, host.Script.Calls.Count);
        // A client that named the tier gets that tier.
        Assert.Equal(503, (await host.ChatAsync("fast")).Status);
    }

    [Fact]
    public async Task Where_standard_may_not_be_used_or_fails_too_the_client_hears_of_it()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"selection": {"standard": "nowhere"}}""");
        host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Broken, "down"));
        Assert.Equal(502, (await host.ChatAsync("auto", prompt: "Summarise this")).Status);
        Assert.Single(host.Script.Calls);

        await using var other = await GatewayHost.StartAsync();
        other.Script.Chat = host.Script.Chat;
        Assert.Equal(502, (await other.ChatAsync("auto", prompt: "Summarise this")).Status);
        Assert.Equal(2, other.Script.Calls.Count);
    }

    [Fact]
    public async Task Rules_are_configured_and_a_key_needs_the_name_it_asks_for()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"selection": {"names": ["smart"], "tasks": {"chat": {"tier": "fast"}, "legal": {"tier": "reasoning"}, "summarise": {"qualityCheck": false}}}}""");
        var key = await host.AddKeyAsync("narrow", change: record => record with { Models = ["smart"] });

        Assert.Equal("gpt-4.1-mini", (await host.ChatAsync("smart", key: key)).Headers["x-penstock-model"]);
        Assert.Equal("o4-mini", (await host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat("smart"), key, ("x-penstock-task", "legal"))).Headers["x-penstock-model"]);
        Assert.Equal(403, (await host.ChatAsync("fast", key: key)).Status);
        Assert.Equal(404, (await host.ChatAsync("auto")).Status);
        host.Script.Chat = (_, _) => Answer("I cannot do that.");
        Assert.Equal("gpt-4.1-mini", (await host.ChatAsync("smart", prompt: "Summarise this")).Headers["x-penstock-model"]);
    }

    private static IAsyncEnumerable<ProviderFrame> Answer(string text) => Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, text), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(100, 50), true)], Last: true));

    private static ChatCall Call(string prompt) => new() { Dialect = Dialect.Native, Model = "auto", Messages = [new ChatMessage(ChatRole.User, [new TextPart(prompt)])] };

    private static AnswerFold Fold(string text, FinishReason reason = FinishReason.Stop)
    {
        var fold = new AnswerFold();
        fold.Add(new TextDelta(0, text));
        fold.Add(new Finished(0, reason));
        return fold;
    }
}
