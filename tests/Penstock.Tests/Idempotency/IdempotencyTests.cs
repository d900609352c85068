using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Gateway;
using Penstock.Idempotency;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Idempotency;

/// <summary>A request that carries a name is done once, whoever leaves, and its answer given again.</summary>
public sealed partial class IdempotencyTests : IAsyncLifetime
{
    private readonly Channel<ProviderFrame> _vendor = Channel.CreateUnbounded<ProviderFrame>();
    private GatewayHost _host = null!;
    private WatchedStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync(change: services =>
    {
        var embedded = services.Single(service => service.ServiceType == typeof(IIdempotencyStore)).ImplementationType!;
        services.AddSingleton<IIdempotencyStore>(provider => _store = new WatchedStore((IIdempotencyStore)ActivatorUtilities.CreateInstance(provider, embedded)));
    });

    public async ValueTask DisposeAsync()
    {
        await GatewayHost.UntilAsync(() => _host.Script.Open == 0, "a vendor's answer was never left");
        await _host.DisposeAsync();
    }

    public static TheoryData<string, string> Routes() => new()
    {
        { "/v1/chat/completions", GatewayHost.Chat() },
        { "/v1/chat/completions", GatewayHost.Chat(stream: true) },
        { "/v1/messages", """{"model": "gpt-4o-mini", "max_tokens": 50, "stream": true, "messages": [{"role": "user", "content": "x"}]}""" },
        { "/v1/messages", """{"model": "gpt-4o-mini", "max_tokens": 50, "messages": [{"role": "user", "content": "x"}]}""" },
        { "/v1/messages/count_tokens", """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]}""" },
        { "/v1/complete", GatewayHost.Chat() },
        { "/v1/stream", """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]}""" },
        { "/v1/embeddings", """{"model": "text-embedding-3-small", "input": "a"}""" },
        { "/v1/embed", """{"input": "a"}""" },
        { "/ai", """{"prompt": "hello", "model": "gpt-4o-mini"}""" },
        { "/v1/suggest", """{"text": "hello", "model": "gpt-4o-mini"}""" },
        { "/v1/auth/keys", """{"name": "new", "scopes": ["ai:complete"]}""" },
        { "/v1/auth/keys/spare/rotate", "{}" },
    };

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task The_same_request_again_gets_the_same_answer_and_does_nothing(string path, string body)
    {
        await _host.AddKeyAsync("spare");
        if (path == "/v1/suggest") _host.Script.Chat = (_, _) => Frames.Of(new ProviderFrame(null, default, [new TextDelta(0, """{"suggestions": ["a"]}"""), new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(10, 5), true)], Last: true));

        var first = await SendAsync(body, "order 1", path);
        var calls = _host.Script.Calls.Count;
        var rows = (await _host.RowsAsync()).Count;
        var second = await SendAsync(body, "order 1", path);

        Assert.True(first.Status is 200 or 201, $"{first.Status} {first.Body}");
        Assert.Equal((first.Status, first.Body, "true"), (second.Status, second.Body, Replayed(second)));
        Assert.Null(Replayed(first));
        Assert.NotEqual(first.RequestId, second.RequestId);
        Assert.Equal(Lasting(first), Lasting(second));
        Assert.Equal((calls, rows), (_host.Script.Calls.Count, (await _host.RowsAsync()).Count));
        if (path == "/v1/messages") Assert.Equal(second.RequestId, second.Headers["request-id"]);
    }

    /// <summary>Without what belongs to one delivery.</summary>
    private static IEnumerable<KeyValuePair<string, string>> Lasting(Answer answer)
    {
        string[] ofOneDelivery = ["x-request-id", "request-id", "Date", "idempotency-replayed"];
        return answer.Headers
            .Where(header => !ofOneDelivery.Contains(header.Key, StringComparer.OrdinalIgnoreCase) && !header.Key.Contains("ratelimit", StringComparison.OrdinalIgnoreCase))
            .OrderBy(header => header.Key, StringComparer.Ordinal);
    }

    [Fact]
    public async Task Another_name_is_another_request()
    {
        Assert.Null(Replayed(await SendAsync(GatewayHost.Chat(), "a")));
        Assert.Null(Replayed(await SendAsync(GatewayHost.Chat(), "b")));
        Assert.Null(Replayed(await _host.ChatAsync()));
        Assert.Equal(3, _host.Script.Calls.Count);
    }

    [Theory]
    [InlineData("/v1/chat/completions", true)]
    [InlineData("/v1/complete", false)]
    [InlineData("/v1/chat/completions?x=1", false)]
    public async Task Another_body_or_path_under_the_name_is_422(string path, bool otherBody)
    {
        await SendAsync(GatewayHost.Chat(), "a");

        var answer = await SendAsync(GatewayHost.Chat(prompt: otherBody ? "another" : "hello"), "a", path);

        Assert.Equal(422, answer.Status);
        Assert.Contains("idempotency_key_reused", answer.Body, StringComparison.Ordinal);
        Assert.Equal("false", answer.Headers["x-should-retry"]);
        Assert.Equal("true", Replayed(await SendAsync(GatewayHost.Chat(), "a")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("tab\there")]
    [InlineData("del\u007f")]
    [InlineData(256)]
    public async Task A_name_that_is_none_is_400(object name)
    {
        var answer = await SendAsync(GatewayHost.Chat(), name as string ?? new string('x', (int)name));

        Assert.Equal(400, answer.Status);
        Assert.Empty(_host.Script.Calls);
    }

    [Theory]
    [InlineData("a b~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}")]
    [InlineData(255)]
    public async Task Any_printable_name_of_255_characters_will_do(object name) => Assert.Equal(200, (await SendAsync(GatewayHost.Chat(), name as string ?? new string('x', (int)name))).Status);

    [Fact]
    public async Task Names_belong_to_a_key_that_authenticated()
    {
        var other = await _host.AddKeyAsync("other");
        await SendAsync(GatewayHost.Chat(), "a");

        Assert.Null(Replayed(await SendAsync(GatewayHost.Chat(), "a", key: other)));
        Assert.Equal(401, (await SendAsync(GatewayHost.Chat(), "a", key: null)).Status);
        Assert.Equal(401, (await SendAsync(GatewayHost.Chat(), "a", key: "sk-pen-root-" + new string('0', 32))).Status);
        await _host.Keys.RevokeAsync(TenantId.Default, new KeyId("other"), _host.Time.GetUtcNow(), Ct);
        _host.Advance(KeyRing.Remembered);
        Assert.Equal(401, (await SendAsync(GatewayHost.Chat(), "a", key: other)).Status);
    }

    [Fact]
    public async Task Where_no_route_answers_the_name_changes_nothing()
    {
        Assert.Equal(404, (await SendAsync("{}", "a", "/nowhere")).Status);
        var wrong = await SendAsync("{}", "a", "/v1/usage");
        Assert.Equal((405, "method_not_allowed"), (wrong.Status, wrong.Text("code")));
        var get = await _host.SendAsync(HttpMethod.Get, "/v1/models", null, GatewayHost.OperatorKey, ("Idempotency-Key", "a"));
        Assert.Equal((200, null), (get.Status, Replayed(get)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_failure_frees_the_name(bool stream)
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Overloaded, "busy", 529));
        var failed = await SendAsync(GatewayHost.Chat(stream: stream), "a");
        Assert.Equal(503, failed.Status);
        Assert.Contains("provider_overloaded", failed.Body, StringComparison.Ordinal);
        Assert.Equal(400, (await SendAsync("{", "a")).Status);
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(1, 1)));

        Assert.Equal((200, null), await SendAsync(GatewayHost.Chat(stream: stream), "a") is var again ? (again.Status, Replayed(again)) : default);
        Assert.Equal("true", Replayed(await SendAsync(GatewayHost.Chat(stream: stream), "a")));
    }

    [Fact]
    public async Task A_stream_that_ends_in_an_error_frees_the_name()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.CutShort, "cut"), Frames.Text("Hel"));
        var failed = await SendAsync(GatewayHost.Chat(stream: true), "a");
        Assert.Contains("provider_cut_short", failed.Body, StringComparison.Ordinal);
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(1, 1)));

        var again = await SendAsync(GatewayHost.Chat(stream: true), "a");

        Assert.Null(Replayed(again));
        Assert.EndsWith("[DONE]\n\n", again.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_keeps_the_headers_that_the_route_had_set()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Limited, "slow down", 429, retryAfter: TimeSpan.FromSeconds(7)));

        var answer = await SendAsync("""{"model": "gpt-4o-mini", "max_tokens": 50, "messages": [{"role": "user", "content": "x"}]}""", "a", "/v1/messages");

        Assert.Equal((429, "7", answer.RequestId), (answer.Status, answer.Headers["Retry-After"], answer.Headers["request-id"]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_leaves_gets_the_answer_when_it_comes_back(bool stream)
    {
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
        using (var leave = new CancellationTokenSource())
        {
            using var client = _host.Connect(GatewayHost.OperatorKey);
            client.DefaultRequestHeaders.Add("Idempotency-Key", "a");
            var asked = client.PostAsync("/v1/chat/completions", new StringContent(GatewayHost.Chat(stream: stream), System.Text.Encoding.UTF8, "application/json"), leave.Token);
            await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        }

        if (stream) _vendor.Writer.TryWrite(Frames.Text("Hello"));
        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(10, 5)));
        _vendor.Writer.Complete();
        var row = await _host.RowAsync();
        Assert.Equal((AttemptOutcome.Completed, TokenCounts.Of(10, 5)), (row.Outcome, row.Tokens));

        var again = await SendAsync(GatewayHost.Chat(stream: stream), "a");

        Assert.Equal((200, "true"), (again.Status, Replayed(again)));
        if (stream) Assert.EndsWith("[DONE]\n\n", again.Body, StringComparison.Ordinal);
        Assert.Single(_host.Script.Calls);
        Assert.Single(await _host.RowsAsync());
        Assert.DoesNotContain(_host.Log.Lines, line => line.Level >= LogLevel.Error);
    }

    [Fact]
    public async Task The_same_request_at_once_is_one_and_all_get_its_stream_as_it_comes()
    {
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
        _vendor.Writer.TryWrite(Frames.Text("One "));
        using var first = await OpenStream.OpenAsync(_host, GatewayHost.Chat(stream: true), ("Idempotency-Key", "a"));
        await first.ReadUntilAsync("One ");
        using var second = await OpenStream.OpenAsync(_host, GatewayHost.Chat(stream: true), ("Idempotency-Key", "a"));
        await second.ReadUntilAsync("One ");
        Assert.Equal((null, "true"), (first.Header("idempotency-replayed"), second.Header("idempotency-replayed")));
        Assert.Equal(422, (await SendAsync(GatewayHost.Chat(), "a")).Status);

        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(1, 1)));
        _vendor.Writer.Complete();

        Assert.Equal(await first.ReadToEndAsync(), await second.ReadToEndAsync());
        Assert.Single(_host.Script.Calls);
        Assert.Single(await _host.RowsAsync());
    }

    [Fact]
    public async Task Of_many_at_once_one_is_done()
    {
        for (var round = 0; round < 20; round++)
        {
            var name = $"round {round}";
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => SendAsync(GatewayHost.Chat(), name))));
            Assert.All(answers, answer => Assert.Equal((200, answers[0].Body), (answer.Status, answer.Body)));
            Assert.Single(answers, answer => Replayed(answer) is null);
        }

        Assert.Equal(20, _host.Script.Calls.Count);
    }

    [Fact]
    public async Task Who_waits_for_a_request_that_fails_is_refused_as_it_is()
    {
        var fail = new TaskCompletionSource();
        _host.Script.Chat = (_, _) => FailAsync(fail.Task);
        var asked = Enumerable.Range(0, 4).Select(_ => Task.Run(() => SendAsync(GatewayHost.Chat(), "a"))).ToArray();
        await GatewayHost.UntilAsync(() => _host.Services.GetRequiredService<IdempotentRequests>().Waiting == 3);

        fail.SetResult();

        var answers = await Task.WhenAll(asked);
        Assert.All(answers, answer => Assert.Equal((503, "provider_overloaded"), (answer.Status, answer.Text("error", "code"))));
        Assert.Equal(4, answers.Select(answer => answer.RequestId).Distinct().Count());
        Assert.Single(_host.Script.Calls);
    }

    [Fact]
    public async Task A_request_that_another_process_runs_is_409_until_its_lease_ends()
    {
        var now = _host.Time.GetUtcNow();
        var name = new IdempotencyName(TenantId.Default, new KeyId("root"), "a");
        var store = _host.Services.GetRequiredService<IIdempotencyStore>();
        var hash = System.Security.Cryptography.SHA256.HashData([.. "POST\n/v1/chat/completions\n\n"u8, .. System.Text.Encoding.UTF8.GetBytes(GatewayHost.Chat())]);
        await store.ClaimAsync(new IdempotencyClaim(name, hash, "another", now + Claims.Lease, now + Claims.Kept), now, Ct);

        var running = await SendAsync(GatewayHost.Chat(), "a");
        Assert.Equal((409, "idempotency_running", "1"), (running.Status, running.Text("error", "code"), running.Headers["Retry-After"]));
        Assert.Equal(422, (await SendAsync(GatewayHost.Chat(prompt: "other"), "a")).Status);
        Assert.Empty(_host.Script.Calls);

        _host.Advance(Claims.Lease);

        Assert.Equal((200, null), await SendAsync(GatewayHost.Chat(), "a") is var again ? (again.Status, Replayed(again)) : default);
    }

    [Fact]
    public async Task A_request_that_runs_renews_its_lease()
    {
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
        _vendor.Writer.TryWrite(Frames.Text("One "));
        using var first = await OpenStream.OpenAsync(_host, GatewayHost.Chat(stream: true), ("Idempotency-Key", "a"));
        for (var i = 0; i < 12; i++)
        {
            _host.Advance(Claims.Lease / 3);
            // The renewal is written beside the clock's tick.
            await GatewayHost.UntilAsync(() => _store.LeaseUntil == _host.Time.GetUtcNow() + Claims.Lease);
        }

        Assert.Equal(ClaimKind.Running, (await ClaimAsync("a", "/v1/chat/completions", GatewayHost.Chat(stream: true))).Kind);
        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(1, 1)));
        _vendor.Writer.Complete();
        Assert.EndsWith("[DONE]\n\n", await first.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_whose_client_left_is_finished_or_cut_by_the_drain()
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct, Frames.Text("One "));
        var client = await OpenStream.OpenAsync(_host, GatewayHost.Chat(stream: true), ("Idempotency-Key", "a"));
        await client.ReadUntilAsync("One ");
        client.Dispose();
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);

        _host.StartDrain();
        Assert.Equal(1, _host.Script.Open);
        _host.Advance(TimeSpan.FromSeconds(30));

        Assert.Equal(AttemptOutcome.Drained, (await _host.RowAsync()).Outcome);
        await GatewayHost.UntilAsync(async () => (await ClaimAsync("a", "/v1/chat/completions", GatewayHost.Chat(stream: true))).Kind == ClaimKind.Started);
    }

    [Fact]
    public async Task With_the_cache_on_a_hit_is_replayed_as_it_was()
    {
        (string, string) on = ("x-penstock-cache", "on");
        await _host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat(stream: true), GatewayHost.OperatorKey, on);
        await GatewayHost.UntilAsync(() => _host.Services.GetRequiredService<Penstock.Gateway.Cache.Flights>().Count == 0);
        var hit = await _host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat(stream: true), GatewayHost.OperatorKey, on, ("Idempotency-Key", "a"));
        var again = await _host.SendAsync(HttpMethod.Post, "/v1/chat/completions", GatewayHost.Chat(stream: true), GatewayHost.OperatorKey, on, ("Idempotency-Key", "a"));

        Assert.Equal(("hit", "hit", "true", hit.Body), (hit.Headers["x-penstock-cache"], again.Headers["x-penstock-cache"], Replayed(again), again.Body));
        Assert.Equal(2, (await _host.RowsAsync()).Count);
    }

    private static async IAsyncEnumerable<ProviderFrame> FailAsync(Task when)
    {
        await when;
        throw new ProviderException(ProviderFault.Overloaded, "busy", 529);
#pragma warning disable CS0162 // An iterator needs a yield, even one that is never reached.
        yield break;
#pragma warning restore CS0162
    }

    private static string? Replayed(Answer answer) => answer.Headers.GetValueOrDefault("idempotency-replayed");

    /// <summary>What the store says of a request, asked as another process would.</summary>
    private Task<ClaimResult> ClaimAsync(string name, string path, string body)
    {
        var now = _host.Time.GetUtcNow();
        var hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"POST\n{path}\n\n{body}"));
        return _host.Services.GetRequiredService<IIdempotencyStore>().ClaimAsync(new IdempotencyClaim(new IdempotencyName(TenantId.Default, new KeyId("root"), name), hash, "looking", now + Claims.Lease, now + Claims.Kept), now, Ct);
    }

    private Task<Answer> SendAsync(string body, string name, string path = "/v1/chat/completions", string? key = GatewayHost.OperatorKey) =>
        _host.SendAsync(HttpMethod.Post, path, body, key, ("Idempotency-Key", name));
}
