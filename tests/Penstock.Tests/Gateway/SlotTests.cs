using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Gateway;
using Penstock.Keys;
using Penstock.Limits;
using Penstock.Sqlite;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway;

/// <summary>A key that may have one call in flight: however a call ends, the next one finds the slot free.</summary>
public sealed class SlotTests : IAsyncLifetime
{
    private static readonly TokenCounts Some = TokenCounts.Of(1, 1);

    private readonly CountingStore _counted = new();
    private GatewayHost _host = null!;
    private string _key = "";

    public async ValueTask InitializeAsync()
    {
        _host = await GatewayHost.StartAsync(change: services => services.AddSingleton<ILimitStore>(provider => _counted.Over(new ProcessLimits(provider.GetRequiredService<TimeProvider>()))));
        _key = await _host.AddKeyAsync("single", Scopes.Complete | Scopes.Embed, record => record with { Concurrency = 1, RequestsPerSecond = 10_000, Burst = 100_000 });
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("complete", 200)]
    [InlineData("provider refuses", 503)]
    [InlineData("provider rejects", 400)]
    [InlineData("provider breaks off", 502)]
    [InlineData("provider falls silent", 504)]
    [InlineData("no last frame", 500)]
    [InlineData("bug", 500)]
    public async Task Concurrency_slot_never_released(string ending, int status)
    {
        _host.Script.Chat = (_, _) => ending switch
        {
            "complete" => Frames.Of(Frames.End(Some)),
            "provider refuses" => Frames.Then(new ProviderException(ProviderFault.Overloaded, "busy", 529)),
            "provider rejects" => Frames.Then(new ProviderException(ProviderFault.Rejected, "no", 400)),
            "provider breaks off" => Frames.Then(new ProviderException(ProviderFault.CutShort, "cut")),
            "provider falls silent" => Frames.Then(new ProviderException(ProviderFault.TimedOut, "silent")),
            "no last frame" => Frames.Of(),
            _ => Frames.Then(new InvalidOperationException("bug")),
        };

        foreach (var stream in new[] { false, true, false, true }) Assert.Equal(status, (await _host.ChatAsync(stream: stream, key: _key)).Status);

        await NextPassesAsync(after: 4);
    }

    [Theory]
    [InlineData(ProviderFault.CutShort)]
    [InlineData(ProviderFault.Broken)]
    public async Task Concurrency_slot_never_released_after_an_error_in_the_stream(ProviderFault fault)
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(fault, "cut"), Frames.Text("Hello"));
        Assert.Equal(200, (await _host.ChatAsync(stream: true, key: _key)).Status);

        await NextPassesAsync(after: 1);
    }

    [Fact]
    public async Task Concurrency_slot_never_released_after_a_bug_in_the_stream()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new InvalidOperationException("bug"), Frames.Text("Hello"));
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => _host.ChatAsync(stream: true, key: _key));

        await NextPassesAsync(after: 1, atOnce: false);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Concurrency_slot_never_released_after_the_client_left(bool stream, bool begun)
    {
        _host.Script.Chat = (_, ct) => begun ? Frames.Hang(ct, Frames.Text("Hello")) : Frames.Hang(ct);
        using (var leave = new CancellationTokenSource())
        using (var client = _host.Connect(_key))
        {
            using var content = new StringContent(GatewayHost.Chat(stream: stream));
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = content };
            var asked = client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave.Token);
            await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
            Assert.Equal(429, (await _host.ChatAsync(key: _key)).Status);
            if (begun) (await asked).Dispose();
            await leave.CancelAsync();
            if (!begun) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        }

        await NextPassesAsync(after: 1, atOnce: false);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Concurrency_slot_never_released_after_the_drain(bool stream)
    {
        _host.Script.Chat = (_, ct) => stream ? Frames.Hang(ct, Frames.Text("Hello")) : Frames.Hang(ct);
        var asked = _host.ChatAsync(stream: stream, key: _key);
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
        _host.StartDrain();
        _host.Advance(TimeSpan.FromSeconds(30));
        await asked;

        Assert.Equal((1, 1), (_counted.Taken, _counted.Freed));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Concurrency_slot_never_released_where_the_call_could_not_be_booked(bool stream)
    {
        var channel = Channel.CreateUnbounded<ProviderFrame>();
        _host.Script.Chat = (_, ct) => Frames.From(channel, ct);
        var asked = _host.ChatAsync(stream: stream, key: _key);
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
        await _host.Services.GetRequiredService<SqliteDatabase>().DisposeAsync();
        channel.Writer.TryWrite(Frames.End(Some));
        channel.Writer.Complete();
        await Record.ExceptionAsync(() => asked);

        await GatewayHost.UntilAsync(() => _counted.Freed == 1);
        Assert.Equal(1, _counted.Taken);
    }

    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/v1/embeddings")]
    public async Task Concurrency_slot_never_released_where_the_hold_could_not_be_made(string route)
    {
        var body = route == "/v1/embeddings" ? """{"model": "text-embedding-3-small", "input": "x"}""" : GatewayHost.Chat();
        Assert.Equal(200, (await _host.PostAsync(route, body, _key)).Status);
        await _host.Services.GetRequiredService<SqliteDatabase>().DisposeAsync();

        Assert.Equal(503, (await _host.PostAsync(route, body, _key)).Status);

        await GatewayHost.UntilAsync(() => _counted.Freed == 2);
        Assert.Equal(2, _counted.Taken);
    }

    [Theory]
    [InlineData("/v1/embeddings", null, 200)]
    [InlineData("/v1/embed", null, 200)]
    [InlineData("/v1/embeddings", ProviderFault.Overloaded, 503)]
    [InlineData("/v1/embed", ProviderFault.Rejected, 400)]
    public async Task Concurrency_slot_never_released_by_embeddings(string route, ProviderFault? fault, int status)
    {
        if (fault is { } thrown) _host.Script.Embed = _ => throw new ProviderException(thrown, "no", status);
        for (var i = 0; i < 3; i++) Assert.Equal(status, (await _host.PostAsync(route, """{"model": "text-embedding-3-small", "input": "x"}""", _key)).Status);

        await NextPassesAsync(after: 3);
    }

    [Theory]
    [InlineData("/v1/classify", """{"text": "great", "labels": ["good", "bad"], "model": "gpt-4o-mini"}""", 502)]
    [InlineData("/v1/suggest", """{"text": "great", "model": "gpt-4o-mini"}""", 502)]
    [InlineData("/ai", """{"prompt": "great", "model": "gpt-4o-mini"}""", 200)]
    public async Task Concurrency_slot_never_released_by_tasks(string route, string body, int status)
    {
        for (var i = 0; i < 3; i++) Assert.Equal(status, (await _host.PostAsync(route, body, _key)).Status);

        await NextPassesAsync(after: 3);
    }

    [Fact]
    public async Task Whoever_sends_one_call_after_another_never_meets_their_own_last_one()
    {
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(Some));
        for (var i = 0; i < 200; i++) Assert.Equal(200, (await _host.ChatAsync(stream: true, key: _key)).Status);

        Assert.Equal((200, 200), (_counted.Taken, _counted.Freed));
    }

    [Fact]
    public async Task What_is_refused_before_it_is_called_holds_no_slot()
    {
        var running = Channel.CreateUnbounded<ProviderFrame>();
        _host.Script.Chat = (_, ct) => Frames.From(running, ct);
        var asked = _host.ChatAsync(key: _key);
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);

        Assert.Equal(400, (await _host.PostAsync("/v1/chat/completions", "{}", _key)).Status);
        Assert.Equal(404, (await _host.ChatAsync("nobody", key: _key)).Status);
        Assert.Equal(200, (await _host.PostAsync("/v1/messages/count_tokens", """{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]}""", _key)).Status);
        Assert.Equal(429, (await _host.ChatAsync(key: _key)).Status);

        running.Writer.TryWrite(Frames.End(Some));
        running.Writer.Complete();
        Assert.Equal(200, (await asked).Status);
        Assert.Equal((1, 1), (_counted.Taken, _counted.Freed));
    }

    /// <param name="after">Calls that were let in before.</param>
    /// <param name="atOnce">Whether the client knows that its last call is over.</param>
    private async Task NextPassesAsync(int after, bool atOnce = true)
    {
        await GatewayHost.UntilAsync(() => _host.Script.Open == 0);
        if (!atOnce) await GatewayHost.UntilAsync(() => _counted.Freed == after);
        _host.Script.Chat = (_, _) => Frames.Of(Frames.End(Some));
        Assert.Equal(200, (await _host.ChatAsync(key: _key)).Status);
        Assert.Equal((after + 1, after + 1), (_counted.Taken, _counted.Freed));
    }

    /// <summary>Counts slots on their way to the store and back: each must be freed once, not merely be free.</summary>
    private sealed class CountingStore : ILimitStore
    {
        private ILimitStore _store = null!;
        private int _taken;
        private int _freed;

        public int Taken => Volatile.Read(ref _taken);

        public int Freed => Volatile.Read(ref _freed);

        public CountingStore Over(ILimitStore store)
        {
            _store = store;
            return this;
        }

        public async ValueTask<LimitDecision> TakeAsync(LimitRequest request, CancellationToken ct)
        {
            var decision = await _store.TakeAsync(request, ct);
            if (decision.Refusing is null && request.Slots.Length > 0) Interlocked.Increment(ref _taken);
            return decision;
        }

        public async ValueTask ReturnAsync(LimitRequest request, CancellationToken ct)
        {
            await _store.ReturnAsync(request, ct);
            if (request.Slots.Length > 0) Interlocked.Increment(ref _freed);
        }
    }
}
