using System.Diagnostics;
using System.Net;
using System.Text;
using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Regressions;

/// <summary>
/// Failures of other gateways that became public: tokenising a long prompt on the request path keeps the process from answering its liveness probe, and it is
/// killed (https://github.com/BerriAI/litellm/issues/26193, https://github.com/BerriAI/litellm/issues/36174).
/// </summary>
public sealed class LivenessTests(LivenessTests.Limited platform) : IClassFixture<LivenessTests.Limited>
{
    private const int PromptBytes = 2 * 1024 * 1024;
    private const int AtOnce = 6;

    /// <summary>A neighbour on the machine may make one round late; what we do ourselves makes every one.</summary>
    private const int Rounds = 4;

    private static readonly TimeSpan Allowed = TimeSpan.FromMilliseconds(50);

    /// <summary>Tokens are limited and money is held: both count the prompt, and the cache hashes it.</summary>
    public sealed class Limited : Platform
    {
        internal override string? Config => """{"limits": {"tokensPerMinute": 1000000000}, "cache": {"default": "on"}}""";
    }

    [Theory]
    [InlineData("/v1/chat/completions", "gpt-4o-mini")]
    [InlineData("/v1/messages", "claude-haiku-4-5")]
    [InlineData("/v1/complete", "claude-haiku-4-5")]
    public async Task Tokenising_on_the_request_path_stalls_liveness(string route, string model)
    {
        using var api = platform.Client(platform.Server.Options.AdminKey, TimeSpan.FromSeconds(60));
        using var probe = platform.Client(null);
        // Code is compiled and connections are open.
        await CallsAsync(api, route, model, 2);
        await ProbeAsync(probe, () => false);

        var slowest = new List<TimeSpan>();
        while (slowest.Count < Rounds && !slowest.Exists(each => each <= Allowed))
        {
            var calls = CallsAsync(api, route, model, AtOnce);
            var waited = await ProbeAsync(probe, () => !calls.IsCompleted);
            await calls;
            Assert.True(waited.Count >= 5, $"only {waited.Count} probes were made meanwhile");
            slowest.Add(waited.Max());
        }

        Assert.True(slowest[^1] <= Allowed, $"/health took {string.Join(", ", slowest.Select(each => $"{each.TotalMilliseconds:0}"))} ms in {Rounds} rounds of {AtOnce} prompts of 2 MB");
    }

    private static async Task<List<TimeSpan>> ProbeAsync(Api api, Func<bool> more)
    {
        var waited = new List<TimeSpan>();
        do
        {
            var started = Stopwatch.GetTimestamp();
            using var answer = await api.SendAsync(HttpMethod.Get, "/health");
            waited.Add(Stopwatch.GetElapsedTime(started));
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            await Wait.PauseAsync(TimeSpan.FromMilliseconds(2));
        }
        while (more());

        return waited;
    }

    private static Task CallsAsync(Api api, string route, string model, int count) => Task.WhenAll(Enumerable.Range(0, count).Select(async number =>
    {
        // A stand-in that repeated it all would be slower than we are.
        using var answer = await api.PostAsync(route, Samples.Chat(route, $"{Prompt(number)} [[slow:tokens=3:ms=1]]", model: model));
        Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(Wait.Token)}");
    }));

    /// <summary>Words, as people write them: what has no breaks is counted otherwise.</summary>
    private static string Prompt(int number)
    {
        var text = new StringBuilder(PromptBytes + 64);
        for (var word = 0; text.Length < PromptBytes; word++) text.Append("the river rises at gate ").Append((word * 7919) + number).Append(", and the turbine slows. ");
        return text.ToString();
    }
}
