using Microsoft.Extensions.Logging;
using Penstock.Idempotency;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Idempotency;

/// <summary>How an answer is kept: for how long, how much of it, and for whose eyes.</summary>
public sealed partial class IdempotencyTests
{
    [Theory]
    [InlineData(23, true)]
    [InlineData(24, false)]
    public async Task An_answer_is_kept_for_a_day(int hours, bool replayed)
    {
        await SendAsync(GatewayHost.Chat(), "a");
        // It is stored beside its way to the client.
        await GatewayHost.UntilAsync(() => _store.Completed == 1);

        _host.Advance(TimeSpan.FromHours(hours));

        Assert.Equal(replayed, Replayed(await SendAsync(GatewayHost.Chat(), "a")) is not null);
    }

    [Fact]
    public async Task An_answer_that_is_too_large_goes_out_whole_and_is_not_kept()
    {
        _host.Script.Chat = (_, _) => Frames.Of([.. Enumerable.Range(0, 900).Select(_ => Frames.Text(new string('x', 10_000))), Frames.End(TokenCounts.Of(1, 1))]);

        var first = await SendAsync(GatewayHost.Chat(stream: true), "a");
        var second = await SendAsync(GatewayHost.Chat(stream: true), "a");

        Assert.EndsWith("[DONE]\n\n", first.Body, StringComparison.Ordinal);
        Assert.True(first.Body.Length > 9_000_000);
        Assert.Null(Replayed(second));
        Assert.Equal(2, _host.Script.Calls.Count);
        await GatewayHost.UntilAsync(() => _host.Log.Own.Any(line => line.Level == LogLevel.Warning && line.Text.Contains("too large", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_store_holds_no_readable_answer()
    {
        var made = await SendAsync("""{"name": "very secret name", "scopes": ["ai:complete"]}""", "a", "/v1/auth/keys");
        var secret = made.Text("apiKey")!;
        await GatewayHost.UntilAsync(() => _store.Completed == 1);
        var stored = await ClaimAsync("a", "/v1/auth/keys", """{"name": "very secret name", "scopes": ["ai:complete"]}""");

        Assert.Equal(ClaimKind.Answered, stored.Kind);
        foreach (var text in new[] { secret, secret[^32..], "very secret name", "apiKey", "Location" })
            Assert.Equal(-1, stored.Answer.Span.IndexOf(System.Text.Encoding.UTF8.GetBytes(text)));
    }

    [Fact]
    public async Task An_answer_under_an_earlier_secret_opens_for_nobody_else()
    {
        var text = await _host.AddKeyAsync("turned");
        await SendAsync(GatewayHost.Chat(), "a", key: text);
        var rotated = (await _host.PostAsync("/v1/auth/keys/turned/rotate", """{"graceSeconds": 60}""")).Text("apiKey")!;

        Assert.Equal("true", Replayed(await SendAsync(GatewayHost.Chat(), "a", key: text)));
        var answer = await SendAsync(GatewayHost.Chat(), "a", key: rotated);

        Assert.Equal((409, "idempotency_unreadable", "false"), (answer.Status, answer.Text("error", "code"), answer.Headers["x-should-retry"]));
        Assert.Single(_host.Script.Calls);
    }
}
