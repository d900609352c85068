using System.Text;
using Penstock.Alerts;
using Xunit;

namespace Penstock.Tests.Alerts;

public sealed class SlackChannelTests : IAsyncLifetime
{
    private readonly AlertHttp _http = new();
    private Receiver _receiver = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _receiver = await Receiver.StartAsync(Ct);

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return _receiver.DisposeAsync();
    }

    [Fact]
    public async Task A_message_says_what_how_much_and_until_when()
    {
        await new SlackChannel(_receiver.Url("/services/T0/B0/x"), _http).SendAsync(Alert.Of(), Ct);

        var seen = Assert.Single(_receiver.Seen);
        Assert.Equal(("/services/T0/B0/x", "application/json"), (seen.Path, seen.Headers["content-type"]));
        Assert.Equal(
            """{"text":":warning: 80 % of the monthly budget of project 'search' is spent: 40.12 of 50.00 USD (80.2 %)","unfurl_links":false,"blocks":[{"type":"section","text":{"type":"plain_text","text":":warning: 80 % of the monthly budget of project 'search' is spent","emoji":true}},{"type":"section","text":{"type":"plain_text","text":"40.12 of 50.00 USD (80.2 %)\nResets on 2026-12-01 (UTC)","emoji":true}}]}""",
            Encoding.UTF8.GetString(seen.Body).Replace("\\u0027", "'", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_name_can_neither_mention_nor_link()
    {
        await new SlackChannel(_receiver.Url("/x"), _http).SendAsync(Alert.Of(100, name: "<!channel> & <https://evil.test|here>"), Ct);

        var body = Assert.Single(_receiver.Seen).Json;
        var texts = body.GetProperty("blocks").EnumerateArray().Select(block => block.GetProperty("text").GetProperty("text").GetString()!).Append(body.GetProperty("text").GetString()!).ToArray();
        Assert.All(texts, text => Assert.DoesNotContain("<", text, StringComparison.Ordinal));
        Assert.StartsWith(":rotating_light: The monthly budget of project '&lt;!channel&gt; &amp; &lt;https://evil.test|here&gt;' is spent", texts[0], StringComparison.Ordinal);
    }
}
