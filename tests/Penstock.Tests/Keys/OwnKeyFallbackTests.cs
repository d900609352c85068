using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Penstock.Gateway;
using Penstock.Keys;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Keys;

/// <summary>Who brings their own key at a provider has said who pays: what fails there goes on to nobody whom the platform pays, and a key goes to no other provider.</summary>
public sealed class OwnKeyFallbackTests : IAsyncLifetime
{
    private const string Own = "sk-own-0123456789abcdefghijklmnop-own1";
    private const string OfOpenAi = "/v1/auth/keys/web/providers/openai";
    private const string OfAnthropic = "/v1/auth/keys/web/providers/anthropic";

    private const string Config = """
        {"models": {
           "house": {"targets": ["openai/gpt-4.1", "anthropic/claude-sonnet-4-6"]},
           "drawn": {"strategy": "weighted", "targets": [{"target": "openai/gpt-4.1", "weight": 1000}], "fallbacks": ["anthropic/claude-sonnet-4-6", "openai/gpt-4.1-mini"]},
           "homely": {"targets": ["openai/gpt-4.1", "local/local"]},
           "vectors": {"targets": ["openai/text-embedding-3-small", "other/text-embedding-3-small"]}},
         "tiers": {"fast": {"targets": ["openai/gpt-4.1-mini"]}, "standard": {"targets": ["anthropic/claude-sonnet-4-6", "openai/gpt-4.1"]}},
         "providers": {"other": {"kind": "openai", "apiKey": "sk-platform-other"}},
         "prices": {"version": "test", "models": {"other/text-embedding-3-small": {"input": 1}}},
         "routing": {"retries": 0}}
        """;

    private readonly ConcurrentQueue<(string Provider, string? Key)> _used = [];
    private Func<ProviderSettings, ProviderCall, ProviderException?> _failure = (_, _) => null;
    private Func<ProviderCall, string> _says = _ => "The water turbine turns.";
    private GatewayHost _host = null!;
    private string _key = "";

    public async ValueTask InitializeAsync()
    {
        _host = await GatewayHost.StartAsync(
            config: Config,
            change: services =>
            {
                services.RemoveAll<IProviderKind>();
                foreach (var (kind, dialect) in new[] { ("openai", Dialect.OpenAi), ("anthropic", Dialect.Anthropic), ("local", Dialect.Native) }) services.AddSingleton<IProviderKind>(new NotingKind(kind, dialect, this));
            },
            environment: [("PENSTOCK_MASTER_KEY", Callers.MasterKey), ("ANTHROPIC_API_KEY", "sk-platform-anthropic")]);
        _key = await _host.AddKeyAsync("web", Scopes.Complete | Scopes.Embed);
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("house", false)]
    [InlineData("house", true)]
    [InlineData("drawn", false)]
    public async Task What_fails_under_a_stored_key_is_not_asked_at_the_platforms_cost(string model, bool stream)
    {
        _failure = (provider, call) => provider.Name == "openai" && call.Model == "gpt-4.1" ? new ProviderException(ProviderFault.Broken, "no", 500) : null;
        // The control: without the key stored, the platform pays for both.
        Assert.Equal(200, (await _host.ChatAsync(model, stream, _key)).Status);
        Assert.Equal(["openai", "anthropic"], _used.Select(call => call.Provider));
        _used.Clear();
        await StoreAsync(OfOpenAi);

        var answer = await _host.ChatAsync(model, stream, _key);

        // Another target at the same provider is paid with the same key.
        Assert.Equal(model == "drawn" ? 200 : 502, answer.Status);
        Assert.All(_used, call => Assert.Equal(("openai", Own), call));
        Assert.DoesNotContain(await _host.RowsAsync(), row => row.Request.Value == answer.RequestId && !row.OwnKey);
    }

    [Fact]
    public async Task What_cannot_be_asked_under_a_stored_key_is_not_asked_at_the_platforms_cost_either()
    {
        await StoreAsync(OfOpenAi);
        // Open to nobody: the circuit knows no keys.
        await OpenAsync();

        Assert.Equal(503, (await _host.ChatAsync("house", key: _key)).Status);

        Assert.Empty(_used);
    }

    [Fact]
    public async Task Where_the_caller_pays_both_providers_or_nobody_is_paid_the_next_is_asked()
    {
        _failure = (provider, _) => provider.Name == "openai" ? new ProviderException(ProviderFault.Broken, "no", 500) : null;
        await StoreAsync(OfOpenAi);

        Assert.Equal("local", (await _host.ChatAsync("homely", key: _key)).Headers["x-penstock-provider"]);
        await StoreAsync(OfAnthropic);
        _used.Clear();
        var answer = await _host.ChatAsync("house", key: _key);

        Assert.Equal((200, "fallback from openai/gpt-4.1: provider_failed"), (answer.Status, answer.Headers["x-penstock-route"]));
        Assert.Equal([("openai", Own), ("anthropic", Own)], _used);
        Assert.All((await _host.RowsAsync()).Where(row => row.Request.Value == answer.RequestId), row => Assert.True(row.OwnKey));
    }

    [Fact]
    public async Task A_platform_target_that_rests_makes_way_for_a_callers_key_and_does_not_come_back_behind_it()
    {
        await StoreAsync(OfAnthropic);
        _failure = (provider, _) => provider.Name == "openai" ? new ProviderException(ProviderFault.Limited, "slowly", 429) : null;
        Assert.Equal(200, (await _host.ChatAsync("house", key: _key)).Status);
        Assert.Equal(["openai", "anthropic"], _used.Select(call => call.Provider));
        _used.Clear();
        _failure = (provider, _) => provider.Name == "anthropic" ? new ProviderException(ProviderFault.Broken, "no", 500) : null;

        var answer = await _host.ChatAsync("house", key: _key);

        Assert.Equal((502, "anthropic"), (answer.Status, Assert.Single(_used).Provider));
    }

    [Fact]
    public async Task Embeddings_keep_to_it_too()
    {
        await StoreAsync(OfOpenAi);
        _failure = (provider, _) => provider.Name == "openai" ? new ProviderException(ProviderFault.Broken, "no", 500) : null;

        var answer = await _host.PostAsync("/v1/embeddings", """{"model": "vectors", "input": "x"}""", _key);

        Assert.Equal(502, answer.Status);
        Assert.Equal([("openai", Own)], _used);
    }

    /// <summary>The standard tier begins at another provider than the small one: a key of the first would be shown to it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_choice_that_is_made_again_stays_with_the_provider_whose_key_was_sent(bool vetoed)
    {
        if (vetoed) _says = call => call.Model == "gpt-4.1-mini" ? "I cannot do that." : "The water turbine turns.";
        else _failure = (_, call) => call.Model == "gpt-4.1-mini" ? new ProviderException(ProviderFault.Broken, "no", 500) : null;

        var answer = await _host.SendAsync(HttpMethod.Post, "/v1/complete", Summary, _key, ("x-penstock-provider-key", Own));

        Assert.Equal((200, "gpt-4.1"), (answer.Status, answer.Headers["x-penstock-model"]));
        Assert.Equal([("openai", Own), ("openai", Own)], _used);
    }

    [Fact]
    public async Task A_choice_that_is_made_again_under_a_stored_key_costs_the_platform_nothing()
    {
        await StoreAsync(OfOpenAi);
        _says = call => call.Model == "gpt-4.1-mini" ? "I cannot do that." : "The water turbine turns.";

        var answer = await _host.PostAsync("/v1/complete", Summary, _key);

        Assert.Equal((200, "gpt-4.1"), (answer.Status, answer.Headers["x-penstock-model"]));
        Assert.Equal([("openai", Own), ("openai", Own)], _used);
        Assert.All(await _host.RowsAsync(), row => Assert.True(row.OwnKey));
    }

    private const string Summary = """{"model": "auto", "messages": [{"role": "user", "content": "Summarise: the water turbine turns"}]}""";

    private async Task StoreAsync(string path)
    {
        Assert.Equal(200, (await _host.SendAsync(HttpMethod.Put, path, $$"""{"apiKey": "{{Own}}"}""")).Status);
    }

    private async Task OpenAsync()
    {
        _failure = (_, _) => new ProviderException(ProviderFault.Broken, "no", 500);
        while ((await _host.ChatAsync("gpt-4.1")).Status != 503) Assert.True(_used.Count < 20);
        _used.Clear();
        _failure = (_, _) => null;
    }

    /// <summary>Notes which provider is called with which key.</summary>
    private sealed class NotingKind(string kind, Dialect dialect, OwnKeyFallbackTests test) : IProviderKind
    {
        public string Kind => kind;

        public IChatProvider Create(ProviderSettings settings) => new ScriptedProvider(settings, dialect, new Script
        {
            Chat = (call, _) =>
            {
                test._used.Enqueue((settings.Name, settings.ApiKey));
                if (test._failure(settings, call) is { } failure) return Frames.Then(failure);
                return Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, test._says(call)), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(100, 50), true)], Last: true));
            },
            Embed = call =>
            {
                test._used.Enqueue((settings.Name, settings.ApiKey));
                if (test._failure(settings, null!) is { } failure) throw failure;
                return new EmbedAnswer([.. call.Inputs.Select(_ => new[] { 0.5f })], call.Model, TokenCounts.Of(1, 0), false);
            },
        });
    }
}
