using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Sqlite;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway;

/// <summary>However a call ends, its attempt stands in the ledger exactly once, with what was metered.</summary>
public sealed class BookingTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await GatewayHost.UntilAsync(() => _host.Script.Open == 0, "a vendor's answer was never left");
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_complete_answer_is_booked_as_the_vendor_metered_it(bool stream)
    {
        var counts = new TokenCounts(1, 2, 0, 0, 5, 6);
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.Usage(TokenCounts.Of(99, 99), final: false), Frames.End(counts));
        if (!stream) _host.Script.Chat = (_, _) => Frames.Of(Frames.End(counts));

        var answer = await _host.ChatAsync(stream: stream);

        Assert.Equal(200, answer.Status);
        var row = await _host.RowAsync();
        Assert.Equal((AttemptOutcome.Completed, counts, false, null), (row.Outcome, row.Tokens, row.Estimated, row.Error));
        // 1 × 150 + 2 × 75 + 11 × 600 nano-dollars.
        Assert.Equal(6_900, row.Cost.NanoDollars);
        Assert.Equal((answer.RequestId, "2026-07-24", "gpt-4o-mini", "gpt-4o-mini", "openai", "chat", stream), (row.Request.Value, row.PriceVersion, row.Model, row.RequestedModel, row.Provider, row.Operation, row.Streamed));
        Assert.Equal(_host.Script.Calls.Single().Attempt, row.Attempt);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_vendors_zero_is_a_zero_and_no_estimate(bool stream)
    {
        _host.Script.Chat = (_, _) => stream ? Frames.Of(Frames.Text("Hello"), Frames.End(default(TokenCounts))) : Frames.Of(Frames.End(default(TokenCounts)));

        await _host.ChatAsync(stream: stream);

        var row = await _host.RowAsync();
        Assert.Equal((default, false, 0), (row.Tokens, row.Estimated, row.Cost.NanoDollars));
    }

    [Fact]
    public async Task Counts_the_vendor_leaves_out_are_estimated_and_marked()
    {
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Four letters make a token or so."), Frames.End());

        await _host.ChatAsync(stream: true);

        var row = await _host.RowAsync();
        Assert.True(row.Estimated);
        Assert.True(row.Tokens.Input > 0 && row.Cost.NanoDollars > 0);
        Assert.Equal(8, row.Tokens.Output);
    }

    [Fact]
    public async Task The_class_that_was_served_decides_the_price()
    {
        _host.Script.Chat = (_, _) => Frames.Of(new ProviderFrame(null, default, [new Finished(0, FinishReason.Stop), new UsageReported(TokenCounts.Of(1000, 0), true, "priority")], Last: true));

        await _host.ChatAsync();

        Assert.Equal(250_000, (await _host.RowAsync()).Cost.NanoDollars);
    }

    [Theory]
    [InlineData(ProviderFault.Rejected, 400, 400, "provider_rejected")]
    [InlineData(ProviderFault.Rejected, 413, 413, "body_too_large")]
    [InlineData(ProviderFault.ModelUnknown, 404, 404, "model_not_found")]
    [InlineData(ProviderFault.Unauthorized, 401, 502, "provider_unauthorized")]
    [InlineData(ProviderFault.Limited, 429, 429, "provider_rate_limited")]
    [InlineData(ProviderFault.QuotaSpent, 429, 502, "provider_quota_spent")]
    [InlineData(ProviderFault.Overloaded, 529, 503, "provider_overloaded")]
    [InlineData(ProviderFault.Broken, 500, 502, "provider_failed")]
    [InlineData(ProviderFault.Unreachable, null, 502, "provider_unreachable")]
    public async Task A_vendors_refusal_is_an_attempt_of_no_tokens(ProviderFault fault, int? vendors, int status, string code)
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(fault, "The vendor said no.", vendors));

        foreach (var stream in new[] { false, true }) Assert.Equal(status, (await _host.ChatAsync(stream: stream)).Status);

        var rows = await _host.RowsAsync();
        Assert.Equal(2, rows.Count);
        Assert.All(rows, row => Assert.Equal((AttemptOutcome.ProviderFailed, default, false, 0, code), (row.Outcome, row.Tokens, row.Estimated, row.Cost.NanoDollars, row.Error)));
    }

    [Fact]
    public async Task A_vendor_that_may_have_worked_in_vain_is_booked_by_estimate()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.TimedOut, "It fell silent."));

        Assert.Equal(504, (await _host.ChatAsync()).Status);

        var row = await _host.RowAsync();
        Assert.True(row.Estimated && row.Tokens.Input > 0);
        Assert.Equal((0, "provider_timed_out"), (row.Tokens.Output, row.Error));
    }

    [Theory]
    [InlineData(ProviderFault.Broken, AttemptOutcome.ProviderFailed, "provider_failed")]
    [InlineData(ProviderFault.CutShort, AttemptOutcome.CutShort, "provider_cut_short")]
    public async Task An_error_in_the_stream_is_a_frame_and_what_came_before_it_is_booked(ProviderFault fault, AttemptOutcome outcome, string code)
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(fault, "The vendor broke."), Frames.Text("One two three four."));

        var answer = await _host.ChatAsync(stream: true);

        Assert.Equal(200, answer.Status);
        Assert.EndsWith("""data: {"error":{"message":"The vendor broke.","type":"server_error","param":null,"code":"CODE"}}""".Replace("CODE", code, StringComparison.Ordinal) + "\n\n", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", answer.Body, StringComparison.Ordinal);
        var row = await _host.RowAsync();
        Assert.Equal((outcome, code, true), (row.Outcome, row.Error, row.Estimated));
        Assert.True(row.Tokens is { Input: > 0, Output: > 0 });
    }

    [Fact]
    public async Task Counts_so_far_stand_where_the_stream_breaks_and_the_estimate_only_adds_to_them()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.CutShort, "cut"), Frames.Usage(new TokenCounts(11, 22, 33, 44, 1, 2), final: false), Frames.Text(new string('x', 400)));

        await _host.ChatAsync(stream: true);

        var row = await _host.RowAsync();
        Assert.Equal((new TokenCounts(11, 22, 33, 44, 100, 2), true), (row.Tokens, row.Estimated));
    }

    [Fact]
    public async Task Final_counts_stand_though_the_stream_breaks_after_them()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.CutShort, "cut"), Frames.Text("Hello"), Frames.Usage(TokenCounts.Of(3, 4), final: true));

        await _host.ChatAsync(stream: true);

        var row = await _host.RowAsync();
        Assert.Equal((TokenCounts.Of(3, 4), false, AttemptOutcome.CutShort), (row.Tokens, row.Estimated, row.Outcome));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_that_ends_without_its_last_frame_is_a_bug_and_is_booked(bool stream)
    {
        _host.Script.Chat = (_, _) => Frames.Of();

        var answer = await _host.ChatAsync(stream: stream);

        Assert.Equal(500, answer.Status);
        Assert.Equal((AttemptOutcome.ProviderFailed, "internal_error"), ((await _host.RowAsync()).Outcome, (await _host.RowAsync()).Error));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_bug_is_500_without_a_trace_of_it_and_is_booked(bool stream)
    {
        _host.Script.Chat = (_, _) => Frames.Then(new InvalidOperationException("secret detail of ours"));

        var answer = await _host.ChatAsync(stream: stream);

        Assert.Equal(500, answer.Status);
        Assert.Equal("internal_error", answer.Text("error", "code"));
        Assert.DoesNotContain("secret detail", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", answer.Body, StringComparison.Ordinal);
        Assert.Contains(_host.Log.Own, line => line.Level == LogLevel.Error && line.Exception?.Message == "secret detail of ours");
        Assert.Equal("internal_error", (await _host.RowAsync()).Error);
    }

    [Fact]
    public async Task A_bug_after_the_first_frame_breaks_the_connection_and_is_booked()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new InvalidOperationException("bug"), Frames.Text("Hello"));

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => _host.ChatAsync(stream: true));

        var row = await _host.RowAsync();
        Assert.Equal((AttemptOutcome.ProviderFailed, "internal_error", true), (row.Outcome, row.Error, row.Tokens.Output > 0));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Counts_past_all_money_do_not_lose_the_attempt(bool stream)
    {
        _host.Script.Chat = (_, _) => Frames.Of(Frames.End(new TokenCounts(long.MaxValue, long.MaxValue, 0, 0, long.MaxValue, 1)));

        await Record.ExceptionAsync(() => _host.ChatAsync(stream: stream));

        Assert.Equal("gpt-4o-mini", (await _host.RowAsync()).Model);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_leaves_before_any_answer_cancels_the_vendor_and_is_booked(bool stream)
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct);
        using (var leave = new CancellationTokenSource())
        {
            var asked = PostAsync(stream, leave.Token);
            await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        }

        await GatewayHost.UntilAsync(() => _host.Script.Open == 0);
        var row = await _host.RowAsync();
        Assert.Equal((AttemptOutcome.ClientGone, "client_gone", true, 0), (row.Outcome, row.Error, row.Estimated, row.Tokens.Output));
        Assert.True(row.Tokens.Input > 0);
        await NoErrorAsync();
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_cancels_the_vendor_and_what_came_is_booked()
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct, Frames.Text("One two three four."));
        using (var leave = new CancellationTokenSource())
        {
            using var response = await PostAsync(true, leave.Token);
            var body = await response.Content.ReadAsStreamAsync(Ct);
            Assert.NotEqual(0, await body.ReadAsync(new byte[64], Ct));
            await leave.CancelAsync();
        }

        var row = await _host.RowAsync();
        Assert.Equal((AttemptOutcome.ClientGone, true), (row.Outcome, row.Tokens.Output > 0));
        await NoErrorAsync();
    }

    [Fact]
    public async Task A_client_that_resets_its_connection_at_any_moment_is_a_client_gone_and_nothing_else()
    {
        const int Rounds = 60;
        var seeded = new SeededSource(5);
        _host.Script.Chat = (_, ct) => Endless(ct);
        for (var i = 0; i < Rounds; i++)
        {
            var round = i;
            using var socket = await AskAsync(GatewayHost.Chat(stream: true));
            await GatewayHost.UntilAsync(() => _host.Script.Calls.Count > round);
            var wanted = seeded.Below(20_000);
            var buffer = new byte[1 + seeded.Below(4096)];
            for (var read = 0; read < wanted;) read += await socket.ReceiveAsync(buffer, Ct);
            socket.LingerState = new LingerOption(true, 0);
        }

        await GatewayHost.UntilAsync(async () => (await _host.RowsAsync()).Count == Rounds);
        Assert.All(await _host.RowsAsync(), row => Assert.Equal((AttemptOutcome.ClientGone, "client_gone"), (row.Outcome, row.Error)));
        await NoErrorAsync();
    }

    [Fact]
    public async Task A_client_that_resets_while_pings_go_out_is_a_client_gone_and_nothing_else()
    {
        const int Rounds = 30;
        _host.Script.Chat = (_, ct) => Frames.Hang(ct);
        for (var round = 0; round < Rounds; round++)
        {
            using (var socket = await AskAsync(GatewayHost.Chat(stream: true)))
            {
                await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
                var buffer = new byte[1024];
                var heard = socket.ReceiveAsync(buffer, Ct).AsTask();
                await GatewayHost.UntilAsync(() =>
                {
                    _host.Advance(TimeSpan.FromSeconds(1));
                    return heard.IsCompleted;
                });
                socket.LingerState = new LingerOption(true, 0);
            }

            var expected = round + 1;
            await GatewayHost.UntilAsync(async () =>
            {
                _host.Advance(TimeSpan.FromSeconds(1));
                return (await _host.RowsAsync()).Count == expected;
            });
        }

        Assert.All(await _host.RowsAsync(), row => Assert.Equal((AttemptOutcome.ClientGone, "client_gone"), (row.Outcome, row.Error)));
        await NoErrorAsync();
    }

    [Fact]
    public async Task A_stream_that_outlasts_the_drain_ends_with_an_error_frame_and_is_booked()
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct, Frames.Text("One two three four."));
        using var response = await PostAsync(true, Ct);
        Assert.Equal(200, (int)response.StatusCode);

        _host.StartDrain();
        Assert.Equal(503, (await _host.ChatAsync()).Status);
        _host.Advance(TimeSpan.FromSeconds(30));

        var body = await response.Content.ReadAsStringAsync(Ct);
        Assert.EndsWith("""data: {"error":{"message":"This server is stopping; send the request again.","type":"server_error","param":null,"code":"shutting_down"}}""" + "\n\n", body, StringComparison.Ordinal);
        var row = await _host.RowAsync();
        Assert.Equal((AttemptOutcome.Drained, "shutting_down", true), (row.Outcome, row.Error, row.Tokens.Output > 0));
        await NoErrorAsync();
    }

    [Fact]
    public async Task A_whole_answer_that_outlasts_the_drain_is_503_and_is_booked()
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct);
        var asked = _host.ChatAsync();
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);

        _host.StartDrain();
        _host.Advance(TimeSpan.FromSeconds(30));

        var answer = await asked;
        Assert.Equal((503, "1"), (answer.Status, answer.Headers["Retry-After"]));
        Assert.Equal(AttemptOutcome.Drained, (await _host.RowAsync()).Outcome);
    }

    [Fact]
    public async Task A_client_that_reads_nothing_for_a_minute_is_gone()
    {
        _host.Script.Chat = (_, ct) => Endless(ct);
        using var deaf = await AskAsync(GatewayHost.Chat(stream: true));

        await GatewayHost.UntilAsync(async () => { _host.Advance(TimeSpan.FromSeconds(61)); return (await _host.RowsAsync()).Count > 0; });

        Assert.Equal((AttemptOutcome.ClientGone, true), ((await _host.RowAsync()).Outcome, (await _host.RowAsync()).Estimated));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_that_cannot_be_booked_is_never_shown_as_complete(bool stream)
    {
        var channel = Channel.CreateUnbounded<ProviderFrame>();
        _host.Script.Chat = (_, ct) => Frames.From(channel, ct);
        var asked = _host.ChatAsync(stream: stream);
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
        await _host.Services.GetRequiredService<SqliteDatabase>().DisposeAsync();

        channel.Writer.TryWrite(Frames.End(TokenCounts.Of(1, 1)));
        channel.Writer.Complete();

        if (stream) await Assert.ThrowsAnyAsync<HttpRequestException>(() => asked);
        else Assert.Equal((500, "internal_error"), ((await asked).Status, (await asked).Text("error", "code")));
        Assert.Single(_host.Log.Own, line => line.Level == LogLevel.Critical && line.Text.EndsWith("could not be booked", StringComparison.Ordinal));
        // What could not be stored is in the log all the same.
        Assert.Single(_host.Log.Own, line => line.Text.Contains("completed input 1", StringComparison.Ordinal));
    }

    private Task<HttpResponseMessage> PostAsync(bool stream, CancellationToken ct)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(GatewayHost.Chat(stream: stream), Encoding.UTF8, "application/json") };
        return _host.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
    }

    private async Task<Socket> AskAsync(string body)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_host.Address.Host, _host.Address.Port, Ct);
        await socket.SendAsync(Encoding.UTF8.GetBytes($"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {GatewayHost.OperatorKey}\r\nContent-Length: {body.Length}\r\n\r\n{body}"), Ct);
        return socket;
    }

    private static async IAsyncEnumerable<ProviderFrame> Endless([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            await Task.Yield();
            yield return Frames.Text("more and more ");
        }
    }

    /// <summary>No departure is an error, neither ours nor the server's.</summary>
    private async Task NoErrorAsync()
    {
        await GatewayHost.UntilAsync(() => _host.Script.Open == 0);
        // A request that follows is answered after the one before it was left for good.
        Assert.Equal(200, (await _host.SendAsync(HttpMethod.Get, "/health")).Status);
        Assert.DoesNotContain(_host.Log.Lines, line => line.Level >= LogLevel.Error);
    }
}
