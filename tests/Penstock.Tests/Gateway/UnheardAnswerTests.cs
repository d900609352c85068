using System.Text;
using Penstock.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway;

/// <summary>An answer that broke off before its counts came is booked at what it held wherever the vendor may bill more than it showed.</summary>
public sealed class UnheardAnswerTests : IAsyncLifetime
{
    /// <summary>1000 output tokens at 0.6 USD a million, and the bound of the input.</summary>
    private const long LeastCeiling = 600_000;

    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await GatewayHost.UntilAsync(() => _host.Script.Open == 0, "a vendor's answer was never left");
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData("gpt-4o-mini", false, true)]
    [InlineData("gpt-4o-mini", true, false)]
    [InlineData("gpt-5-mini", true, true)]
    public async Task A_client_that_leaves_pays_the_ceiling_of_what_it_cannot_have_seen(string model, bool stream, bool ceiling)
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct, stream ? [Frames.Text("One two three four.")] : []);
        using (var leave = new CancellationTokenSource())
        {
            var asked = SendAsync(model, stream, leave.Token);
            await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
            if (stream) (await asked).Dispose();
            await leave.CancelAsync();
            if (!stream) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        }

        var row = await _host.RowAsync();
        Assert.Equal((AttemptOutcome.ClientGone, true), (row.Outcome, row.Estimated));
        Assert.Equal(ceiling, row.Cost.NanoDollars >= LeastCeiling);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData(500, false)]
    public async Task A_vendor_that_falls_silent_is_booked_at_the_ceiling_and_one_that_says_no_at_nothing(int? status, bool ceiling)
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(status is null ? ProviderFault.TimedOut : ProviderFault.Broken, "It broke.", status));

        using var _ = await SendAsync("gpt-4o-mini", stream: false, Ct);

        var cost = (await _host.RowAsync()).Cost.NanoDollars;
        Assert.True(ceiling ? cost >= LeastCeiling : cost == 0, $"{cost}");
    }

    private Task<HttpResponseMessage> SendAsync(string model, bool stream, CancellationToken ct)
    {
        var body = $$"""{"model": "{{model}}", "stream": {{(stream ? "true" : "false")}}, "max_completion_tokens": 1000, "messages": [{"role": "user", "content": "hello"}]}""";
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        return _host.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
    }
}
