using Microsoft.Extensions.Logging;
using Penstock.Alerts;
using Penstock.Budgets;
using Penstock.Configuration;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tests.Configuration;
using Penstock.Tests.Gateway;
using Penstock.Tests.Http;
using Penstock.Tests.Keys;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Alerts;

/// <summary>From the store to the channels and back, on real sockets.</summary>
public sealed class AlertDeliveryTests : IAsyncLifetime
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private readonly EmbeddedStore _store = new();
    private readonly AlertHttp _http = new();
    private readonly AlertSection _section = new();
    private readonly ManualTime _time = new();
    private readonly LogSink _log = new();
    private Receiver _ops = null!;
    private Receiver _slack = null!;
    private EnvironmentKeys _environment = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private AlertChannels Channels => new(_section, _environment, _http, _time);

    private AlertDelivery Delivery => new(_store.Alerts, Channels, _time, _log.For<AlertDelivery>());

    public async ValueTask InitializeAsync()
    {
        (_ops, _slack) = (await Receiver.StartAsync(Ct), await Receiver.StartAsync(Ct));
        _environment = Sections.Environment(("SLACK_WEBHOOK_URL", _slack.Address + "/topsecret"));
        Configure(_ops);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _ops.DisposeAsync();
        await _slack.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task An_alert_goes_to_every_channel_once_and_is_over()
    {
        await SpendAsync(500);

        await RoundAsync();
        await RoundAsync(TimeSpan.FromDays(1));

        Assert.Equal(Assert.Single(_ops.Seen).Json.GetProperty("data").GetProperty("id").GetString(), _ops.Seen[0].Headers["webhook-id"]);
        Assert.Single(_slack.Seen);
        var line = Assert.Single(_log.Lines);
        Assert.Equal(LogLevel.Warning, line.Level);
        Assert.StartsWith("50 % of the monthly budget of tenant 'default' is spent: 0.0000005 of 0.000001 USD (50.0 %) (evt_", line.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_channel_that_fails_is_tried_again_and_the_other_is_left_alone()
    {
        await SpendAsync(500);
        _slack.Answer = Receiver.Status(500);

        await RoundAsync();
        await RoundAsync(TimeSpan.FromSeconds(3));
        Assert.Equal((1, 1), (_ops.Seen.Count, _slack.Seen.Count));
        await RoundAsync(TimeSpan.FromSeconds(2));
        Assert.Equal((1, 2), (_ops.Seen.Count, _slack.Seen.Count));
        _slack.Answer = null;
        await RoundAsync(TimeSpan.FromSeconds(5));
        await RoundAsync(TimeSpan.FromSeconds(5));
        await RoundAsync(TimeSpan.FromDays(1));

        Assert.Equal((1, 3), (_ops.Seen.Count, _slack.Seen.Count));
        Assert.Equal(2, _log.Lines.Count(line => line.Text.Contains("did not reach slack", StringComparison.Ordinal)));
        Assert.DoesNotContain(_log.Lines, line => line.ToString().Contains("topsecret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_channel_that_says_nothing_is_left_after_ten_seconds()
    {
        await SpendAsync(500);
        _ops.Answer = Receiver.Silence;
        var delivery = Delivery;
        var alert = Assert.Single(await delivery.TakeAsync(10, Ct));

        var delivering = delivery.DeliverAsync(alert, CancellationToken.None);
        await GatewayHost.UntilAsync(() => _ops.Seen.Count == 1 && _slack.Seen.Count == 1);
        _time.Advance(TimeSpan.FromSeconds(9.9));
        Assert.False(delivering.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        await delivering;

        Assert.Contains(_log.Lines, line => line.Text.Contains("did not reach webhook:ops at try 1: it did not answer within 10 s", StringComparison.Ordinal));
        _ops.Answer = null;
        await RoundAsync(TimeSpan.FromSeconds(5));
        Assert.Equal((2, 1), (_ops.Seen.Count, _slack.Seen.Count));
    }

    [Fact]
    public async Task After_three_days_it_is_given_up_loudly()
    {
        await SpendAsync(500);
        _slack.Answer = Receiver.Status(404);

        for (var hour = 0; hour < 72; hour++) await RoundAsync(TimeSpan.FromHours(1));
        var tries = _slack.Seen.Count;
        for (var hour = 0; hour < 72; hour++) await RoundAsync(TimeSpan.FromHours(1));

        Assert.InRange(tries, 70, 73);
        Assert.Equal(tries, _slack.Seen.Count);
        var line = Assert.Single(_log.Lines, line => line.Level == LogLevel.Critical);
        Assert.Contains("Not told: slack", line.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(_log.Lines, other => other.ToString().Contains("topsecret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_was_raised_long_before_anybody_sends_is_not_sent()
    {
        await SpendAsync(500);

        await RoundAsync(TimeSpan.FromDays(4));

        Assert.Equal((0, 0), (_ops.Seen.Count, _slack.Seen.Count));
        Assert.Contains(_log.Lines, line => line.Text.Contains("it is not sent any more", StringComparison.Ordinal));
        Assert.DoesNotContain(_log.Lines, line => line.Level == LogLevel.Critical);
    }

    [Fact]
    public async Task A_channel_of_a_new_configuration_gets_what_waits_and_one_that_is_gone_holds_up_nothing()
    {
        await SpendAsync(500);
        _ops.Answer = Receiver.Status(500);
        await RoundAsync();
        await using var other = await Receiver.StartAsync(Ct);

        Assert.Empty(_section.Read(Webhook("new", other)));
        await RoundAsync(TimeSpan.FromSeconds(5));
        await RoundAsync(TimeSpan.FromDays(1));

        Assert.Equal((1, 1, 1), (_ops.Seen.Count, _slack.Seen.Count, other.Seen.Count));
    }

    [Fact]
    public async Task Without_a_channel_the_log_is_told()
    {
        _environment = Sections.Environment();
        Assert.Empty(_section.Read("{}"));
        await SpendAsync(1000);

        await RoundAsync();
        await RoundAsync(TimeSpan.FromDays(1));

        Assert.Equal(3, _log.Lines.Count);
    }

    [Fact]
    public async Task A_server_that_stops_leaves_what_it_did_not_send_to_the_next()
    {
        await SpendAsync(500);
        _ops.Answer = Receiver.Silence;
        var delivery = Delivery;
        using var stopping = new CancellationTokenSource();
        var delivering = delivery.DeliverAsync(Assert.Single(await delivery.TakeAsync(10, Ct)), stopping.Token);
        await GatewayHost.UntilAsync(() => _ops.Seen.Count == 1 && _slack.Seen.Count == 1);

        await stopping.CancelAsync();
        await delivering;
        _ops.Answer = null;
        await RoundAsync();

        Assert.Equal(2, _ops.Seen.Count);
        Assert.Equal(_ops.Seen[0].Headers["webhook-id"], _ops.Seen[1].Headers["webhook-id"]);
        Assert.DoesNotContain(_log.Lines, line => line.Text.Contains("did not reach", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_running_server_sends_within_seconds_and_nobody_waits_for_a_silent_channel()
    {
        _slack.Answer = Receiver.Silence;
        using var sender = Sender(TimeProvider.System);
        await sender.StartAsync(Ct);

        await SpendAsync(500, TimeProvider.System.GetUtcNow());
        await GatewayHost.UntilAsync(() => _ops.Seen.Count == 1 && _slack.Seen.Count == 1);
        await SpendAsync(300, TimeProvider.System.GetUtcNow());
        var started = TimeProvider.System.GetTimestamp();
        await GatewayHost.UntilAsync(() => _ops.Seen.Count == 2);

        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(8));
        await sender.StopAsync(Ct);
    }

    [Fact]
    public async Task Alerts_that_are_off_stay_where_they_are()
    {
        _environment = Sections.Environment(("BUDGET_ALERTS_ENABLED", "false"), ("SLACK_WEBHOOK_URL", _slack.Address));
        await SpendAsync(500);
        using var sender = Sender(TimeProvider.System);

        await sender.StartAsync(Ct);
        await sender.ExecuteTask!;

        Assert.Equal((0, 0, 0), (_ops.Seen.Count, _slack.Seen.Count, _log.Lines.Count));
        Assert.Single(await Delivery.TakeAsync(10, Ct));
    }

    [Fact]
    public async Task An_address_without_a_server_is_told_at_the_start()
    {
        _environment = Sections.Environment(("ALERT_EMAIL", "a@b.test"));
        using var sender = Sender(_time);

        await sender.StartAsync(Ct);
        await GatewayHost.UntilAsync(() => _log.Lines.Count == 1);

        Assert.StartsWith("ALERT_EMAIL is set, but alerts.smtp", _log.Lines[0].Text, StringComparison.Ordinal);
        await sender.StopAsync(Ct);
    }

    private AlertSender Sender(TimeProvider time) =>
        new(new AlertDelivery(_store.Alerts, new AlertChannels(_section, _environment, _http, time), time, _log.For<AlertDelivery>()), Channels, _environment, time, _log.For<AlertSender>());

    private void Configure(Receiver receiver) => Assert.Empty(_section.Read(Webhook("ops", receiver)));

    private static string Webhook(string name, Receiver receiver) => $$"""{"alerts": {"webhooks": {"{{name}}": {"url": "{{receiver.Url("/hook")}}", "secret": "{{Secret}}"} } } }""";

    /// <summary>One look at the store, and everything that was due is dealt with after it.</summary>
    private async Task RoundAsync(TimeSpan after = default)
    {
        _time.Advance(after);
        var delivery = Delivery;
        foreach (var alert in await delivery.TakeAsync(100, Ct)) await delivery.DeliverAsync(alert, CancellationToken.None);
    }

    /// <summary>A call at a cost, under a budget of 1000 nano-dollars a month.</summary>
    private async Task SpendAsync(long nanos, DateTimeOffset? now = null)
    {
        var (attempt, scope, at) = (new AttemptId($"a{Guid.NewGuid():N}"), new BudgetScope(BudgetScopeKind.Tenant, "default"), now ?? _time.GetUtcNow());
        await _store.Budgets.PutAsync(new Budget { Tenant = TenantId.Default, Scope = scope, Period = BudgetPeriod.Month, Limit = new Money(1000) }, Ct);
        var row = new LedgerRow
        {
            Tenant = TenantId.Default,
            Attempt = attempt,
            Request = new RequestId("r"),
            Project = ProjectId.Default,
            Key = new KeyId("k1"),
            At = at,
            Operation = "chat",
            Route = "/v1/complete",
            Provider = "openai",
            RequestedModel = "m",
            Model = "m",
            Tokens = TokenCounts.Of(1, 1),
            Cost = new Money(nanos),
            PriceVersion = "test",
            Outcome = AttemptOutcome.Completed,
            LatencyMs = 0,
        };
        await _store.Budgets.ReserveAsync(new HoldRequest { Unsettled = row, Wanted = row.Cost, Least = row.Cost, ExpiresAt = at.AddHours(1) }, Ct);
        await _store.Budgets.SettleAsync(row, Ct);
    }
}
