using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Limits;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway;

/// <summary>Limits as clients meet them: what counts, what does not, and what the headers say.</summary>
public sealed class LimitTests : IAsyncLifetime
{
    private const string Chat = """{"model": "gpt-4o-mini", "max_tokens": 500, "messages": [{"role": "user", "content": "hello"}]}""";

    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Two_hundred_at_once_are_accepted_the_next_is_429_and_fifty_a_second_go_on_for_ever()
    {
        var key = await _host.AddKeyAsync("a");
        using var client = _host.Connect(key);
        for (var i = 0; i < 200; i++) Assert.Equal(200, await StatusAsync(client));

        var refused = await _host.ChatAsync(key: key);
        Assert.Equal((429, "1", "20"), (refused.Status, refused.Headers["Retry-After"], refused.Headers["retry-after-ms"]));

        for (var i = 0; i < 150; i++)
        {
            _host.Advance(TimeSpan.FromMilliseconds(20));
            Assert.Equal(200, await StatusAsync(client));
        }

        Assert.Equal(429, await StatusAsync(client));
    }

    /// <summary>The list in the configuration's reader is all there is to limit.</summary>
    [Fact]
    public async Task Every_route_that_asks_a_model_is_limited_and_shows_it()
    {
        var posts = _host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(route => route.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods.Contains("POST")).Select(route => route.RoutePattern.RawText!).ToArray();
        var limited = new List<string>();
        foreach (var (route, i) in posts.Select((route, i) => (route, i)))
        {
            var key = await _host.AddKeyAsync($"k{i}", (Scopes)31, record => record with { RequestsPerSecond = 0.001, Burst = 1 });
            var body = route == "/mcp" ? """{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "summarise"}}""" : "{}";
            var first = await _host.PostAsync(route.Replace("{id}", "nobody", StringComparison.Ordinal), body, key);
            var second = await _host.PostAsync(route.Replace("{id}", "nobody", StringComparison.Ordinal), body, key);
            // A tool's refusal is a result of its protocol.
            if (second.Status != 429 && !second.Body.Contains("\"status\":429", StringComparison.Ordinal)) continue;
            limited.Add(route);
            Assert.NotEqual(429, first.Status);
            var remaining = route.StartsWith("/v1/messages", StringComparison.Ordinal) ? "anthropic-ratelimit-requests-remaining" : "x-ratelimit-remaining-requests";
            Assert.Equal(("0", "0"), (first.Headers[remaining], second.Headers[remaining]));
        }

        Assert.Equal(LimitSection.Routes, limited.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_says_how_the_limits_stand(bool stream)
    {
        var key = await TightKeyAsync();

        var answer = await _host.PostAsync("/v1/chat/completions", Asking(stream), key);

        Assert.Equal(200, answer.Status);
        Assert.Equal(("10", "9", "200ms"), Requests(answer));
        // A stream's headers go out while its tokens are an estimate, 9 of input and 500 of output; a whole answer's when they are metered.
        Assert.Equal(stream ? ("60000", "59491", "509ms") : ("60000", "59985", "15ms"), Tokens(answer));
    }

    [Fact]
    public async Task Anthropics_clients_are_told_in_Anthropics_words()
    {
        var key = await TightKeyAsync();

        var answer = await _host.PostAsync("/v1/messages", Chat, key);

        Assert.Equal(200, answer.Status);
        Assert.Equal(("10", "9", "2026-11-21T12:00:01Z"), Anthropic(answer, "requests"));
        Assert.Equal(("60000", "59985", "2026-11-21T12:00:01Z"), Anthropic(answer, "tokens"));
        Assert.DoesNotContain(answer.Headers.Keys, name => name.StartsWith("x-ratelimit", StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("{nonsense", 400)]
    [InlineData("""{"model": "nobody", "messages": [{"role": "user", "content": "x"}]}""", 404)]
    public async Task A_request_that_asks_for_nothing_we_have_counts_and_says_so(string body, int status)
    {
        var key = await TightKeyAsync();

        var answer = await _host.PostAsync("/v1/chat/completions", body, key);

        Assert.Equal(status, answer.Status);
        Assert.Equal(("10", "9", "200ms"), Requests(answer));
        Assert.Equal(("60000", "60000", "0s"), Tokens(answer));
    }

    [Fact]
    public async Task A_call_that_a_budget_refuses_counts_for_nothing()
    {
        var key = await TightKeyAsync(record => record with { MonthlyBudget = new Money(1), Concurrency = 1 });
        for (var i = 0; i < 30; i++)
        {
            var refused = await _host.PostAsync("/v1/chat/completions", Chat, key);
            Assert.Equal((402, ("10", "10", "0s"), ("60000", "60000", "0s")), (refused.Status, Requests(refused), Tokens(refused)));
        }
    }

    [Fact]
    public async Task Refused_call_eats_the_rate_limit()
    {
        var key = await TightKeyAsync(record => record with { Burst = 2, RequestsPerSecond = 0.001, Concurrency = 1 });
        _host.Script.Chat = (_, ct) => Frames.Hang(ct, Frames.Text("Hello"));
        using (await OpenStreamAsync(key))
        {
            for (var i = 0; i < 20; i++)
            {
                var refused = await _host.PostAsync("/v1/chat/completions", Chat, key);
                Assert.Equal((429, "1", "1000"), (refused.Status, refused.Headers["Retry-After"], refused.Headers["retry-after-ms"]));
                Assert.Equal("Key 'tight' may have 1 calls in flight at once. Try again when one has ended.", refused.Text("error", "message"));
                Assert.Equal("1", Requests(refused).Remaining);
            }
        }

        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(1, 1)));
        await GatewayHost.UntilAsync(async () => (await _host.PostAsync("/v1/chat/completions", Asking(stream: true), key)).Status == 200);
        Assert.Equal(429, (await _host.PostAsync("/v1/chat/completions", "{}", key)).Status);
    }

    [Fact]
    public async Task Tokens_of_running_calls_are_taken_by_estimate_and_corrected_when_they_are_metered()
    {
        var key = await TightKeyAsync(record => record with { TokensPerMinute = 1200 });
        _host.Script.Chat = (_, ct) => Frames.Hang(ct, Frames.Text("Hello"));
        using (await OpenStreamAsync(key))
        using (await OpenStreamAsync(key))
        {
            var refused = await _host.PostAsync("/v1/chat/completions", Chat, key);
            Assert.Equal((429, "17", "16350"), (refused.Status, refused.Headers["Retry-After"], refused.Headers["retry-after-ms"]));
            Assert.Equal("Key 'tight' may use 1200 tokens a minute, and this call may need 509: its input and the longest answer it asks for. It passes in 16.35 s.", refused.Text("error", "message"));
            Assert.Equal(("1200", "182", "50.9s"), Tokens(refused));
        }

        // The clients left: what was written until then is what they used.
        await GatewayHost.UntilAsync(async () => (await _host.RowsAsync()).Count == 2);
        var used = (await _host.RowsAsync()).Sum(row => row.Tokens.Total);
        Assert.InRange(used, 20, 30);
        await GatewayHost.UntilAsync(async () => Tokens(await _host.PostAsync("/v1/chat/completions", "{}", key)).Remaining == $"{1200 - used}");
    }

    [Fact]
    public async Task Cached_input_counts_as_input_and_what_was_not_written_is_given_back()
    {
        var key = await TightKeyAsync();
        _host.Script.Chat = (_, _) => Frames.Of(Frames.End(new TokenCounts(10, 300, 20, 5, 7, 3)));

        Assert.Equal(("60000", "59655", "345ms"), Tokens(await _host.PostAsync("/v1/chat/completions", Chat, key)));
    }

    [Fact]
    public async Task A_provider_that_did_no_work_used_no_tokens_but_the_request_counts()
    {
        var key = await TightKeyAsync();
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Overloaded, "busy", 529));

        var answer = await _host.PostAsync("/v1/chat/completions", Chat, key);

        Assert.Equal((503, "9", "60000"), (answer.Status, Requests(answer).Remaining, Tokens(answer).Remaining));
    }

    [Fact]
    public async Task A_call_that_sets_no_size_is_taken_for_a_usual_one()
    {
        var key = await TightKeyAsync();

        var answer = await _host.PostAsync("/v1/chat/completions", GatewayHost.Chat(stream: true), key);

        Assert.Equal("58967", Tokens(answer).Remaining);
    }

    [Fact]
    public async Task Embeddings_are_taken_by_their_input()
    {
        var key = await TightKeyAsync(record => record with { Scopes = Scopes.Embed, TokensPerMinute = 60 });
        _host.Script.Embed = call => new EmbedAnswer([[0.5f]], call.Model, TokenCounts.Of(40, 0), false);
        const string Input = """{"model": "text-embedding-3-small", "input": "hello"}""";

        Assert.Equal(("60", "20", "40s"), Tokens(await _host.PostAsync("/v1/embeddings", Input, key)));
        Assert.Equal(("60", "0", "1m20s"), Tokens(await _host.PostAsync("/v1/embed", Input, key)));
        var refused = await _host.PostAsync("/v1/embed", Input, key);
        Assert.Equal((429, "token_limit_exceeded"), (refused.Status, refused.Text("code")));
    }

    [Theory]
    [InlineData("/v1/messages", "rate_limit_error", "error", "type")]
    [InlineData("/v1/chat/completions", "rate_limit_exceeded", "error", "code")]
    [InlineData("/v1/complete", "concurrency_limit_exceeded", "code")]
    public async Task Every_dialect_says_429_in_its_own_shape(string route, string expected, params string[] path)
    {
        var key = await TightKeyAsync(record => record with { Concurrency = 1 });
        _host.Script.Chat = (_, ct) => Frames.Hang(ct, Frames.Text("Hello"));
        using var running = await OpenStreamAsync(key);

        var refused = await _host.PostAsync(route, route == "/v1/complete" ? """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]}""" : Chat, key);

        Assert.Equal((429, "1", expected), (refused.Status, refused.Headers["Retry-After"], refused.Text(path)));
        Assert.False(refused.Headers.ContainsKey("x-should-retry"));
    }

    private static string Asking(bool stream) => stream ? Chat.Replace("{\"model\"", "{\"stream\": true, \"model\"", StringComparison.Ordinal) : Chat;

    private static (string Limit, string Remaining, string Reset) Requests(Answer answer) => Read(answer, "requests");

    private static (string Limit, string Remaining, string Reset) Tokens(Answer answer) => Read(answer, "tokens");

    private static (string Limit, string Remaining, string Reset) Read(Answer answer, string of) => (answer.Headers[$"x-ratelimit-limit-{of}"], answer.Headers[$"x-ratelimit-remaining-{of}"], answer.Headers[$"x-ratelimit-reset-{of}"]);

    private static (string Limit, string Remaining, string Reset) Anthropic(Answer answer, string of) => (answer.Headers[$"anthropic-ratelimit-{of}-limit"], answer.Headers[$"anthropic-ratelimit-{of}-remaining"], answer.Headers[$"anthropic-ratelimit-{of}-reset"]);

    private static async Task<int> StatusAsync(HttpClient client)
    {
        using var content = new StringContent(Chat);
        using var response = await client.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), content, TestContext.Current.CancellationToken);
        return (int)response.StatusCode;
    }

    /// <summary>10 requests at once, 5 a second; 60,000 tokens a minute.</summary>
    private Task<string> TightKeyAsync(Func<KeyRecord, KeyRecord>? change = null) =>
        _host.AddKeyAsync("tight", Scopes.Complete, record =>
        {
            var tight = record with { RequestsPerSecond = 5, Burst = 10, TokensPerMinute = 60_000 };
            return change is null ? tight : change(tight);
        });

    /// <summary>Its first words have come; disposed of, its client has left.</summary>
    private async Task<IDisposable> OpenStreamAsync(string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(Asking(stream: true)) };
        request.Headers.Authorization = new("Bearer", key);
        var response = await _host.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)response.StatusCode);
        return response;
    }
}
