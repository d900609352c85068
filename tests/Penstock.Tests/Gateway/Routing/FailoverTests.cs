using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Budgets;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Routing;

/// <summary>A call whose target fails is answered by the next, once, in one piece and paid once.</summary>
public sealed class FailoverTests : IAsyncLifetime
{
    private const string First = "gpt-4o-mini";
    private const string Second = "claude-haiku-4-5";
    private const string Config = """
        {
          "models": {
            "pair": { "targets": ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"] },
            "dear": { "targets": ["openai/gpt-4o-mini", "openai/gpt-4"] },
            "trio": { "targets": ["openai/gpt-4o-mini", "openai/gpt-4.1", "openai/gpt-4o"] },
            "gpt-4.1-nano": { "fallbacks": ["anthropic/claude-haiku-4-5"] }
          },
          "routing": { "retries": 0 },
          "limits": { "burst": 10000, "requestsPerSecond": 10000 }
        }
        """;

    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await GatewayHost.StartAsync(config: Config, environment: [("ANTHROPIC_API_KEY", "k")]);
        Assert.Equal(200, (await _host.SendAsync(HttpMethod.Put, "/v1/usage/budget", """{"scope": "tenant", "limit": 1000000}""")).Status);
    }

    public async ValueTask DisposeAsync()
    {
        await GatewayHost.UntilAsync(() => _host.Script.Open == 0, "a vendor's answer was never left");
        var budgets = (await _host.GetAsync("/v1/usage/budget")).Json.GetProperty("budgets").EnumerateArray().ToArray();
        Assert.NotEmpty(budgets);
        Assert.All(budgets, budget => Assert.Equal(0, budget.GetProperty("held").GetDecimal()));
        await _host.DisposeAsync();
    }

    public static TheoryData<ProviderFault, int?, string> Passing() => new()
    {
        { ProviderFault.Limited, 429, "provider_rate_limited" },
        { ProviderFault.Overloaded, 529, "provider_overloaded" },
        { ProviderFault.Broken, 500, "provider_failed" },
        { ProviderFault.Unreachable, null, "provider_unreachable" },
        { ProviderFault.TimedOut, 504, "provider_timed_out" },
        { ProviderFault.ModelUnknown, 404, "model_not_found" },
        { ProviderFault.Unauthorized, 401, "provider_unauthorized" },
        { ProviderFault.QuotaSpent, 402, "provider_quota_spent" },
    };

    [Theory]
    [MemberData(nameof(Passing))]
    public async Task What_another_target_can_mend_is_answered_by_the_next(ProviderFault fault, int? status, string code)
    {
        foreach (var stream in new[] { false, true })
        {
            await using var host = await GatewayHost.StartAsync(config: Config, environment: [("ANTHROPIC_API_KEY", "k")]);
            host.Script.Chat = (call, _) => call.Model == First ? Frames.Then(new ProviderException(fault, "no", status)) : stream ? Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5))) : Frames.Of(Whole("Hello"));

            var answer = await host.ChatAsync("pair", stream);

            Assert.True(answer.Status == 200, answer.Body);
            Assert.Contains("Hello", answer.Body, StringComparison.Ordinal);
            Assert.Equal(("anthropic", Second, $"fallback from openai/{First}: {code}"), (answer.Headers["x-penstock-provider"], answer.Headers["x-penstock-model"], answer.Headers["x-penstock-route"]));
            var rows = await host.RowsAsync();
            Assert.Equal([(Second, AttemptOutcome.Completed, $"fallback from openai/{First}: {code}"), (First, AttemptOutcome.ProviderFailed, (string?)null)], rows.OrderBy(row => row.Outcome).Select(row => (row.Model, row.Outcome, row.Decision)));
            Assert.Equal((2, 1, 1), (rows.Select(row => row.Attempt).Distinct().Count(), rows.Select(row => row.Request).Distinct().Count(), rows.Count(row => row.Cost > Money.Zero)));
            Assert.Equal(answer.RequestId, rows[0].Request.Value);
        }
    }

    [Fact]
    public async Task A_request_at_fault_is_told_so_and_no_other_target_is_asked()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Rejected, "too long", 400));

        Assert.Equal(400, (await _host.ChatAsync("pair")).Status);
        Assert.Single(_host.Script.Calls);
    }

    /// <summary>
    /// github.com/BerriAI/litellm/pull/32835, github.com/BerriAI/litellm/pull/38606: a target that failed behind its first frame was asked again, or another in its place, and the
    /// client got two beginnings.
    /// </summary>
    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/messages")]
    [InlineData("/v1/stream")]
    public async Task Fallback_after_the_first_frame_leaks_half_a_stream(string path)
    {
        _host.Script.Chat = (call, _) => call.Model == First
            ? Frames.Then(new ProviderException(ProviderFault.Overloaded, "busy"), Chunk("""{"id":"first","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}""", new AnswerStarted("first", First)), Frames.Usage(TokenCounts.Of(10, 0), final: false))
            : Frames.Of(Event("message_start", """{"type":"message_start","message":{"id":"second"}}""", new AnswerStarted("second", Second)), Event("ping", """{"type":"ping"}"""), Event("content_block_delta", """{"type":"content_block_delta","delta":{"text":"Hello"}}""", new TextDelta(0, "Hello")), End());

        var answer = await _host.PostAsync(path, Body("pair", path));

        Assert.Equal(200, answer.Status);
        Assert.DoesNotContain("first", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("busy", answer.Body, StringComparison.Ordinal);
        Assert.Contains("Hello", answer.Body, StringComparison.Ordinal);
        var (begin, end) = path switch { "/v1/messages" => ("event: message_start", "event: message_stop"), "/v1/stream" => ("\"start\"", "[DONE]"), _ => ("\"role\":\"assistant\"", "[DONE]") };
        Assert.Equal((2, 2), (answer.Body.Split(begin).Length, answer.Body.Split(end).Length));
        if (path == "/v1/messages") Assert.Contains("event: ping\ndata: {\"type\":\"ping\"}", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Behind_its_first_content_a_failure_is_an_error_and_nobody_else_is_asked()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Overloaded, "busy"), Frames.Text("Hello"));

        var answer = await _host.ChatAsync("pair", stream: true);

        Assert.Equal((200, 1), (answer.Status, _host.Script.Calls.Count));
        Assert.Contains("Hello", answer.Body, StringComparison.Ordinal);
        Assert.EndsWith("""{"error":{"message":"busy","type":"server_error","param":null,"code":"provider_overloaded"}}""" + "\n\n", answer.Body, StringComparison.Ordinal);
        Assert.Equal(First, answer.Headers["x-penstock-model"]);
    }

    [Fact]
    public async Task If_all_fail_the_client_is_told_when_to_come_back()
    {
        _host.Script.Chat = (call, _) => Frames.Then(call.Model == First ? new ProviderException(ProviderFault.Unauthorized, "no", 401) : new ProviderException(ProviderFault.Limited, "slow down", 429, retryAfter: TimeSpan.FromSeconds(9)));

        var answer = await _host.ChatAsync("pair");

        Assert.Equal((429, "9", "slow down"), (answer.Status, answer.Headers["Retry-After"], answer.Text("error", "message")));
        Assert.Equal(2, (await _host.RowsAsync()).Count);
    }

    [Fact]
    public async Task A_vendors_own_name_may_have_fallbacks_and_its_full_name_has_none_of_them()
    {
        _host.Script.Chat = (call, _) => call.Model == Second ? Frames.Of(Whole("Hello")) : Frames.Then(new ProviderException(ProviderFault.Broken, "no", 500));

        Assert.Equal((200, "anthropic"), ((await _host.ChatAsync("gpt-4.1-nano")) is var answer ? (answer.Status, answer.Headers["x-penstock-provider"]) : default));
        Assert.Equal(502, (await _host.ChatAsync("openai/gpt-4.1-nano")).Status);
    }

    [Fact]
    public async Task What_cannot_cross_to_one_target_goes_to_the_next_and_is_refused_where_it_can_cross_to_none()
    {
        _host.Script.Objects = call => call.Model == First ? Refusal.CannotCross("seed", "openai") : null;
        _host.Script.Chat = (_, _) => Frames.Of(Whole("Hello"));
        var answer = await _host.ChatAsync("pair");
        Assert.Equal(("anthropic", $"fallback from openai/{First}: unsupported_by_target"), (answer.Headers["x-penstock-provider"], answer.Headers["x-penstock-route"]));

        _host.Script.Objects = call => Refusal.CannotCross(call.Model, "any");
        Assert.Equal((400, First), ((await _host.ChatAsync("pair")) is var refused ? (refused.Status, refused.Text("error", "param")) : default));

        // One behind the first is skipped when its turn comes.
        _host.Script.Objects = call => call.Model == Second ? Refusal.CannotCross("seed", "anthropic") : null;
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Broken, "no", 500));
        Assert.Equal(502, (await _host.ChatAsync("pair")).Status);
        Assert.DoesNotContain(_host.Script.Calls.Skip(1), call => call.Model == Second);
    }

    [Fact]
    public async Task A_keys_list_of_models_counts_for_fallbacks_too()
    {
        var key = await _host.AddKeyAsync("listed", Scopes.Complete, record => record with { Models = ["openai/gpt-4o-mini"] });
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Broken, "no", 500));

        Assert.Equal(502, (await _host.ChatAsync("pair", key: key)).Status);
        Assert.Equal([First], _host.Script.Calls.Select(call => call.Model));
    }

    [Fact]
    public async Task A_callers_own_key_goes_to_the_first_targets_provider_and_to_no_other()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.QuotaSpent, "no", 402));

        var answer = await _host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat("pair"), GatewayHost.OperatorKey, ("x-penstock-provider-key", "sk-mine"));

        Assert.Equal(502, answer.Status);
        Assert.Equal([First], _host.Script.Calls.Select(call => call.Model));
        _host.Script.Chat = (_, _) => Frames.Of(Whole("Hello"));
        Assert.Equal("openai", (await _host.ChatAsync("pair")).Headers["x-penstock-provider"]);
    }

    [Fact]
    public async Task A_fallback_that_the_budget_does_not_cover_is_402_and_holds_nothing()
    {
        var key = await _host.AddKeyAsync("poor", Scopes.Complete, record => record with { MonthlyBudget = new Money(1_000_000) });
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Broken, "no", 500));

        var answer = await _host.PostAsync("/v1/chat/completions", """{"model": "dear", "max_completion_tokens": 1000, "messages": [{"role": "user", "content": "x"}]}""", key);

        Assert.Equal((402, 1), (answer.Status, _host.Script.Calls.Count));
        Assert.Equal([(First, 0L)], (await _host.RowsAsync()).Select(row => (row.Model, row.Cost.NanoDollars)));
        Assert.Equal(0, await HeldAsync("poor", 1_000_000));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Limits_are_taken_once_for_all_attempts_and_count_what_each_used(bool stream)
    {
        var key = await _host.AddKeyAsync("limited", Scopes.Complete, record => record with { Concurrency = 1, TokensPerMinute = 10_000, RequestsPerSecond = 1000, Burst = 1000 });
        _host.Script.Chat = (call, _) => call.Model switch
        {
            First => Frames.Then(new ProviderException(ProviderFault.Broken, "no"), Frames.Usage(TokenCounts.Of(100, 7), final: true)),
            "gpt-4.1" => Frames.Then(new ProviderException(ProviderFault.Overloaded, "no", 529)),
            _ => stream ? Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5))) : Frames.Of(Whole("Hello")),
        };

        var answer = await _host.ChatAsync("trio", stream, key);

        Assert.Equal((200, 3), (answer.Status, _host.Script.Calls.Count));
        _host.Advance(TimeSpan.FromTicks(1));
        var next = await _host.ChatAsync("gpt-4o", key: key);
        // 122 of the request before, and 15 of this one.
        Assert.Equal((200, "9863"), (next.Status, next.Headers["x-ratelimit-remaining-tokens"]));
    }

    [Fact]
    public async Task An_attempt_that_may_have_worked_is_booked_at_its_ceiling_and_the_fallback_beside_it()
    {
        _host.Script.Chat = (call, _) => call.Model == First ? Frames.Then(new ProviderException(ProviderFault.TimedOut, "silent")) : Frames.Of(Whole("Hello"));

        Assert.Equal(200, (await _host.ChatAsync("pair")).Status);

        Assert.All(await _host.RowsAsync(), row => Assert.True(row.Cost > Money.Zero));
    }

    [Fact]
    public async Task Counts_go_over_the_plan_too()
    {
        _host.Script.Count = call => call.Model == First ? throw new ProviderException(ProviderFault.Broken, "no", 500) : new TokenCount(9, true);
        var answer = await _host.PostAsync("/v1/messages/count_tokens", """{"model": "pair", "messages": [{"role": "user", "content": "x"}]}""");
        Assert.Equal((200, 9), (answer.Status, answer.Json.GetProperty("input_tokens").GetInt32()));

        _host.Script.Count = call => throw new ProviderException(ProviderFault.Overloaded, call.Model, 529);
        answer = await _host.PostAsync("/v1/messages/count_tokens", """{"model": "pair", "messages": [{"role": "user", "content": "x"}]}""");
        Assert.Equal((529, First), (answer.Status, answer.Text("error", "message")));
        Assert.Empty(await _host.RowsAsync());
    }

    /// <summary>What a caller can pay cuts their own answer short, and nobody else's.</summary>
    [Theory]
    [InlineData("off", 200)]
    [InlineData("on", 402)]
    public async Task A_fallback_that_others_wait_for_is_not_cut_down_to_what_its_caller_can_pay(string cache, int status)
    {
        var key = await _host.AddKeyAsync("modest", Scopes.Complete, record => record with { MonthlyBudget = new Money(50_000_000) });
        _host.Script.Chat = (call, _) => call.Model == First ? Frames.Then(new ProviderException(ProviderFault.Broken, "no", 500)) : Frames.Of(Whole("Hello"));

        var answer = await _host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat("dear"), key, ("x-penstock-cache", cache));

        Assert.True(status == answer.Status, answer.Body);
        if (status == 200) Assert.InRange(_host.Script.Calls.Last().MaxOutputTokens!.Value, 64, 900);
    }

    [Fact]
    public async Task Embeddings_go_over_the_plan_too()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"models": {"vectors": {"targets": ["openai/text-embedding-3-small", "openai/text-embedding-3-large"]}}, "routing": {"retries": 0}}""");
        host.Script.Embed = call => call.Model.EndsWith("small", StringComparison.Ordinal) ? throw new ProviderException(ProviderFault.Broken, "no", 500) : new EmbedAnswer([[0.5f]], call.Model, TokenCounts.Of(1, 0), false);

        var answer = await host.PostAsync("/v1/embeddings", """{"model": "vectors", "input": "x"}""");

        Assert.Equal((200, "text-embedding-3-large"), (answer.Status, answer.Headers["x-penstock-model"]));
        Assert.Equal(2, (await host.RowsAsync()).Count);
    }

    [Fact]
    public async Task An_answer_of_a_fallback_is_not_kept_as_the_first_targets()
    {
        await using var host = await GatewayHost.StartAsync(config: Config.Replace("\"routing\"", "\"cache\": { \"default\": \"on\" }, \"routing\"", StringComparison.Ordinal), environment: [("ANTHROPIC_API_KEY", "k")]);
        host.Script.Chat = (call, _) => call.Model == First ? Frames.Then(new ProviderException(ProviderFault.Broken, "no", 500)) : Frames.Of(Whole("Hello"));
        Assert.Equal("anthropic", (await host.ChatAsync("pair")).Headers["x-penstock-provider"]);

        host.Script.Chat = (_, _) => Frames.Of(Whole("Hello"));
        var second = await host.ChatAsync("pair");

        Assert.Equal(("openai", "miss"), (second.Headers["x-penstock-provider"], second.Headers["x-penstock-cache"]));
        await GatewayHost.UntilAsync(() => host.Services.GetRequiredService<Penstock.Gateway.Cache.Flights>().Count == 0);
        Assert.Equal("hit", (await host.ChatAsync("pair")).Headers["x-penstock-cache"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_waits_for_the_same_answer_gets_the_fallbacks_and_is_booked_as_served(bool fails)
    {
        await using var host = await GatewayHost.StartAsync(config: Config.Replace("\"routing\"", "\"cache\": { \"default\": \"on\" }, \"routing\"", StringComparison.Ordinal), environment: [("ANTHROPIC_API_KEY", "k")]);
        var gate = new TaskCompletionSource();
        host.Script.Chat = (call, _) => call.Model == First ? LateFailure(gate.Task) : fails ? Frames.Then(new ProviderException(ProviderFault.CutShort, "cut"), Frames.Text("Hello")) : Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5)));
        var asked = Enumerable.Range(0, 8).Select(_ => Task.Run(() => host.ChatAsync("pair", stream: true))).ToArray();
        await GatewayHost.UntilAsync(() => host.Services.GetRequiredService<Penstock.Gateway.Cache.Flights>().Followers == 7);
        gate.SetResult();

        var answers = await Task.WhenAll(asked);

        Assert.All(answers, answer => Assert.Equal((200, answers[0].Body), (answer.Status, answer.Body)));
        Assert.Equal(2, host.Script.Calls.Count);
        var rows = await host.RowsAsync();
        Assert.Equal((9, 8), (rows.Count, rows.Select(row => row.Request).Distinct().Count()));
        Assert.Equal(7, rows.Count(row => row.Outcome == (fails ? AttemptOutcome.CutShort : AttemptOutcome.Cached) && row.Cost == Money.Zero));
        Assert.DoesNotContain(rows, row => row.Error == "internal_error");
    }

    private static async IAsyncEnumerable<ProviderFrame> LateFailure(Task gate)
    {
        await gate;
        foreach (var none in Array.Empty<ProviderFrame>()) yield return none;
        throw new ProviderException(ProviderFault.Overloaded, "busy", 529);
    }

    private static ProviderFrame Whole(string text) => new(null, default, [new AnswerStarted("a", "m"), new TextDelta(0, text), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(10, 5), Final: true)], Last: true);

    private static ProviderFrame Chunk(string json, params ChatUpdate[] updates) => new(null, Encoding.UTF8.GetBytes(json), updates);

    private static ProviderFrame Event(string name, string json, params ChatUpdate[] updates) => new(name, Encoding.UTF8.GetBytes(json), updates);

    private static ProviderFrame End() => new("message_stop", """{"type":"message_stop"}"""u8.ToArray(), [new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(10, 5), Final: true)], Last: true);

    private static string Body(string model, string path) => path == "/v1/messages"
        ? $$"""{"model": "{{model}}", "max_tokens": 50, "stream": true, "messages": [{"role": "user", "content": "x"}]}"""
        : $$"""{"model": "{{model}}", "stream": true, "messages": [{"role": "user", "content": "x"}]}""".Replace(path == "/v1/stream" ? "\"stream\": true, " : "\0", "", StringComparison.Ordinal);

    private async Task<long> HeldAsync(string key, long limit)
    {
        var budget = Budget.OfKey(TenantId.Default, new KeyId(key), new Money(limit));
        var status = await _host.Services.GetRequiredService<IBudgetStore>().StatusAsync(TenantId.Default, [new BudgetScope(BudgetScopeKind.Key, key)], [budget], _host.Time.GetUtcNow(), Ct);
        return Assert.Single(status).Held.NanoDollars;
    }
}
