using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Gateway;
using Penstock.Gateway.Cache;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Cache;

/// <summary>Identical calls in flight at once are one call, whose answer all of them get as it comes.</summary>
public sealed class SingleFlightTests : IAsyncLifetime
{
    private readonly Channel<ProviderFrame> _vendor = Channel.CreateUnbounded<ProviderFrame>();
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync(config: """{"cache": {"default": "on"}, "limits": {"burst": 1000}}""");

    public async ValueTask DisposeAsync()
    {
        await GatewayHost.UntilAsync(() => _host.Script.Open == 0, "a vendor's answer was never left");
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_64_identical_calls_at_once_one_is_made_and_paid(bool stream)
    {
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
        var asked = Enumerable.Range(0, 64).Select(_ => Task.Run(() => _host.ChatAsync(stream: stream))).ToArray();
        await WaitingAsync(63);

        if (stream) _vendor.Writer.TryWrite(Frames.Text("Hello"));
        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(10, 5)));
        _vendor.Writer.Complete();

        var answers = await Task.WhenAll(asked);
        Assert.All(answers, answer => Assert.Equal((200, answers[0].Body), (answer.Status, answer.Body)));
        Assert.Equal(64, answers.Select(answer => answer.RequestId).Distinct().Count());
        var miss = Assert.Single(answers, answer => Said(answer) == "miss");
        Assert.Equal(63, answers.Count(answer => Said(answer) == "shared"));
        Assert.Single(_host.Script.Calls);
        var rows = await _host.RowsAsync();
        Assert.Equal(64, rows.Count);
        Assert.Equal(64, rows.Select(row => row.Request).Distinct().Count());
        var paid = Assert.Single(rows, row => row.Cost > Money.Zero);
        Assert.Equal((AttemptOutcome.Completed, miss.RequestId, 4_500), (paid.Outcome, paid.Request.Value, paid.Cost.NanoDollars));
        Assert.All(rows.Where(row => row != paid), row => Assert.Equal((AttemptOutcome.Cached, TokenCounts.Of(10, 5), null), (row.Outcome, row.Tokens, row.Error)));
        if (!stream) Assert.All(answers.Where(answer => answer != miss), answer => Assert.Equal("0", answer.Headers["x-penstock-cost-usd"]));
        await LandedAsync();
        Assert.Equal("hit", Said(await _host.ChatAsync(stream: stream)));
    }

    [Fact]
    public async Task Calls_that_come_while_others_go_are_never_two_at_once()
    {
        // No frame is held back: callers arrive before, while and after the answer is made, kept and forgotten in flight.
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5)));
        for (var round = 0; round < 20; round++)
        {
            var prompt = $"round {round}";
            var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(() => _host.ChatAsync(stream: i % 2 == 0 && round % 2 == 0, prompt: prompt))));
            Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        }

        // Streamed and whole are two questions, asked in every other round.
        Assert.Equal(30, _host.Script.Calls.Count);
        Assert.Equal(320, (await _host.RowsAsync()).Count);
    }

    [Fact]
    public async Task A_call_that_comes_while_the_answer_is_being_kept_makes_no_other()
    {
        var kept = new TaskCompletionSource();
        await using var host = await GatewayHost.StartAsync(change: services => services.AddSingleton<ICacheStore>(new SlowStore(kept.Task)), config: """{"cache": {"default": "on"}}""");
        // A client that closes its connection when it has the body may be gone before the second call joins.
        using var first = await OpenStream.OpenAsync(host, GatewayHost.Chat());
        var body = await first.ReadToEndAsync();

        var second = await host.ChatAsync();
        kept.SetResult();

        Assert.Equal(("miss", "shared", body), (first.Said, Said(second), second.Body));
        Assert.Single(host.Script.Calls);
    }

    [Fact]
    public async Task A_follower_gets_the_stream_as_it_comes_from_its_start()
    {
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
        _vendor.Writer.TryWrite(Frames.Text("One "));
        using var leader = await OpenAsync();
        await leader.ReadUntilAsync("One ");

        using var follower = await OpenAsync();
        await follower.ReadUntilAsync("One ");
        Assert.Equal(("miss", "shared"), (leader.Said, follower.Said));
        _vendor.Writer.TryWrite(Frames.Text("two"));
        await follower.ReadUntilAsync("two");
        await leader.ReadUntilAsync("two");
        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(1, 1)));
        _vendor.Writer.Complete();

        Assert.Equal(await leader.ReadToEndAsync(), await follower.ReadToEndAsync());
        Assert.EndsWith("data: [DONE]\n\n", follower.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_call_goes_on_while_anybody_waits_and_the_last_to_leave_cancels_it()
    {
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
        _vendor.Writer.TryWrite(Frames.Text("One "));
        var leader = await OpenAsync();
        await leader.ReadUntilAsync("One ");
        var second = await OpenAsync();
        await second.ReadUntilAsync("One ");
        var third = await OpenAsync();
        await third.ReadUntilAsync("One ");

        leader.Dispose();
        second.Dispose();
        await GatewayHost.UntilAsync(async () => (await _host.RowsAsync()).Count == 1, "the second client was not booked");
        _vendor.Writer.TryWrite(Frames.Text("two"));
        await third.ReadUntilAsync("two");
        Assert.Equal(1, _host.Script.Open);

        third.Dispose();

        await GatewayHost.UntilAsync(() => _host.Script.Open == 0, "the vendor was not cancelled");
        await GatewayHost.UntilAsync(async () => (await _host.RowsAsync()).Count == 3);
        var rows = await _host.RowsAsync();
        Assert.All(rows, row => Assert.Equal((AttemptOutcome.ClientGone, "client_gone"), (row.Outcome, row.Error)));
        Assert.Single(rows, row => row.Cost > Money.Zero);
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task A_leader_whose_client_left_completes_for_who_follows_and_pays()
    {
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
        _vendor.Writer.TryWrite(Frames.Text("One "));
        var leader = await OpenAsync();
        await leader.ReadUntilAsync("One ");
        using var follower = await OpenAsync();
        await follower.ReadUntilAsync("One ");

        leader.Dispose();
        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(10, 5)));
        _vendor.Writer.Complete();

        Assert.EndsWith("data: [DONE]\n\n", await follower.ReadToEndAsync(), StringComparison.Ordinal);
        await GatewayHost.UntilAsync(async () => (await _host.RowsAsync()).Count == 2);
        Assert.Equal([AttemptOutcome.Completed, AttemptOutcome.Cached], (await _host.RowsAsync()).Select(row => row.Outcome).Order());
        await LandedAsync();
        Assert.Equal("hit", Said(await _host.ChatAsync(stream: true)));
    }

    [Fact]
    public async Task A_client_that_leads_alone_and_leaves_cancels_as_ever()
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct);
        using var leave = new CancellationTokenSource();
        using var client = _host.Connect(GatewayHost.OperatorKey);
        var asked = client.PostAsync("/v1/chat/completions", new StringContent(GatewayHost.Chat(), Encoding.UTF8, "application/json"), leave.Token);
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);

        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        await GatewayHost.UntilAsync(() => _host.Script.Open == 0);
        Assert.Equal(AttemptOutcome.ClientGone, (await _host.RowAsync()).Outcome);
        await NothingIsLeftAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_leader_that_fails_before_it_began_lets_one_of_the_others_lead(bool stream)
    {
        var fail = new TaskCompletionSource();
        _host.Script.Chat = (_, ct) => _host.Script.Calls.Count == 1 ? FailAsync(fail.Task) : Frames.From(_vendor, ct);
        var asked = Enumerable.Range(0, 8).Select(_ => Task.Run(() => _host.ChatAsync(stream: stream))).ToArray();
        await WaitingAsync(7);

        fail.SetResult();
        await WaitingAsync(6);
        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(10, 5)));
        _vendor.Writer.Complete();

        var answers = await Task.WhenAll(asked);
        Assert.Equal(2, _host.Script.Calls.Count);
        Assert.Single(answers, answer => answer.Status == 503);
        Assert.Single(answers, answer => answer.Status == 200 && Said(answer) == "miss");
        Assert.Equal(6, answers.Count(answer => answer.Status == 200 && Said(answer) == "shared"));
        Assert.Equal(8, (await _host.RowsAsync()).Count);
    }

    [Fact]
    public async Task A_leader_that_no_budget_covers_lets_one_of_the_others_lead()
    {
        var poor = await _host.AddKeyAsync("poor", change: record => record with { MonthlyBudget = new Money(1) });
        _host.Script.Chat = (_, _) => Frames.Of(Frames.End(TokenCounts.Of(10, 5)));
        for (var i = 0; i < 10; i++)
        {
            var prompt = $"round {i}";
            var asked = new[] { Task.Run(() => _host.ChatAsync("gpt-4", key: poor, prompt: prompt)), Task.Run(() => _host.ChatAsync("gpt-4", prompt: prompt)) };
            var answers = await Task.WhenAll(asked);
            Assert.Equal(200, answers[1].Status);
            // Whoever comes second may read what the first paid for.
            Assert.Contains(answers[0].Status, new[] { 200, 402 });
        }

        Assert.Equal(10, _host.Script.Calls.Count);
    }

    [Fact]
    public async Task An_error_in_the_stream_reaches_all_and_is_booked_for_each()
    {
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
        _vendor.Writer.TryWrite(Frames.Text("One "));
        using var leader = await OpenAsync();
        await leader.ReadUntilAsync("One ");
        using var follower = await OpenAsync();
        await follower.ReadUntilAsync("One ");

        _vendor.Writer.Complete(new ProviderException(ProviderFault.CutShort, "The vendor broke."));

        Assert.Contains("provider_cut_short", await leader.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(leader.Text, await follower.ReadToEndAsync());
        await GatewayHost.UntilAsync(async () => (await _host.RowsAsync()).Count == 2);
        var rows = await _host.RowsAsync();
        Assert.All(rows, row => Assert.Equal((AttemptOutcome.CutShort, "provider_cut_short"), (row.Outcome, row.Error)));
        Assert.Single(rows, row => row.Cost > Money.Zero);
        await LandedAsync();
        _host.Script.Chat = (_, _) => Frames.Of(Frames.End(TokenCounts.Of(1, 1)));
        Assert.Equal("miss", Said(await _host.ChatAsync(stream: true)));
    }

    [Fact]
    public async Task A_bug_after_the_beginning_breaks_every_connection()
    {
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
        _vendor.Writer.TryWrite(Frames.Text("One "));
        using var leader = await OpenAsync();
        await leader.ReadUntilAsync("One ");
        using var follower = await OpenAsync();
        await follower.ReadUntilAsync("One ");

        _vendor.Writer.Complete(new InvalidOperationException("bug"));

        await Assert.ThrowsAnyAsync<IOException>(leader.ReadToEndAsync);
        await Assert.ThrowsAnyAsync<IOException>(follower.ReadToEndAsync);
        await GatewayHost.UntilAsync(async () => (await _host.RowsAsync()).Count == 2);
        Assert.All(await _host.RowsAsync(), row => Assert.Equal("internal_error", row.Error));
    }

    [Fact]
    public async Task A_client_that_reads_nothing_slows_nobody()
    {
        // More than any buffer between us and the client takes.
        _host.Script.Chat = (_, ct) => Frames.From(_vendor, ct);
        _vendor.Writer.TryWrite(Frames.Text("One "));
        using var stuck = await OpenAsync();
        await stuck.ReadUntilAsync("One ");
        using var reading = await OpenAsync();
        await reading.ReadUntilAsync("One ");

        for (var i = 0; i < 3_000; i++) _vendor.Writer.TryWrite(Frames.Text(new string('x', 10_000)));
        _vendor.Writer.TryWrite(Frames.End(TokenCounts.Of(1, 1)));
        _vendor.Writer.Complete();

        Assert.EndsWith("data: [DONE]\n\n", await reading.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.True(reading.Text.Length > 30_000_000);
    }

    [Fact]
    public async Task A_stream_that_outlasts_the_drain_ends_for_all_with_its_error_frame()
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct, Frames.Text("One "));
        using var leader = await OpenAsync();
        await leader.ReadUntilAsync("One ");
        using var follower = await OpenAsync();
        await follower.ReadUntilAsync("One ");

        _host.StartDrain();
        _host.Advance(TimeSpan.FromSeconds(30));

        Assert.Contains("shutting_down", await leader.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(leader.Text, await follower.ReadToEndAsync());
        await GatewayHost.UntilAsync(async () => (await _host.RowsAsync()).Count == 2);
        Assert.All(await _host.RowsAsync(), row => Assert.Equal(AttemptOutcome.Drained, row.Outcome));
    }

    private static async IAsyncEnumerable<ProviderFrame> FailAsync(Task when)
    {
        await when;
        throw new ProviderException(ProviderFault.Overloaded, "busy", 529);
#pragma warning disable CS0162 // An iterator needs a yield, even one that is never reached.
        yield break;
#pragma warning restore CS0162
    }

    /// <summary>Until so many wait for another's answer.</summary>
    private Task WaitingAsync(int followers) => GatewayHost.UntilAsync(() => _host.Services.GetRequiredService<Flights>().Followers == followers, $"{followers} followers");

    /// <summary>No flight is left, and nothing failed.</summary>
    private async Task NothingIsLeftAsync()
    {
        await LandedAsync();
        Assert.DoesNotContain(_host.Log.Lines, line => line.Level >= LogLevel.Error);
    }

    /// <summary>Knows nothing, and takes its time to learn.</summary>
    private sealed class SlowStore(Task until) : ICacheStore
    {
        public Task<CachedAnswer?> FindAsync(TenantId tenant, CacheKey key, DateTimeOffset now, CancellationToken ct) => Task.FromResult<CachedAnswer?>(null);

        public Task PutAsync(TenantId tenant, CacheKey key, CachedAnswer answer, CancellationToken ct) => until.WaitAsync(ct);

        public Task<int> TrimAsync(DateTimeOffset now, long mostBytes, CancellationToken ct) => Task.FromResult(0);
    }

    /// <summary>Until no call is in flight any more: an answer is kept beside its way to the client.</summary>
    private Task LandedAsync() => GatewayHost.UntilAsync(() => _host.Services.GetRequiredService<Flights>().Count == 0);

    private static string? Said(Answer answer) => answer.Headers.GetValueOrDefault("x-penstock-cache");

    private async Task<OpenStream> OpenAsync() => await OpenStream.OpenAsync(_host, GatewayHost.Chat(stream: true));
}
