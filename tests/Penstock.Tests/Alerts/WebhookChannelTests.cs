using System.Security.Cryptography;
using System.Text;
using Penstock.Alerts;
using Penstock.Configuration;
using Penstock.Contracts;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Alerts;

/// <summary>The reference implementation itself checks signatures in the clients' suites.</summary>
public sealed class WebhookChannelTests : IAsyncLifetime
{
    private static readonly byte[] Secret = Convert.FromBase64String("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

    private readonly AlertHttp _http = new();
    private readonly ManualTime _time = new();
    private Receiver _receiver = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _receiver = await Receiver.StartAsync(Ct);

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return _receiver.DisposeAsync();
    }

    [Fact]
    public void A_signature_is_that_of_the_reference_implementation() => Assert.Equal(
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        new HookSecret(Secret).Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", """{"test": 2432232314}"""u8));

    [Fact]
    public async Task A_delivery_is_signed_over_what_is_sent()
    {
        var alert = Alert.Of();

        await Channel().SendAsync(alert, Ct);

        var seen = Assert.Single(_receiver.Seen);
        Assert.Equal(("/hook", alert.Id, _time.GetUtcNow().ToUnixTimeSeconds().ToString(), "application/json"), (seen.Path, seen.Headers["webhook-id"], seen.Headers["webhook-timestamp"], seen.Headers["content-type"]));
        var expected = HMACSHA256.HashData(Secret, (byte[])[.. Encoding.UTF8.GetBytes($"{alert.Id}.{seen.Headers["webhook-timestamp"]}."), .. seen.Body]);
        Assert.Equal("v1," + Convert.ToBase64String(expected), seen.Headers["webhook-signature"]);
    }

    [Fact]
    public async Task A_body_is_whole()
    {
        var alert = Alert.Of(zone: "Europe/Zurich");

        await Channel().SendAsync(alert, Ct);

        Assert.Equal(
            $$$"""{"type":"budget.threshold_reached","timestamp":"2026-11-21T12:00:00+00:00","data":{"id":"{{{alert.Id}}}","summary":"80 % of the monthly budget of project 'search' is spent","threshold":80,"tenant":"default","scope":"project","name":"search","period":"month","hard":true,"timeZone":"Europe/Zurich","limit":50,"spent":40.12,"percent":80.24,"periodStart":"2026-10-31T23:00:00+00:00","resetsAt":"2026-11-30T23:00:00+00:00"}}""",
            Encoding.UTF8.GetString(_receiver.Seen[0].Body).Replace("\\u0027", "'", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_try_has_the_same_id_and_body_and_a_time_of_its_own()
    {
        await Channel().SendAsync(Alert.Of(), Ct);
        _time.Advance(TimeSpan.FromHours(2));
        await Channel().SendAsync(Alert.Of() with { Tries = 2, Delivered = ["slack"] }, Ct);

        var (first, second) = (_receiver.Seen[0], _receiver.Seen[1]);
        Assert.Equal(first.Headers["webhook-id"], second.Headers["webhook-id"]);
        Assert.Equal(first.Body, second.Body);
        Assert.Equal(7200, long.Parse(second.Headers["webhook-timestamp"]) - long.Parse(first.Headers["webhook-timestamp"]));
        Assert.NotEqual(first.Headers["webhook-signature"], second.Headers["webhook-signature"]);
    }

    [Theory]
    [InlineData(204, null)]
    [InlineData(299, null)]
    [InlineData(404, "it answered 404")]
    [InlineData(410, "it answered 410")]
    [InlineData(500, "it answered 500")]
    public async Task Only_2xx_says_that_it_was_taken(int status, string? why)
    {
        _receiver.Answer = Receiver.Status(status);

        var error = await Record.ExceptionAsync(() => Channel().SendAsync(Alert.Of(), Ct));

        Assert.Equal(why, error?.Message);
        Assert.True(error is null or NotSentException);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        _receiver.Answer = http =>
        {
            http.Response.Redirect("/elsewhere");
            return Task.CompletedTask;
        };

        Assert.Equal("it answered 302", (await Assert.ThrowsAsync<NotSentException>(() => Channel().SendAsync(Alert.Of(), Ct))).Message);
        Assert.Equal(["/hook"], _receiver.Seen.Select(seen => seen.Path));
    }

    [Fact]
    public async Task An_answer_without_end_is_not_read()
    {
        var left = new TaskCompletionSource();
        _receiver.Answer = async http =>
        {
            http.RequestAborted.Register(() => left.TrySetResult());
            var chunk = new byte[64 * 1024];
            while (!http.RequestAborted.IsCancellationRequested) await http.Response.Body.WriteAsync(chunk, CancellationToken.None);
        };

        await Channel().SendAsync(Alert.Of(), Ct);

        await GatewayHost.UntilAsync(() => left.Task.IsCompleted, "the connection to close");
    }

    [Fact]
    public async Task A_receiver_that_is_gone_is_told_without_its_url()
    {
        var channel = new WebhookChannel(new WebhookTarget("ops", new Uri("http://127.0.0.1:1/topsecret"), new HookSecret(Secret)), _http, _time);

        var error = await Assert.ThrowsAsync<NotSentException>(() => channel.SendAsync(Alert.Of(), Ct));

        Assert.Equal("it could not be reached (ConnectionError)", error.Message);
        Assert.DoesNotContain("topsecret", error.ToString(), StringComparison.Ordinal);
    }

    private WebhookChannel Channel() => new(new WebhookTarget("ops", _receiver.Url("/hook"), new HookSecret(Secret)), _http, _time);
}
