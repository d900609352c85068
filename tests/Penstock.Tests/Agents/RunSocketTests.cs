using System.Buffers.Text;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Agents.Socket;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class RunSocketTests : IAsyncLifetime
{
    private const int Cuts = 1_000;

    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await AgentHost.StartAsync(times: new SocketTimes { Key = TimeSpan.FromSeconds(1), KeyAgain = TimeSpan.FromSeconds(1), Send = TimeSpan.FromSeconds(2) });

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_thousand_cut_sockets_are_joined_the_events_of_an_uncut_one()
    {
        var run = await _host.EndedRunAsync();
        var whole = (await _host.GetAsync($"/v1/agents/runs/{run}/events")).Body;
        var count = EventText.Parse(whole).Count;
        var dice = new SeededSource(11);
        var cuts = 0;
        while (cuts < Cuts)
        {
            var (joined, last) = (new StringBuilder(), (string?)null);
            for (var left = dice.Below(5) + 1; left > 0; left--, cuts++) last = await ReadAsync(run, last, dice.Below(count / 5), joined) ?? last;
            await ReadAsync(run, last, int.MaxValue, joined);
            Assert.True(whole == joined.ToString(), $"differs after cut {cuts}");
        }
    }

    [Fact]
    public async Task Five_hundred_sockets_see_every_event_in_order()
    {
        var run = await _host.RunAsync();
        var owner = await ScriptedOwner.OfAsync(_host, run);
        var clients = new List<SocketClient>();
        foreach (var batch in Enumerable.Range(0, 500).Chunk(50)) clients.AddRange(await Task.WhenAll(batch.Select(_ => SocketClient.ReadyAsync(_host))));
        foreach (var client in clients) await client.SendAsync($$"""{"id":1,"type":"subscribe","run":"{{run}}"}""");
        var reading = clients.Select(async client =>
        {
            Assert.Equal("subscribed", (await client.ReadAsync()).GetProperty("type").GetString());
            var text = new StringBuilder();
            while (await client.EventAsync() is { } one) text.Append(one);
            return text.ToString();
        }).ToArray();
        for (var step = 0; step < 10; step++) await owner.StepAsync($"c{step}");
        await owner.EndAsync();

        var whole = (await _host.GetAsync($"/v1/agents/runs/{run}/events")).Body;
        foreach (var seen in await Task.WhenAll(reading)) Assert.Equal(whole, seen);
        foreach (var client in clients) await client.DisposeAsync();
    }

    [Fact]
    public async Task A_key_comes_in_a_header_in_a_subprotocol_or_in_the_first_message()
    {
        var encoded = "key." + Base64Url.EncodeToString(Encoding.ASCII.GetBytes(GatewayHost.OperatorKey));
        await using var header = await SocketClient.ConnectAsync(_host, null, options => options.SetRequestHeader("x-api-key", GatewayHost.OperatorKey));
        await using var protocol = await SocketClient.ConnectAsync(_host, null, options =>
        {
            options.AddSubProtocol("penstock.v1");
            options.AddSubProtocol(encoded);
            // A page of any origin may connect: it is the key that lets it in.
            options.SetRequestHeader("Origin", "https://elsewhere.example");
        });
        await using var message = await SocketClient.ConnectAsync(_host, null);
        await message.SendAsync($$"""{"type":"auth","key":"{{GatewayHost.OperatorKey}}"}""");

        foreach (var client in new[] { header, protocol, message })
        {
            var ready = await client.ReadAsync();
            Assert.Equal(("ready", "root"), (ready.GetProperty("type").GetString(), ready.GetProperty("key").GetString()));
        }

        Assert.Equal("penstock.v1", protocol.Socket.SubProtocol);
    }

    [Fact]
    public async Task Nobody_comes_in_without_a_key()
    {
        await RefusedAsync(HttpStatusCode.Unauthorized, options => options.SetRequestHeader("Authorization", "Bearer sk-pen-nobody-0123456789abcdef0123456789abcdef"));
        await RefusedAsync(HttpStatusCode.Unauthorized, options => { options.AddSubProtocol("penstock.v1"); options.AddSubProtocol("key.AAAA"); });
        await RefusedAsync(HttpStatusCode.Unauthorized, options => { options.AddSubProtocol("penstock.v1"); options.AddSubProtocol("key." + new string('A', 9)); });
        Assert.Equal((400, 401), ((await _host.GetAsync("/v1/ws")).Status, (await _host.GetAsync("/v1/ws", null)).Status));
        foreach (var (first, says) in new[] { ("""{"type":"auth","key":"sk-pen-nobody-0123456789abcdef0123456789abcdef"}""", "invalid_api_key"), ("""{"type":"ping"}""", "no_api_key"), ("[]", "invalid_request"), ("""{"type":"auth"}""", "invalid_request"), ("""{"type":5}""", "no_api_key") })
        {
            await using var client = await SocketClient.ConnectAsync(_host, null);
            Assert.Equal((first, says), (first, (await client.AskAsync(first)).GetProperty("code").GetString()));
            Assert.Equal(4401, (await client.ClosedAsync()).Status);
        }

        await using var silent = await SocketClient.ConnectAsync(_host, null);
        Assert.Equal(4401, (await silent.ClosedAsync()).Status);
    }

    [Fact]
    public async Task A_key_that_is_revoked_ends_its_sockets()
    {
        var key = await _host.AgentKeyAsync("fleeting");
        await using var client = await SocketClient.ReadyAsync(_host, key);
        Assert.True(await _host.Keys.RevokeAsync(TenantId.Default, new KeyId("fleeting"), _host.Time.GetUtcNow(), Ct));
        var since = _host.Time.GetTimestamp();

        var (status, reason) = await client.ClosedAsync();

        Assert.Equal((4401, "The API key is unknown or revoked."), (status, reason));
        Assert.InRange(_host.Time.GetElapsedTime(since), TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Large_events_come_in_parts_that_are_small()
    {
        var run = await _host.RunAsync();
        var owner = await ScriptedOwner.OfAsync(_host, run);
        await owner.StepAsync("c", $$"""{"text":"{{string.Concat(Enumerable.Repeat("\\\"🐟é\\\\", 20_000))}}"}""");
        await owner.EndAsync();
        await using var client = await SocketClient.ReadyAsync(_host);
        await client.AskAsync($$"""{"id":1,"type":"subscribe","run":"{{run}}"}""");

        var text = new StringBuilder();
        while (await client.EventAsync() is { } one) text.Append(one);

        Assert.Equal((await _host.GetAsync($"/v1/agents/runs/{run}/events")).Body, text.ToString());
        Assert.InRange(client.Largest, 40_000, SocketWriter.Largest);
        Assert.True(client.Parts > 4, $"{client.Parts}");
    }

    [Fact]
    public async Task A_message_that_is_too_large_or_no_text_does_no_harm()
    {
        await using var large = await SocketClient.ReadyAsync(_host);
        await large.SendAsync($$"""{"id":1,"type":"ping","x":"{{new string('x', 1024 * 1024)}}"}""");
        Assert.Equal(1009, (await large.ClosedAsync()).Status);

        await using var binary = await SocketClient.ReadyAsync(_host);
        await binary.Socket.SendAsync(new byte[] { 0xff, 0, 0xfe }, WebSocketMessageType.Binary, true, Ct);
        Assert.Equal("invalid_request", (await binary.ReadAsync()).GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_run_is_started_watched_and_cancelled_over_one_socket()
    {
        await using var client = await SocketClient.ReadyAsync(_host);
        var started = await client.AskAsync("""{"id":"a","type":"start","request":{"type":"helper","input":"x"},"idempotencyKey":"once"}""");
        var run = started.GetProperty("run").GetString()!;
        Assert.Equal(("started", "a", "queued"), (started.GetProperty("type").GetString(), started.GetProperty("id").GetString(), started.GetProperty("data").GetProperty("status").GetString()));
        Assert.Contains("run.started", await client.EventAsync(), StringComparison.Ordinal);

        // Its client was cut off and asks again: it is the same run.
        await using var again = await SocketClient.ReadyAsync(_host);
        Assert.Equal(run, (await again.AskAsync("""{"id":"a","type":"start","request":{"type":"helper","input":"x"},"idempotencyKey":"once","subscribe":false}""")).GetProperty("run").GetString());

        var cancelled = await client.AskAsync($$"""{"id":"b","type":"cancel","run":"{{run}}","reason":"enough"}""");
        Assert.Equal(("answer", "b", true), (cancelled.GetProperty("type").GetString(), cancelled.GetProperty("id").GetString(), cancelled.GetProperty("data").GetProperty("cancelRequested").GetBoolean()));
        var owner = await ScriptedOwner.OfAsync(_host, run);
        await owner.EndAsync(RunStatus.Cancelled);
        Assert.Contains("run.ended", await client.EventAsync(), StringComparison.Ordinal);
        Assert.Null(await client.EventAsync());
    }

    [Fact]
    public async Task A_call_is_approved_over_a_socket_once()
    {
        var run = await _host.RunAsync();
        await (await ScriptedOwner.OfAsync(_host, run)).ParkAsync("approval", (JournalKinds.ApprovalRequested, """{"call":"c/1","name":"mail","arguments":{},"expiresAt":"2999-01-01T00:00:00Z"}"""));
        await using var client = await SocketClient.ReadyAsync(_host);
        var message = $$"""{"id":1,"type":"approve","run":"{{run}}","call":"c/1","approved":true}""";

        Assert.Equal("answer", (await client.AskAsync(message)).GetProperty("type").GetString());
        Assert.Equal("already_decided", (await client.AskAsync(message)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_completion_is_streamed_and_booked_like_any_other()
    {
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hel"), Frames.Text("lo"), Frames.End(TokenCounts.Of(3, 2)));
        await using var client = await SocketClient.ReadyAsync(_host);
        await client.SendAsync("""{"id":"q","type":"complete","request":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}}""");
        var types = new List<string>();
        JsonElement message;
        var text = "";
        while ((message = await client.ReadAsync()).GetProperty("type").GetString() == "completion")
        {
            Assert.Equal("q", message.GetProperty("id").GetString());
            var data = message.GetProperty("data");
            types.Add(data.GetProperty("type").GetString()!);
            if (types[^1] == "text") text += data.GetProperty("text").GetString();
        }

        Assert.Equal("done", message.GetProperty("type").GetString());
        Assert.Equal(("Hello", "start", "done"), (text, types[0], types[^1]));
        Assert.Equal("/v1/stream", (await _host.RowAsync()).Route);
    }

    [Fact]
    public async Task A_completion_that_is_cancelled_cancels_its_call()
    {
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _host.Script.Chat = (_, ct) => Endless(stopped, ct);
        await using var client = await SocketClient.ReadyAsync(_host);
        await client.SendAsync("""{"id":7,"type":"complete","request":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}}""");
        while ((await client.ReadAsync()).GetProperty("data").GetProperty("type").GetString() != "text")
        {
        }

        await client.SendAsync("""{"id":7,"type":"cancel"}""");

        JsonElement message;
        while ((message = await client.ReadAsync()).GetProperty("type").GetString() == "completion")
        {
        }

        Assert.Equal("cancelled", message.GetProperty("code").GetString());
        await stopped.Task.WaitAsync(TimeSpan.FromSeconds(30), Ct);
        Assert.Equal("""{"type":"pong"}""", (await client.AskAsync("""{"type":"ping"}""")).GetRawText());
    }

    [Fact]
    public async Task A_socket_is_held_to_its_keys_scopes_and_project()
    {
        var run = await _host.RunAsync(key: await _host.AgentKeyAsync("red", "red"));
        await using var blue = await SocketClient.ReadyAsync(_host, await _host.AgentKeyAsync("blue", "blue"));
        await using var without = await SocketClient.ReadyAsync(_host, await _host.AgentKeyAsync("without", "red", scopes: Scopes.Complete));

        Assert.Equal("run_not_found", (await blue.AskAsync($$"""{"id":1,"type":"subscribe","run":"{{run}}"}""")).GetProperty("code").GetString());
        Assert.Equal("run_not_found", (await blue.AskAsync($$"""{"id":1,"type":"cancel","run":"{{run}}"}""")).GetProperty("code").GetString());
        Assert.Equal("missing_scope", (await without.AskAsync($$"""{"id":1,"type":"subscribe","run":"{{run}}"}""")).GetProperty("code").GetString());
        Assert.Equal("missing_scope", (await without.AskAsync("""{"id":1,"type":"start","request":{"type":"helper","input":"a"}}""")).GetProperty("code").GetString());
        Assert.Equal("missing_scope", (await blue.AskAsync("""{"id":1,"type":"complete","request":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}}""")).GetProperty("code").GetString());
    }

    [Fact]
    public async Task There_is_an_end_to_subscriptions_and_none_is_had_twice()
    {
        await using var client = await SocketClient.ReadyAsync(_host);
        var runs = new List<string>();
        for (var i = 0; i < 101; i++) runs.Add(await _host.RunAsync());
        var answers = new List<JsonElement>();
        foreach (var run in runs.Append(runs[0]))
        {
            await client.SendAsync($$"""{"id":"{{run}}","type":"subscribe","run":"{{run}}"}""");
            JsonElement answer;
            while ((answer = await client.ReadAsync()).GetProperty("type").GetString() == "event")
            {
            }

            answers.Add(answer);
        }

        Assert.All(answers.Take(100), answer => Assert.Equal("subscribed", answer.GetProperty("type").GetString()));
        Assert.Equal(["too_many_subscriptions", "already_subscribed"], answers.Skip(100).Select(answer => answer.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task A_client_that_answers_no_ping_is_dropped()
    {
        await using var host = await AgentHost.StartAsync(times: new SocketTimes { Ping = TimeSpan.FromMilliseconds(200), Answer = TimeSpan.FromMilliseconds(300) });
        // A client that reads nothing answers no ping either.
        await using var mute = await SocketClient.ReadyAsync(host);
        await GatewayHost.UntilAsync(() => host.Log.Lines.Any(line => line.ToString().Contains("/v1/ws", StringComparison.Ordinal)), "the socket to end");

        await using var alive = await SocketClient.ReadyAsync(host);
        var reading = alive.ReadAsync();
        await Task.WhenAny(reading, Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Ct));
        Assert.False(reading.IsCompleted);
        await alive.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (await reading).GetProperty("type").GetString());
    }

    [Fact]
    public async Task A_server_that_stops_says_so()
    {
        await using var client = await SocketClient.ReadyAsync(_host);

        _host.StartDrain();

        Assert.Equal(1001, (await client.ClosedAsync()).Status);
    }

    private async Task RefusedAsync(HttpStatusCode status, Action<ClientWebSocketOptions> options)
    {
        var client = new ClientWebSocket();
        client.Options.CollectHttpResponseDetails = true;
        options(client.Options);
        await Assert.ThrowsAsync<WebSocketException>(() => client.ConnectAsync(new UriBuilder(_host.Address) { Scheme = "ws", Path = "/v1/ws" }.Uri, Ct));
        Assert.Equal(status, client.HttpStatusCode);
        client.Dispose();
    }

    private async Task<string?> ReadAsync(string run, string? after, int most, StringBuilder into)
    {
        await using var client = await SocketClient.ReadyAsync(_host);
        await client.SendAsync(after is null ? $$"""{"id":1,"type":"subscribe","run":"{{run}}"}""" : $$"""{"id":1,"type":"subscribe","run":"{{run}}","after":"{{after}}"}""");
        Assert.Equal("subscribed", (await client.ReadAsync()).GetProperty("type").GetString());
        string? last = null;
        for (; most > 0 && await client.EventAsync() is { } one; most--)
        {
            into.Append(one);
            last = one["id: ".Length..one.IndexOf('\n', StringComparison.Ordinal)];
        }

        return last;
    }

    private static async IAsyncEnumerable<ProviderFrame> Endless(TaskCompletionSource stopped, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        await using var told = ct.Register(stopped.SetResult);
        yield return new ProviderFrame(null, default, [new TextDelta(0, "a")]);
        await Task.Delay(Timeout.InfiniteTimeSpan, ct);
    }
}
