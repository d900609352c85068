using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Budgets;
using Penstock.Gateway;
using Penstock.Gateway.Cache;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Cache;

/// <summary>An answer that was given before is given again, byte for byte and at no cost, and only to whoever asked exactly that.</summary>
public sealed class CacheTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("/v1/chat/completions", false)]
    [InlineData("/v1/chat/completions", true)]
    [InlineData("/v1/messages", false)]
    [InlineData("/v1/messages", true)]
    [InlineData("/v1/complete", false)]
    [InlineData("/v1/complete", true)]
    [InlineData("/v1/stream", true)]
    public async Task A_hit_is_the_first_answer_byte_for_byte(string path, bool stream)
    {
        var body = Body(path, stream);

        var first = await SendAsync(body, path);
        _host.Advance(TimeSpan.FromSeconds(7));
        var second = await SendAsync(body, path);

        Assert.Equal((200, 200, "miss", "hit"), (first.Status, second.Status, Said(first), Said(second)));
        Assert.Equal(first.Body, second.Body);
        Assert.Equal("7", second.Headers["Age"]);
        Assert.False(first.Headers.ContainsKey("Age"));
        Assert.NotEqual(first.RequestId, second.RequestId);
        foreach (var name in new[] { "Content-Type", "Cache-Control", "x-accel-buffering", "x-penstock-provider", "x-penstock-model", "Transfer-Encoding" })
            Assert.Equal(first.Headers.GetValueOrDefault(name), second.Headers.GetValueOrDefault(name));
        Assert.Single(_host.Script.Calls);
    }

    [Theory]
    [InlineData("/v1/embeddings", """{"model": "text-embedding-3-small", "input": ["a", "b"]}""")]
    [InlineData("/v1/embed", """{"input": "a"}""")]
    [InlineData("/ai", """{"prompt": "hello", "model": "gpt-4o-mini"}""")]
    [InlineData("/v1/classify", """{"text": "hello", "labels": ["Hello", "Bye"], "model": "gpt-4o-mini"}""")]
    [InlineData("/v1/suggest", """{"text": "hello", "model": "gpt-4o-mini"}""")]
    public async Task Every_route_that_asks_a_model_has_it(string path, string body)
    {
        var embeds = 0;
        _host.Script.Embed = call =>
        {
            embeds++;
            return new EmbedAnswer([.. call.Inputs.Select(_ => new[] { 0.5f })], call.Model, TokenCounts.Of(call.Inputs.Count, 0), false);
        };
        _host.Script.Chat = (_, _) => Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, path == "/v1/suggest" ? """{"suggestions": ["a"]}""" : """{"label": "Hello"}"""), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(10, 5), true)], Last: true));

        var first = await SendAsync(body, path);
        var second = await SendAsync(body, path);

        Assert.True((200, "miss", "hit") == (first.Status, Said(first), Said(second)), $"{first.Status} {first.Body}");
        Assert.Equal(first.Body, second.Body);
        Assert.Equal("0", second.Headers["x-penstock-cost-usd"]);
        Assert.Equal(1, _host.Script.Calls.Count + embeds);
    }

    [Fact]
    public async Task It_is_off_unless_asked_for()
    {
        var first = await _host.ChatAsync();
        var second = await _host.ChatAsync();
        var off = await SendAsync(GatewayHost.Chat(), cache: "off");

        Assert.All([first, second, off], answer => Assert.False(answer.Headers.ContainsKey("x-penstock-cache")));
        Assert.Equal(3, _host.Script.Calls.Count);
        Assert.Equal(400, (await SendAsync(GatewayHost.Chat(), cache: "yes")).Status);
    }

    [Fact]
    public async Task Configuration_may_ask_for_it_and_a_request_may_decline()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"cache": {"default": "on"}}""");

        Assert.Equal("miss", Said(await KeptAsync(host, await host.ChatAsync())));
        Assert.Equal("hit", Said(await host.ChatAsync()));
        Assert.False((await host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat(), GatewayHost.OperatorKey, ("x-penstock-cache", "off"))).Headers.ContainsKey("x-penstock-cache"));
    }

    [Fact]
    public async Task Regression_cache_hit_billed()
    {
        var key = await _host.AddKeyAsync("payer", change: record => record with { MonthlyBudget = Money.FromUsd(1) });
        await SendAsync(GatewayHost.Chat(), key: key);
        var cost = (await _host.RowAsync()).Cost;

        for (var i = 0; i < 3; i++) Assert.Equal("hit", Said(await SendAsync(GatewayHost.Chat(), key: key)));

        var rows = await _host.RowsAsync();
        Assert.Equal(4, rows.Count);
        Assert.True(cost > Money.Zero);
        Assert.Equal(cost.NanoDollars, rows.Sum(row => row.Cost.NanoDollars));
        foreach (var hit in rows.Where(row => row.Outcome == AttemptOutcome.Cached))
        {
            Assert.Equal((Money.Zero, TokenCounts.Of(10, 5), "openai", "gpt-4o-mini", "payer", null), (hit.Cost, hit.Tokens, hit.Provider, hit.Model, hit.Key.Value, hit.Error));
        }

        Assert.Equal(3, rows.Count(row => row.Outcome == AttemptOutcome.Cached));
        Assert.Equal(4, rows.Select(row => row.Attempt).Distinct().Count());
        var status = Assert.Single(await _host.Services.GetRequiredService<IBudgetStore>().StatusAsync(TenantId.Default, [new BudgetScope(BudgetScopeKind.Key, "payer")], [Monthly("payer")], _host.Time.GetUtcNow(), TestContext.Current.CancellationToken));
        Assert.Equal((cost, Money.Zero), (status.Spent, status.Held));
        var saved = (cost.Usd * 3).ToString(CultureInfo.InvariantCulture).TrimEnd('0');
        var metrics = (await _host.GetAsync("/metrics", key: null)).Body;
        Assert.Contains("penstock_cache_requests_total{result=\"hit\"} 3\n", metrics, StringComparison.Ordinal);
        Assert.Contains(metrics.Split('\n'), line => line.StartsWith("penstock_cache_saved_total ", StringComparison.Ordinal) && Math.Abs(double.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture) - double.Parse(saved, CultureInfo.InvariantCulture)) < 1e-12);
    }

    [Fact]
    public async Task A_spent_budget_still_reads_what_costs_nothing()
    {
        await SendAsync(GatewayHost.Chat("gpt-4"));
        var poor = await _host.AddKeyAsync("poor", change: record => record with { MonthlyBudget = new Money(1) });

        Assert.Equal("hit", Said(await SendAsync(GatewayHost.Chat("gpt-4"), key: poor)));
        Assert.Equal(402, (await SendAsync(GatewayHost.Chat("gpt-4", prompt: "another"), key: poor)).Status);
    }

    [Fact]
    public async Task A_hit_takes_from_the_rate_limit()
    {
        var slow = await _host.AddKeyAsync("slow", change: record => record with { RequestsPerSecond = 1, Burst = 2 });
        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat(), key: slow)));
        Assert.Equal("hit", Said(await SendAsync(GatewayHost.Chat(), key: slow)));

        Assert.Equal(429, (await SendAsync(GatewayHost.Chat(), key: slow)).Status);
    }

    [Fact]
    public async Task Regression_cross_tenant_cache_hit()
    {
        var acme = await _host.AddKeyAsync("acme1", change: record => record with { Tenant = new TenantId("acme") });
        var rival = await _host.AddKeyAsync("rival1", change: record => record with { Tenant = new TenantId("rival") });
        var other = await _host.AddKeyAsync("acme2", change: record => record with { Tenant = new TenantId("acme") });
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text($"answer {_host.Script.Calls.Count}"), Frames.End(TokenCounts.Of(1, 1)));

        var first = await SendAsync(GatewayHost.Chat(stream: true), key: acme);
        var second = await SendAsync(GatewayHost.Chat(stream: true), key: rival);
        var third = await SendAsync(GatewayHost.Chat(stream: true), key: other);

        Assert.Equal(("miss", "miss", "hit"), (Said(first), Said(second), Said(third)));
        Assert.Contains("answer 2", second.Body, StringComparison.Ordinal);
        Assert.Equal(first.Body, third.Body);
    }

    [Fact]
    public async Task A_key_reads_no_answer_of_a_model_it_may_not_use()
    {
        await SendAsync(GatewayHost.Chat("gpt-4"));
        var listed = await _host.AddKeyAsync("listed", change: record => record with { Models = ["gpt-4o-mini"] });

        Assert.Equal(403, (await SendAsync(GatewayHost.Chat("gpt-4"), key: listed)).Status);
    }

    [Theory]
    [InlineData(86_399, "hit")]
    [InlineData(86_401, "miss")]
    public async Task An_answer_is_kept_for_a_day(int seconds, string said)
    {
        await SendAsync(GatewayHost.Chat());

        _host.Advance(TimeSpan.FromSeconds(seconds));

        Assert.Equal(said, Said(await SendAsync(GatewayHost.Chat())));
    }

    [Fact]
    public async Task How_long_is_configured()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"cache": {"default": "on", "ttlSeconds": 10}}""");
        await KeptAsync(host, await host.ChatAsync());
        host.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal("hit", Said(await host.ChatAsync()));
        host.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("miss", Said(await host.ChatAsync()));
    }

    [Fact]
    public async Task No_cache_asks_anew_and_keeps_what_comes()
    {
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text($"answer {_host.Script.Calls.Count}"), Frames.End(TokenCounts.Of(1, 1)));
        await SendAsync(GatewayHost.Chat(stream: true));

        var fresh = await SendAsync(GatewayHost.Chat(stream: true), headers: ("Cache-Control", "no-cache"));

        Assert.Equal("bypass", Said(fresh));
        Assert.Contains("answer 2", fresh.Body, StringComparison.Ordinal);
        await GatewayHost.UntilAsync(async () => (await SendAsync(GatewayHost.Chat(stream: true))).Body == fresh.Body);
        Assert.Equal(2, _host.Script.Calls.Count);
    }

    [Fact]
    public async Task No_store_reads_and_keeps_nothing()
    {
        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat(), headers: ("Cache-Control", "no-store"))));
        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat())));
        Assert.Equal("hit", Said(await SendAsync(GatewayHost.Chat(), headers: ("Cache-Control", "No-Store"))));
        Assert.Equal("bypass", Said(await SendAsync(GatewayHost.Chat(prompt: "b"), headers: ("Cache-Control", "no-cache, no-store"))));
        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat(prompt: "b"))));
    }

    [Fact]
    public async Task Max_age_takes_nothing_older_and_renews_it()
    {
        await SendAsync(GatewayHost.Chat());
        _host.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal("hit", Said(await SendAsync(GatewayHost.Chat(), headers: ("Cache-Control", "max-age=10"))));
        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat(), headers: ("Cache-Control", "max-age=9"))));
        Assert.Equal("0", (await SendAsync(GatewayHost.Chat(), headers: ("Cache-Control", "max-age=9"))).Headers["Age"]);
        _host.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat(), headers: ("Cache-Control", "max-age=soon"))));
    }

    [Fact]
    public async Task A_namespace_keeps_answers_apart()
    {
        await SendAsync(GatewayHost.Chat(), headers: ("x-penstock-cache-namespace", "a"));

        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat())));
        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat(), headers: ("x-penstock-cache-namespace", "b"))));
        Assert.Equal("hit", Said(await SendAsync(GatewayHost.Chat(), headers: ("x-penstock-cache-namespace", "a"))));
        Assert.Equal(400, (await SendAsync(GatewayHost.Chat(), headers: ("x-penstock-cache-namespace", new string('x', 65)))).Status);
    }

    [Fact]
    public async Task An_answer_that_broke_off_is_not_kept()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.CutShort, "cut"), Frames.Text("Hel"));
        Assert.Contains("provider_cut_short", (await SendAsync(GatewayHost.Chat(stream: true))).Body, StringComparison.Ordinal);
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Overloaded, "busy", 529));
        Assert.Equal(503, (await SendAsync(GatewayHost.Chat(stream: true))).Status);
        Assert.Equal(503, (await SendAsync(GatewayHost.Chat())).Status);
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(1, 1)));

        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat(stream: true))));
        Assert.Equal("hit", Said(await SendAsync(GatewayHost.Chat(stream: true))));
    }

    [Theory]
    [InlineData(FinishReason.ContentFilter, "miss")]
    [InlineData(FinishReason.Length, "hit")]
    [InlineData(FinishReason.ToolCalls, "hit")]
    public async Task What_a_filter_ended_is_not_kept(FinishReason reason, string said)
    {
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), new ProviderFrame(null, default, [new Finished(0, reason), new UsageReported(TokenCounts.Of(1, 1), true)], Last: true));
        await SendAsync(GatewayHost.Chat(stream: true));

        Assert.Equal(said, Said(await SendAsync(GatewayHost.Chat(stream: true))));
    }

    [Theory]
    [InlineData(250_000, "hit")]
    [InlineData(270_000, "miss")]
    public async Task An_answer_that_is_too_large_is_not_kept(int length, string said)
    {
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text(new string('x', length)), Frames.End(TokenCounts.Of(1, 1)));
        var first = await SendAsync(GatewayHost.Chat(stream: true));
        Assert.True(first.Body.Length > length);

        Assert.Equal(said, Said(await SendAsync(GatewayHost.Chat(stream: true))));
    }

    [Fact]
    public async Task An_answer_cut_down_to_a_budget_is_nobody_elses()
    {
        // Enough for the input and 100 tokens of gpt-4 (60 USD a million), not for all it can write.
        var small = await _host.AddKeyAsync("small", change: record => record with { MonthlyBudget = Money.FromUsd(0.01m) });
        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat("gpt-4"), key: small)));
        Assert.NotNull(_host.Script.Calls.Single().MaxOutputTokens);

        Assert.Equal("miss", Said(await SendAsync(GatewayHost.Chat("gpt-4"))));
        Assert.Null(_host.Script.Calls.Last().MaxOutputTokens);
    }

    [Fact]
    public async Task A_trace_of_which_a_quarter_repeats_makes_a_quarter_fewer_calls()
    {
        const int Requests = 200;
        for (var i = 0; i < Requests; i++)
        {
            // Every fourth request repeats the one before it.
            var prompt = $"question {(i % 4 == 3 ? i - 1 : i)}";
            Assert.Equal(200, (await SendAsync(GatewayHost.Chat(stream: i % 8 >= 4, prompt: prompt))).Status);
        }

        Assert.Equal(Requests * 3 / 4, _host.Script.Calls.Count);
        Assert.Equal(Requests, (await _host.RowsAsync()).Count);
    }

    [Fact]
    public async Task A_store_that_fails_is_a_miss_and_no_error()
    {
        await using var host = await GatewayHost.StartAsync(change: services => services.AddSingleton<ICacheStore>(new BrokenStore()), config: """{"cache": {"default": "on"}}""");

        Assert.Equal((200, "miss"), await KeptAsync(host, await host.ChatAsync()) is var first ? (first.Status, Said(first)) : default);
        Assert.Equal((200, "miss"), await KeptAsync(host, await host.ChatAsync(stream: true)) is var second ? (second.Status, Said(second)) : default);

        Assert.Contains(host.Log.Own, line => line.Level == LogLevel.Warning && line.Text == "The cache could not be read; the call is made");
        Assert.Contains(host.Log.Own, line => line.Level == LogLevel.Warning && line.Text == "An answer could not be kept in the cache");
    }

    private sealed class BrokenStore : ICacheStore
    {
        public Task<CachedAnswer?> FindAsync(TenantId tenant, CacheKey key, DateTimeOffset now, CancellationToken ct) => throw new IOException("broken");

        public Task PutAsync(TenantId tenant, CacheKey key, CachedAnswer answer, CancellationToken ct) => Task.FromException(new IOException("broken"));

        public Task<int> TrimAsync(DateTimeOffset now, long mostBytes, CancellationToken ct) => throw new IOException("broken");
    }

    private static string? Said(Answer answer) => answer.Headers.GetValueOrDefault("x-penstock-cache");

    private static Budget Monthly(string key) => new() { Tenant = TenantId.Default, Scope = new BudgetScope(BudgetScopeKind.Key, key), Period = BudgetPeriod.Month, Limit = Money.FromUsd(1) };

    private static string Body(string path, bool stream) => path == "/v1/messages"
        ? $$"""{"model": "gpt-4o-mini", "max_tokens": 50, "stream": {{(stream ? "true" : "false")}}, "messages": [{"role": "user", "content": "x"}]}"""
        : path == "/v1/stream" ? """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]}""" : GatewayHost.Chat(stream: stream);

    private async Task<Answer> SendAsync(string body, string path = "/v1/chat/completions", string? key = GatewayHost.OperatorKey, string cache = "on", params (string Name, string Value)[] headers) =>
        await KeptAsync(_host, await _host.SendAsync(HttpMethod.Post, path, body, key, [("x-penstock-cache", cache), .. headers]));

    /// <summary>An answer is kept beside its way to the client.</summary>
    private static async Task<Answer> KeptAsync(GatewayHost host, Answer answer)
    {
        await GatewayHost.UntilAsync(() => host.Services.GetRequiredService<Flights>().Count == 0);
        return answer;
    }
}
