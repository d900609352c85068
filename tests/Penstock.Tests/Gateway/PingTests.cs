using System.Net;
using System.Text;
using System.Threading.Channels;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway;

/// <summary>A silent vendor does not lose the client, and until the first ping an error is still an HTTP status.</summary>
public sealed class PingTests : IAsyncLifetime
{
    private const string Ping = ": ping\n\n";

    private readonly WatchedTime _time = new();
    private readonly Channel<ProviderFrame> _vendor = Channel.CreateUnbounded<ProviderFrame>();
    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await GatewayHost.StartAsync(_time, """{"gateway": {"firstPingSeconds": 3, "pingSeconds": 5}}""");
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task The_first_ping_comes_after_the_first_silence_and_the_next_after_the_others()
    {
        var asked = await AskAsync();
        await _time.AdvanceAsync(TimeSpan.FromSeconds(3) - TimeSpan.FromTicks(1));
        Assert.False(asked.IsCompleted);

        await _time.FireAsync(TimeSpan.FromTicks(1));
        using var stream = await StreamAsync(asked);
        Assert.Equal(Ping, await stream.TakeAsync(Ping.Length));
        await _time.AdvanceAsync(TimeSpan.FromSeconds(5) - TimeSpan.FromTicks(1));
        _vendor.Writer.TryWrite(Frames.Text("Hello"));

        // Not one ping stood between: the silence began anew with each.
        Assert.StartsWith("data: ", await stream.TakeAsync(6), StringComparison.Ordinal);
        await stream.UntilAsync("Hello");
        await _time.WaitForTimerAsync();
        await _time.FireAsync(TimeSpan.FromSeconds(5));
        await stream.UntilAsync(Ping);
        await EndAsync(stream);
    }

    [Fact]
    public async Task Pings_stand_between_frames_and_never_inside_one()
    {
        var asked = await AskAsync();
        var seeded = new SeededSource(9);
        await _time.FireAsync(TimeSpan.FromSeconds(3));
        using var stream = await StreamAsync(asked);
        for (var i = 0; i < 40; i++)
        {
            if (seeded.OneIn(2)) await _time.FireAsync(TimeSpan.FromSeconds(5));
            _vendor.Writer.TryWrite(Frames.Text(new string('x', seeded.Below(10_000))));
            if (seeded.OneIn(2)) continue;
            _vendor.Writer.TryWrite(Frames.Text("\n\n: ping\n\n"));
            _vendor.Writer.TryWrite(Frames.Text($"<{i}>"));
            await stream.UntilAsync($"<{i}>");
            await _time.WaitForTimerAsync();
        }

        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(1, 1)));
        var body = await stream.RestAsync();

        Assert.EndsWith("data: [DONE]\n\n", body, StringComparison.Ordinal);
        var events = body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains(": ping", events);
        Assert.All(events, text => Assert.True(text == ": ping" || text == "data: [DONE]" || IsJson(text), text));
    }

    [Fact]
    public async Task An_error_before_the_first_ping_is_a_status()
    {
        var asked = await AskAsync();
        await _time.AdvanceAsync(TimeSpan.FromSeconds(3) - TimeSpan.FromTicks(1));

        _vendor.Writer.Complete(new ProviderException(ProviderFault.Overloaded, "busy", 529));

        using var response = await asked;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
    }

    [Fact]
    public async Task An_error_after_it_is_a_frame()
    {
        var asked = await AskAsync();
        await _time.FireAsync(TimeSpan.FromSeconds(3));
        using var stream = await StreamAsync(asked);

        _vendor.Writer.Complete(new ProviderException(ProviderFault.Overloaded, "busy", 529));

        Assert.Equal(Ping + """data: {"error":{"message":"busy","type":"server_error","param":null,"code":"provider_overloaded"}}""" + "\n\n", await stream.RestAsync());
        var row = await _host.RowAsync();
        // The vendor refused before it worked: our ping is no answer of its.
        Assert.Equal((AttemptOutcome.ProviderFailed, default, false), (row.Outcome, row.Tokens, row.Estimated));
    }

    [Fact]
    public async Task A_whole_answer_gets_no_ping()
    {
        var asked = _host.ChatAsync();
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
        _time.Inner.Advance(TimeSpan.FromMinutes(2));
        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(1, 1)));

        var answer = await asked;
        Assert.Equal(200, answer.Status);
        Assert.StartsWith("{", answer.Body, StringComparison.Ordinal);
        Assert.Equal(120_000, (await _host.RowAsync()).LatencyMs);
    }

    [Fact]
    public async Task The_first_token_is_timed_from_the_vendor_and_not_from_a_ping()
    {
        var asked = await AskAsync();
        await _time.FireAsync(TimeSpan.FromSeconds(3));
        using var stream = await StreamAsync(asked);
        await _time.FireAsync(TimeSpan.FromSeconds(5));
        _vendor.Writer.TryWrite(Frames.Text("Hello"));
        await stream.UntilAsync("Hello");
        await EndAsync(stream);

        Assert.Equal(8_000, (await _host.RowAsync()).FirstTokenMs);
    }

    private static bool IsJson(string text)
    {
        if (!text.StartsWith("data: ", StringComparison.Ordinal)) return false;
        System.Text.Json.JsonDocument.Parse(text[6..]).Dispose();
        return true;
    }

    private async Task<Task<HttpResponseMessage>> AskAsync()
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(GatewayHost.Chat(stream: true), Encoding.UTF8, "application/json") };
        var asked = _host.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
        await _time.WaitForTimerAsync();
        return asked;
    }

    private static async Task<EventText> StreamAsync(Task<HttpResponseMessage> asked)
    {
        var response = await asked;
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/event-stream; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        return new EventText(response, await response.Content.ReadAsStreamAsync(Ct));
    }

    private async Task EndAsync(EventText stream)
    {
        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(1, 1)));
        Assert.EndsWith("data: [DONE]\n\n", await stream.RestAsync(), StringComparison.Ordinal);
    }

    /// <summary>A stream's text as it arrives.</summary>
    private sealed class EventText(HttpResponseMessage response, Stream body) : IDisposable
    {
        private readonly StringBuilder _text = new();
        private int _taken;

        public async Task<string> TakeAsync(int length)
        {
            while (_text.Length < _taken + length) Assert.True(await ReadAsync(), "the stream ended");
            var taken = _text.ToString(_taken, length);
            _taken += length;
            return taken;
        }

        public async Task UntilAsync(string text)
        {
            while (_text.ToString().IndexOf(text, _taken, StringComparison.Ordinal) is var at)
            {
                if (at >= 0)
                {
                    _taken = at + text.Length;
                    return;
                }

                Assert.True(await ReadAsync(), "the stream ended");
            }
        }

        /// <summary>The whole text, once it has ended.</summary>
        public async Task<string> RestAsync()
        {
            while (await ReadAsync())
            {
            }

            return _text.ToString();
        }

        public void Dispose() => response.Dispose();

        private async Task<bool> ReadAsync()
        {
            var buffer = new byte[8192];
            var read = await body.ReadAsync(buffer, Ct);
            _text.Append(Encoding.ASCII.GetString(buffer, 0, read));
            return read > 0;
        }
    }
}
