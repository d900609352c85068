using Microsoft.Extensions.DependencyInjection;
using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Regressions;

/// <summary>Failures of other gateways that became public: budgets that let calls pass, or that refuse what they should not. Each is named after its report.</summary>
public sealed class BudgetFailureTests : IAsyncDisposable
{
    /// <summary>An input of some tens of tokens and an output of 1,000 at gpt-4o-mini's prices cost at most about this.</summary>
    private const decimal OneCall = 0.0007m;

    private readonly ManualTime _time = new();
    private GatewayHost? _host;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private GatewayHost Host => _host!;

    public async ValueTask DisposeAsync()
    {
        if (_host is not null) await _host.DisposeAsync();
    }

    /// <summary>https://github.com/BerriAI/litellm/issues/34732: the check and the increment are two steps, and calls at once all pass the check.</summary>
    [Fact]
    public async Task Check_then_increment_race()
    {
        const int Calls = 40;
        const int Affordable = 5;
        await StartAsync();
        await LimitAsync("month", OneCall * Affordable);
        var answers = new TaskCompletionSource();
        Host.Script.Chat = (_, _) => AfterAsync(answers.Task, TokenCounts.Of(10, 1000));

        var calls = Enumerable.Range(0, Calls).Select(_ => AskAsync()).ToArray();
        await GatewayHost.UntilAsync(() => Host.Script.Open + calls.Count(call => call.IsCompleted) == Calls);
        var atOnce = Host.Script.Open;
        answers.SetResult();
        var statuses = (await Task.WhenAll(calls)).Select(answer => answer.Status).ToArray();

        Assert.InRange(atOnce, 1, Affordable);
        Assert.Equal(atOnce, statuses.Count(status => status == 200));
        Assert.Equal(Calls - atOnce, statuses.Count(status => status == 402));
        var standing = await StandingAsync();
        Assert.True(standing.Spent <= standing.Budget.Limit && standing.Held == Money.Zero, $"{standing}");
    }

    /// <summary>https://github.com/BerriAI/litellm/issues/27639: reservations that some ending forgets add up until a budget refuses that is hardly spent.</summary>
    [Fact]
    public async Task Leaked_reservation_phantom_refusal()
    {
        await StartAsync();
        await LimitAsync("month", 1);

        foreach (var ending in Endings())
        {
            Host.Script.Chat = ending;
            foreach (var stream in new[] { false, true }) await Record.ExceptionAsync(() => AskAsync(stream: stream));
        }

        await LeaveAsync(stream: false);
        await LeaveAsync(stream: true);
        Host.Script.Objects = _ => Refusal.Invalid("messages", "No.");
        Assert.Equal(400, (await AskAsync()).Status);
        Host.Script.Objects = _ => null;
        await GatewayHost.UntilAsync(async () => (await StandingAsync()).Held == Money.Zero, "a hold was never given back");

        // What is left, and nothing less, can be had.
        var standing = await StandingAsync();
        await LimitAsync("month", standing.Spent.Usd + OneCall);
        Host.Script.Chat = (_, _) => Frames.Of(Frames.End(TokenCounts.Of(10, 5)));
        Assert.Equal(200, (await AskAsync()).Status);
    }

    /// <summary>https://github.com/BerriAI/litellm/issues/33923: the reservation cannot be written, and the call goes out all the same.</summary>
    [Fact]
    public async Task Fail_open_on_write_failure()
    {
        await StartAsync(FailingBudgetStore.In);
        Host.Services.GetRequiredService<FailingBudgetStore>().FailsToReserve = true;

        foreach (var stream in new[] { false, true }) Assert.InRange((await AskAsync(stream: stream)).Status, 500, 503);

        Assert.Empty(Host.Script.Calls);
        Assert.Empty(await Host.RowsAsync());
        Host.Services.GetRequiredService<FailingBudgetStore>().FailsToReserve = false;
        Assert.Equal(200, (await AskAsync()).Status);
    }

    /// <summary>The other half of it: what could not be booked stays held, and no client has an answer that is in no ledger.</summary>
    [Fact]
    public async Task Fail_open_on_write_failure_of_the_settle()
    {
        await StartAsync(FailingBudgetStore.In);
        await LimitAsync("month", OneCall);
        Host.Services.GetRequiredService<FailingBudgetStore>().FailsToSettle = true;

        var answer = await AskAsync();

        Assert.InRange(answer.Status, 500, 503);
        Assert.DoesNotContain("Hello", answer.Body, StringComparison.Ordinal);
        Host.Services.GetRequiredService<FailingBudgetStore>().FailsToSettle = false;
        Assert.True((await StandingAsync()).Held > Money.Zero, "the money is free though nobody knows what the call cost");
        Assert.Equal(402, (await AskAsync()).Status);
    }

    /// <summary>https://github.com/BerriAI/litellm/pull/40002: a reservation at the rates of a short context lets a long one pass its budget.</summary>
    [Fact]
    public async Task Long_context_price_ignored_when_it_is_reserved()
    {
        await StartAsync();
        // 220,000 bytes may be so many tokens: at most 0.83 USD at the short rates, and 1.65 at the long ones.
        var prompt = new string('x', 220_000);
        await LimitAsync("month", 1.2m);

        var refused = await Host.PostAsync("/v1/messages", Messages(prompt));
        await LimitAsync("month", 2);
        var passed = await Host.PostAsync("/v1/messages", Messages(prompt));

        Assert.Equal((402, 200), (refused.Status, passed.Status));
    }

    /// <summary>https://github.com/crmne/ruby_llm/pull/859: past the threshold the whole request costs the long rates, cached input counted.</summary>
    [Theory]
    [InlineData(200_000, 0, 600_000_000)]
    [InlineData(200_001, 0, 1_200_006_000)]
    [InlineData(1, 200_000, 120_006_000)]
    public async Task Long_context_price_ignored_when_it_is_settled(long input, long cached, long nanos)
    {
        await StartAsync();
        Host.Script.Chat = (_, _) => Frames.Of(Frames.End(new TokenCounts(input, cached, 0, 0, 0, 0)));

        Assert.Equal(200, (await Host.PostAsync("/v1/messages", Messages("hi"))).Status);

        Assert.Equal(nanos, (await Host.RowAsync()).Cost.NanoDollars);
    }

    /// <summary>https://github.com/BerriAI/litellm/issues/34896: a window of another time zone resets late by the offset.</summary>
    [Theory]
    [InlineData("month", "Asia/Tokyo", "2026-07-31T15:00:00Z")]
    [InlineData("day", "Asia/Tokyo", "2026-08-20T15:00:00Z")]
    [InlineData("week", "Asia/Shanghai", "2026-08-23T16:00:00Z")]
    [InlineData("month", "America/New_York", "2026-08-01T04:00:00Z")]
    // The day on which clocks go back has 25 hours.
    [InlineData("day", "Europe/Zurich", "2026-10-25T23:00:00Z")]
    [InlineData("day", "UTC", "2026-08-21T00:00:00Z")]
    public async Task Window_reset_late_by_a_time_zone(string period, string zone, string reset)
    {
        var end = DateTimeOffset.Parse(reset, System.Globalization.CultureInfo.InvariantCulture);
        await StartAsync(time: new ManualTime(end.AddMinutes(-30)));
        await LimitAsync(period, OneCall, zone);
        Host.Script.Chat = (_, _) => Frames.Of(Frames.End(TokenCounts.Of(10, 1000)));
        Assert.Equal(200, (await AskAsync()).Status);

        Host.Advance(TimeSpan.FromMinutes(30) - TimeSpan.FromMilliseconds(1));
        var before = (await AskAsync()).Status;
        Host.Advance(TimeSpan.FromMilliseconds(1));
        var after = (await AskAsync()).Status;

        Assert.Equal((402, 200), (before, after));
    }

    /// <summary>https://github.com/BerriAI/litellm/issues/14457: a client that leaves a stream takes what it got for nothing.</summary>
    [Fact]
    public async Task Disconnected_stream_not_billed()
    {
        await StartAsync();
        await LimitAsync("month", 1);

        await LeaveAsync(stream: true);

        var row = await Host.RowAsync();
        Assert.Equal((AttemptOutcome.ClientGone, true), (row.Outcome, row.Estimated));
        Assert.True(row.Tokens is { Input: > 0, Output: > 0 } && row.Cost > Money.Zero, $"{row}");
        Assert.Equal((row.Cost, Money.Zero), ((await StandingAsync()).Spent, (await StandingAsync()).Held));
    }

    /// <summary>https://github.com/BerriAI/litellm/issues/37992: a zero of the provider is taken for none, and an estimate is charged.</summary>
    [Fact]
    public async Task Explicit_zero_usage_replaced_by_an_estimate_when_the_client_leaves()
    {
        await StartAsync();

        await LeaveAsync(stream: true, Frames.Usage(default, final: true));

        var row = await Host.RowAsync();
        Assert.Equal((default, false, Money.Zero, AttemptOutcome.ClientGone), (row.Tokens, row.Estimated, row.Cost, row.Outcome));
    }

    private static IEnumerable<Func<ProviderCall, CancellationToken, IAsyncEnumerable<ProviderFrame>>> Endings()
    {
        foreach (var fault in Enum.GetValues<ProviderFault>())
        {
            yield return (_, _) => Frames.Then(new ProviderException(fault, "no"));
            yield return (_, _) => Frames.Then(new ProviderException(fault, "no"), Frames.Text("One two"));
        }

        yield return (_, _) => Frames.Then(new InvalidOperationException("a bug"));
        yield return (_, _) => Frames.Of();
        yield return (_, _) => Frames.Of(Frames.End());
        yield return (_, _) => Frames.Of(Frames.End(default(TokenCounts)));
        yield return (_, _) => Frames.Of(Frames.End(TokenCounts.Of(3, 4)));
    }

    /// <summary>A client that goes when the provider has begun.</summary>
    private async Task LeaveAsync(bool stream, params ProviderFrame[] more)
    {
        var open = Host.Script.Calls.Count;
        Host.Script.Chat = (_, ct) => Frames.Hang(ct, [Frames.Text("One two three four."), .. more]);
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(Body(stream), System.Text.Encoding.UTF8, "application/json") };
        var asked = Host.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave.Token);
        await GatewayHost.UntilAsync(() => Host.Script.Calls.Count > open);
        if (stream)
        {
            using var answer = await asked;
            var body = await answer.Content.ReadAsStreamAsync(Ct);
            Assert.NotEqual(0, await body.ReadAsync(new byte[64], Ct));
            await leave.CancelAsync();
        }
        else
        {
            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        }

        await GatewayHost.UntilAsync(() => Host.Script.Open == 0, "the provider was not left");
    }

    private async Task StartAsync(Action<IServiceCollection>? change = null, ManualTime? time = null) =>
        _host = await GatewayHost.StartAsync(time ?? _time, """{"limits": {"requestsPerSecond": 100000, "burst": 100000}}""", change, ("ANTHROPIC_API_KEY", "sk-ant-upstream"));

    /// <summary>On the whole tenant.</summary>
    private async Task LimitAsync(string period, decimal usd, string zone = "UTC")
    {
        var put = await Host.SendAsync(HttpMethod.Put, "/v1/usage/budget", FormattableString.Invariant($$"""{"scope": "tenant", "period": "{{period}}", "limit": {{usd}}, "timeZone": "{{zone}}"}"""));
        Assert.Equal(200, put.Status);
    }

    private async Task<BudgetStatus> StandingAsync() => Assert.Single(await Host.Services.GetRequiredService<IBudgetStore>().ListAsync(TenantId.Default, Host.Time.GetUtcNow(), Ct));

    private Task<Answer> AskAsync(bool stream = false) => Host.PostAsync("/v1/chat/completions", Body(stream));

    private static string Body(bool stream) => $$"""{"model": "gpt-4o-mini", "max_tokens": 1000, "stream": {{(stream ? "true" : "false")}}, "messages": [{"role": "user", "content": "hello"}]}""";

    private static string Messages(string prompt) => $$"""{"model": "claude-sonnet-4-20250514", "max_tokens": 64, "messages": [{"role": "user", "content": "{{prompt}}"}]}""";

    private static async IAsyncEnumerable<ProviderFrame> AfterAsync(Task gate, TokenCounts counts)
    {
        await gate;
        yield return Frames.End(counts);
    }
}
