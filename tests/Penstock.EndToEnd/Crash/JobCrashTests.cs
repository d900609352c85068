using System.Collections.Concurrent;
using System.Text.Json;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Crash;

/// <summary>A server that is killed without a word, again and again, with jobs in its queue and calls on their way: no job that was acknowledged is lost, and no call is made more often than workers died.</summary>
public sealed class JobCrashTests(ITestOutputHelper output)
{
    private const int Kills = 4;
    private const int Concurrency = 5;
    private const string Config = """{"jobs":{"concurrency":5,"leaseSeconds":1,"maxAttempts":20},"limits":{"requestsPerSecond":1000000,"burst":1000000}}""";

    private static readonly TimeSpan Load = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task Jobs_outlive_their_server()
    {
        using var folder = new TempFolder();
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        var options = new ServerOptions { Folder = folder.Path, Config = Config, Environment = ServerOptions.Reaching(upstream) };
        var acknowledged = new ConcurrentDictionary<string, string>();
        for (var kill = 0; kill < Kills; kill++) await LiveAndDieAsync(options, acknowledged, kill);

        await using var server = await ServerProcess.StartAsync(options);
        using var api = new Api(server.Address, await ApiContract.OfAsync(server.Address), options.AdminKey);
        var ended = new Dictionary<string, JsonElement>();
        await Wait.UntilAsync(
            async () =>
            {
                foreach (var id in acknowledged.Keys.Where(id => !ended.ContainsKey(id)).ToArray())
                {
                    var job = await api.GetAsync($"/v1/jobs/{id}");
                    if (job.GetProperty("state").GetString() is "completed") ended[id] = job;
                }

                return ended.Count == acknowledged.Count;
            },
            Quiet,
            () => $"{ended.Count} of {acknowledged.Count} jobs ended");

        foreach (var (id, text) in acknowledged) Assert.Contains(text, ended[id].GetProperty("result").GetProperty("content").GetString(), StringComparison.Ordinal);
        var calls = upstream.Seen.All().Where(call => call.Path.EndsWith("/chat/completions", StringComparison.Ordinal)).ToList();
        var extra = acknowledged.Values.Sum(text => Math.Max(0, calls.Count(call => call.BodyText.Contains(text, StringComparison.Ordinal)) - 1));
        output.WriteLine($"{Kills} kills, {acknowledged.Count} jobs acknowledged, {extra} calls made again");
        Assert.InRange(acknowledged.Count, 20, int.MaxValue);
        // Each kill loses what its workers had in hand, and no more than that is called again.
        Assert.InRange(extra, 1, Kills * Concurrency);
    }

    private static async Task LiveAndDieAsync(ServerOptions options, ConcurrentDictionary<string, string> acknowledged, int kill)
    {
        await using var server = await ServerProcess.StartAsync(options);
        using var api = new Api(server.Address, await ApiContract.OfAsync(server.Address), options.AdminKey);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Wait.Token);
        var load = Task.WhenAll(Enumerable.Range(0, 2).Select(client => SendAsync(api, acknowledged, $"{kill}.{client}", over.Token)));
        await Wait.PauseAsync(Load);
        await server.KillAsync();
        await over.CancelAsync();
        await load;
    }

    private static async Task SendAsync(Api api, ConcurrentDictionary<string, string> acknowledged, string name, CancellationToken ct)
    {
        for (var i = 0; i < 30 && !ct.IsCancellationRequested; i++)
        {
            var text = $"job {name}.{i} of many";
            try
            {
                var job = await api.JsonAsync(HttpMethod.Post, "/v1/jobs", $$$""" {"request": {"path": "/v1/complete", "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "{{{text}}} [[slow:ms=30]]"}]} } } """);
                acknowledged[job.GetProperty("id").GetString()!] = text;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TaskCanceledException)
            {
                // Killed in the middle: whether the job was taken, nobody was told.
                return;
            }
        }
    }
}
