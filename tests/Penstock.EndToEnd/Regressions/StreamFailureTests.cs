using System.Diagnostics;
using System.Net;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Regressions;

/// <summary>Failures of other gateways that became public: streams that nobody reads any more, and streams that are silent for too long.</summary>
public sealed class StreamFailureTests(Platform platform) : IClassFixture<Platform>
{
    /// <summary>The balancers of the clouds wait for 60 s; this one for 3, and the provider is silent for twice that.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    /// <summary>
    /// https://github.com/BerriAI/litellm/issues/34374, https://github.com/BerriAI/litellm/issues/31865: a model thinks for longer than a balancer between
    /// client and gateway keeps an idle connection, and the client loses its answer.
    /// </summary>
    [Theory]
    [InlineData("/v1/chat/completions", "gpt-4o-mini", "[[silent:6000]]")]
    [InlineData("/v1/chat/completions", "claude-haiku-4-5", "[[silent:6000:after=2]]")]
    [InlineData("/v1/messages", "claude-haiku-4-5", "[[silent:6000]]")]
    [InlineData("/v1/messages", "claude-haiku-4-5", "[[silent:6000:after=2]]")]
    [InlineData("/v1/stream", "gpt-4o-mini", "[[silent:6000:after=0]]")]
    public async Task Ping_lost_at_an_idle_balancer(string route, string model, string silence)
    {
        await using var balancer = new IdleBalancer(platform.Server.Address, Idle);
        using var connection = await RawConnection.OpenAsync(balancer.Address);
        await connection.SendAsync(RawConnection.Post(route, platform.Server.Options.AdminKey, Samples.Chat(route, $"{silence} say a few words", stream: true, model: model)));

        await connection.ReadUntilAsync(route == "/v1/messages" ? "message_stop" : "[DONE]", TimeSpan.FromSeconds(20));
        Assert.Equal(0, balancer.Cut);
    }

    /// <summary>The control: a whole answer cannot be kept alive, and the balancer ends it.</summary>
    [Fact]
    public async Task An_idle_balancer_does_end_what_is_silent()
    {
        await using var balancer = new IdleBalancer(platform.Server.Address, Idle);
        using var connection = await RawConnection.OpenAsync(balancer.Address);
        await connection.SendAsync(RawConnection.Post("/v1/chat/completions", platform.Server.Options.AdminKey, Samples.Chat("/v1/chat/completions", "[[silent:6000]] hi")));

        Assert.Equal("", await connection.ReadToEndAsync());
        Assert.Equal(1, balancer.Cut);
    }

    /// <summary>
    /// https://github.com/BerriAI/litellm/issues/17364: the client leaves, and the provider goes on generating, and billing. With the cache too, where the
    /// work is not the connection's.
    /// </summary>
    [Theory]
    [InlineData("/v1/chat/completions", "gpt-4o-mini", "off")]
    [InlineData("/v1/chat/completions", "claude-haiku-4-5", "on")]
    [InlineData("/v1/messages", "claude-haiku-4-5", "on")]
    [InlineData("/v1/messages", "gpt-4o-mini", "off")]
    [InlineData("/v1/stream", "claude-haiku-4-5", "on")]
    public async Task Upstream_kept_generating_after_the_client_left(string route, string model, string cache)
    {
        var name = Guid.NewGuid().ToString();
        using var connection = await StreamAsync(route, model, name, platform.Server.Options.AdminKey, cache);
        var left = Stopwatch.GetTimestamp();
        connection.Reset();

        await platform.Upstream.Seen.WaitForAsync(call => Is(call, name) && call.Outcome == SeenOutcome.Aborted, TimeSpan.FromSeconds(5), Wait.Token);
        Assert.InRange(Stopwatch.GetElapsedTime(left), TimeSpan.Zero, Second);
        var call = platform.Upstream.Seen.All().Single(call => Is(call, name));
        Assert.InRange(call.Billed.Output, 5, 400);
    }

    /// <summary>A client that leaves its stream keeps its place among the calls in flight until the answer would have ended.</summary>
    [Theory]
    [InlineData("/v1/chat/completions", "gpt-4o-mini", "off")]
    [InlineData("/v1/chat/completions", "gpt-4o-mini", "on")]
    [InlineData("/v1/messages", "claude-haiku-4-5", "on")]
    [InlineData("/v1/stream", "gpt-4o-mini", "off")]
    public async Task Abandoned_stream_holds_a_slot(string route, string model, string cache)
    {
        var (_, key) = await platform.Admin.NewKeyAsync("ai:complete", "\"concurrency\":1");
        using var api = platform.Client(key);
        using var connection = await StreamAsync(route, model, Guid.NewGuid().ToString(), key, cache);
        Assert.Equal(HttpStatusCode.TooManyRequests, await AskAsync(api));

        connection.Reset();

        await Wait.UntilAsync(async () => await AskAsync(api) == HttpStatusCode.OK, Second, () => "the slot is still taken");
    }

    private async Task<RawConnection> StreamAsync(string route, string model, string name, string key, string cache)
    {
        var connection = await RawConnection.OpenAsync(platform.Server.Address);
        await connection.SendAsync(RawConnection.Post(route, key, Samples.Chat(route, $"[[slow:tokens=2000:ms=10]] {name}", stream: true, model: model), $"x-penstock-cache: {cache}\r\n"));
        await connection.ReadUntilAsync(" w5");
        return connection;
    }

    private static async Task<HttpStatusCode> AskAsync(Api api)
    {
        using var answer = await api.PostAsync("/v1/chat/completions", Samples.Chat("/v1/chat/completions", "hi"));
        return answer.StatusCode;
    }

    private static bool Is(SeenCall call, string name) => call.BodyText.Contains(name, StringComparison.Ordinal);
}
