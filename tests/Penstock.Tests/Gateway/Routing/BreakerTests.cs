using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Routing;

/// <summary>A target that fails is left alone, also where it is the only one; seen from the client, the admin and the metrics.</summary>
public sealed class BreakerTests : IAsyncLifetime
{
    private const string First = "gpt-4o-mini";

    private GatewayHost _host = null!;
    private ProviderException? _failure;

    public async ValueTask InitializeAsync()
    {
        _host = await GatewayHost.StartAsync(
            config: """{"models": {"pair": {"targets": ["openai/gpt-4o-mini", "openai/gpt-4.1"]}}, "routing": {"retries": 0}, "limits": {"burst": 10000, "requestsPerSecond": 10000}}""");
        _host.Script.Chat = (call, _) => call.Model == First && _failure is { } failure ? Frames.Then(failure) : Frames.Of(Frames.End(TokenCounts.Of(10, 5)));
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    /// <summary>github.com/BerriAI/litellm/pull/5673: a model with one deployment was exempt, and every client waited for every failure.</summary>
    [Fact]
    public async Task Single_target_never_cools()
    {
        _failure = new ProviderException(ProviderFault.Broken, "no", 500);
        for (var i = 0; i < 5; i++) Assert.Equal(502, (await _host.ChatAsync()).Status);

        var answer = await _host.ChatAsync();

        Assert.Equal((503, "10", 5), (answer.Status, answer.Headers["Retry-After"], _host.Script.Calls.Count));
        Assert.Contains("'openai/gpt-4o-mini' failed 5 times in a row", answer.Body, StringComparison.Ordinal);
        // Nobody was called: there is nothing to book.
        Assert.Equal(5, (await _host.RowsAsync()).Count);

        _failure = null;
        _host.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(200, (await _host.ChatAsync()).Status);
        Assert.Equal(200, (await _host.ChatAsync()).Status);
    }

    /// <summary>github.com/BerriAI/litellm/issues/37592: an account without credit was asked again with every request.</summary>
    [Theory]
    [InlineData("pair", 402)]
    [InlineData("pair", 429)]
    [InlineData(First, 402)]
    public async Task Payment_required_never_cooled(string model, int status)
    {
        _failure = new ProviderException(ProviderFault.QuotaSpent, "no credit", status);
        for (var i = 0; i < 10; i++)
        {
            var answer = await _host.ChatAsync(model);
            Assert.Equal(model == "pair" ? 200 : 502, answer.Status);
            if (model == "pair") Assert.Equal("fallback from openai/gpt-4o-mini: provider_quota_spent", answer.Headers["x-penstock-route"]);
            else Assert.Equal((i > 0, "false"), (answer.Headers.ContainsKey("Retry-After"), answer.Headers["x-should-retry"]));
        }

        Assert.Single(_host.Script.Calls, call => call.Model == First);
        var target = await TargetAsync();
        Assert.Equal(("cooling", "provider_quota_spent", _host.Time.GetUtcNow() + TimeSpan.FromMinutes(15)), (target.GetProperty("state").GetString(), target.GetProperty("reason").GetString(), target.GetProperty("until").GetDateTimeOffset()));

        _failure = null;
        _host.Advance(TimeSpan.FromMinutes(15));
        Assert.Equal(First, (await _host.ChatAsync(model)).Headers["x-penstock-model"]);
    }

    /// <summary>github.com/future-agi/future-agi/issues/2693: all that waited were let through at once when the time was up.</summary>
    [Fact]
    public async Task Half_open_stampede()
    {
        await OpenAsync();
        var gate = new TaskCompletionSource();
        _host.Script.Chat = (_, _) => LateAsync(gate.Task);
        var before = _host.Script.Calls.Count;
        _host.Advance(TimeSpan.FromSeconds(10));

        var asked = Enumerable.Range(0, 32).Select(_ => Task.Run(() => _host.ChatAsync())).ToList();
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1 && asked.Count(task => task.IsCompleted) == 31, "31 are refused while one probes");
        Assert.Equal(before + 1, _host.Script.Calls.Count);
        Assert.Equal("half_open", (await TargetAsync()).GetProperty("state").GetString());
        gate.SetResult();

        var answers = await Task.WhenAll(asked);
        Assert.Equal([200, .. Enumerable.Repeat(503, 31)], answers.Select(answer => answer.Status).Order());
        Assert.Equal("closed", (await TargetAsync()).GetProperty("state").GetString());
    }

    [Fact]
    public async Task A_client_that_leaves_a_probe_lets_the_next_one_probe()
    {
        await OpenAsync();
        _host.Advance(TimeSpan.FromSeconds(10));
        _host.Script.Chat = (_, ct) => Frames.Hang(ct);
        using (var leave = new CancellationTokenSource())
        {
            var asked = _host.Client.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), new StringContent(GatewayHost.Chat(), System.Text.Encoding.UTF8, "application/json"), leave.Token);
            await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        }

        await GatewayHost.UntilAsync(async () => (await TargetAsync()).GetProperty("inFlight").GetInt32() == 0);
        _host.Script.Chat = (_, _) => Frames.Of(Frames.End(TokenCounts.Of(10, 5)));
        Assert.Equal(200, (await _host.ChatAsync()).Status);
    }

    [Fact]
    public async Task A_budget_that_refuses_a_probe_lets_the_next_one_probe()
    {
        await OpenAsync();
        _host.Advance(TimeSpan.FromSeconds(10));
        _failure = null;

        Assert.Equal(402, (await _host.ChatAsync(key: await _host.AddKeyAsync("poor", Scopes.Complete, record => record with { MonthlyBudget = new Money(1) }))).Status);
        Assert.Equal(200, (await _host.ChatAsync()).Status);
    }

    [Fact]
    public async Task Admins_see_the_targets_and_nobody_else()
    {
        await OpenAsync();

        var names = (await _host.GetAsync("/v1/admin/targets")).Json.GetProperty("targets").EnumerateArray().Select(target => target.GetProperty("target").GetString());
        Assert.Equal(["openai/gpt-4.1", "openai/gpt-4.1-mini", "openai/gpt-4o-mini", "openai/o4-mini"], names);
        var target = await TargetAsync();
        Assert.Equal(("open", "provider_failed", 5), (target.GetProperty("state").GetString(), target.GetProperty("reason").GetString(), target.GetProperty("failures").GetInt32()));
        Assert.Equal(403, (await _host.GetAsync("/v1/admin/targets", await _host.AddKeyAsync("caller"))).Status);
        Assert.Equal(401, (await _host.GetAsync("/v1/admin/targets", null)).Status);
        var metrics = (await _host.GetAsync("/metrics", null)).Body;
        Assert.Contains("penstock_target_state{gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o-mini\"} 2", metrics, StringComparison.Ordinal);
        Assert.Contains("penstock_target_state{gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4.1\"} 0", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_only_a_client_named_is_an_operators_to_see_and_no_label()
    {
        await using var host = await GatewayHost.StartAsync(config: """{"gateway": {"allowUnpriced": true}}""");
        Assert.Equal(200, (await host.ChatAsync("openai/coined-by-a-client")).Status);
        var admin = await host.AddKeyAsync("chief", Scopes.Admin);

        Assert.Contains("coined", (await host.GetAsync("/v1/admin/targets")).Body, StringComparison.Ordinal);
        Assert.DoesNotContain("coined", (await host.GetAsync("/v1/admin/targets", admin)).Body, StringComparison.Ordinal);
        Assert.DoesNotContain("coined", (await host.GetAsync("/metrics", null)).Body, StringComparison.Ordinal);
    }

    private static async IAsyncEnumerable<ProviderFrame> LateAsync(Task gate)
    {
        await gate;
        yield return Frames.End(TokenCounts.Of(10, 5));
    }

    private async Task OpenAsync()
    {
        _failure = new ProviderException(ProviderFault.Broken, "no", 500);
        for (var i = 0; i < 5; i++) Assert.Equal(502, (await _host.ChatAsync()).Status);
        Assert.Equal(503, (await _host.ChatAsync()).Status);
    }

    private async Task<System.Text.Json.JsonElement> TargetAsync() =>
        (await _host.GetAsync("/v1/admin/targets")).Json.GetProperty("targets").EnumerateArray().Single(target => target.GetProperty("target").GetString() == "openai/gpt-4o-mini");
}
