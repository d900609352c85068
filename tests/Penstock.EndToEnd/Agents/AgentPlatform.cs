using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Agents;

/// <summary>
/// A strict stand-in that plays models which call tools, tools on a socket, and a server with agents between them. A run names the part that its model plays, such
/// as <c>part=loop</c>, in its input or its agent's instructions.
/// </summary>
public partial class AgentPlatform : IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, Func<AgentTurn, AgentSays?>> _parts = new();

    internal UpstreamServer Upstream { get; private set; } = null!;

    internal ToolHost Tools { get; private set; } = null!;

    internal ServerProcess Server { get; private set; } = null!;

    internal string Folder { get; private set; } = null!;

    internal Api Admin { get; private set; } = null!;

    /// <summary>With a key that may run agents and call every tool.</summary>
    internal Api Api { get; private set; } = null!;

    /// <summary>Names and texts of the agents' files.</summary>
    internal virtual IReadOnlyDictionary<string, string> Agents => new Dictionary<string, string>();

    /// <summary>The text of <c>penstock.json</c>.</summary>
    internal virtual string Config => "{}";

    public async ValueTask InitializeAsync()
    {
        Upstream = await UpstreamServer.StartAsync(new UpstreamOptions { Agent = Say });
        Tools = await ToolHost.StartAsync();
        Folder = Directory.CreateTempSubdirectory("penstock-e2e-").FullName;
        Directory.CreateDirectory(Path.Combine(Folder, "agents"));
        foreach (var (name, text) in Agents) await File.WriteAllTextAsync(Path.Combine(Folder, "agents", name + ".yaml"), text);
        await StartServerAsync(new ServerOptions { Folder = Folder, Config = Config, Environment = ServerOptions.Reaching(Upstream) });
        var (_, key) = await Admin.NewKeyAsync("ai:complete agent:run", "\"tools\":[\"*\"],\"requestsPerSecond\":100000,\"burst\":100000");
        Api = Admin.With(key);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        Api?.Dispose();
        Admin?.Dispose();
        if (Server is not null)
        {
            try
            {
                await Server.CloseAsync();
                NoErrors(Server);
            }
            finally
            {
                await Server.DisposeAsync();
            }
        }

        if (Tools is not null) await Tools.DisposeAsync();
        if (Upstream is not null)
        {
            NothingRefused();
            await Upstream.DisposeAsync();
        }

        if (Folder is not null) Directory.Delete(Folder, recursive: true);
    }

    /// <summary>As a power cut would end it; started again on the same folder.</summary>
    internal async Task KillAndStartAsync()
    {
        var (options, key) = (Server.Options, Api.Key);
        await Server.KillAsync();
        NoErrors(Server);
        await Server.DisposeAsync();
        Admin.Dispose();
        Api.Dispose();
        await StartServerAsync(options with { Config = null });
        Api = Admin.With(key);
    }

    /// <summary>What the model of a run says that names <paramref name="part"/>.</summary>
    internal void Plays(string part, Func<AgentTurn, AgentSays?> says) => _parts[part] = says;

    /// <summary>Calls of the model by runs that name <paramref name="part"/>.</summary>
    internal IReadOnlyList<SeenCall> Asked(string part) => [.. Upstream.Seen.All().Where(call => Part().Matches(call.BodyText).Any(match => match.Groups[1].Value == part))];

    /// <summary>A strict vendor took every history.</summary>
    internal void NothingRefused()
    {
        var refused = Upstream.Seen.All().Where(call => call.Outcome == SeenOutcome.Refused).ToArray();
        Assert.True(refused.Length == 0, $"{refused.Length} requests were bad, such as {(refused.Length > 0 ? refused[0].BodyText : "")}");
    }

    /// <summary>Starts a run and returns it when it has ended.</summary>
    internal async Task<JsonElement> RunAsync(string type, string input, string members = "", TimeSpan? within = null)
    {
        var id = await StartAsync(type, input, members);
        return await EndedAsync(id, within ?? TimeSpan.FromSeconds(60));
    }

    /// <returns>The run's id.</returns>
    internal async Task<string> StartAsync(string type, string input, string members = "", Api? api = null)
    {
        var run = await (api ?? Api).JsonAsync(HttpMethod.Post, "/v1/agents/run", $$"""{"type":"{{type}}","input":{{JsonSerializer.Serialize(input)}},"wait":0{{members}}}""");
        return run.GetProperty("id").GetString()!;
    }

    internal Task<JsonElement> GetAsync(string id) => Api.GetAsync($"/v1/agents/runs/{id}");

    internal Task<JsonElement> EndedAsync(string id, TimeSpan within) => UntilAsync(id, run => run.GetProperty("status").GetString() is "completed" or "failed" or "cancelled" or "dead", within);

    internal async Task<JsonElement> UntilAsync(string id, Func<JsonElement, bool> holds, TimeSpan within)
    {
        var run = default(JsonElement);
        await Wait.UntilAsync(async () => holds(run = await GetAsync(id)), within, () => run.GetRawText());
        return run;
    }

    /// <summary>The ledger's rows of a run and of those below it.</summary>
    internal async Task<IReadOnlyList<Entry>> RowsAsync(string id) => [.. (await Entry.AllAsync(Admin)).Where(row => row.Run is { } path && path.Split('/').Contains(id))];

    private AgentSays? Say(AgentTurn turn)
    {
        var part = Part().Match(turn.User) is { Success: true } asked ? asked : Part().Match(turn.System);
        return part.Success && _parts.TryGetValue(part.Groups[1].Value, out var says) ? says(turn) : null;
    }

    private async Task StartServerAsync(ServerOptions options)
    {
        Server = await ServerProcess.StartAsync(options);
        Admin = new Api(Server.Address, await ApiContract.OfAsync(Server.Address), options.AdminKey, TimeSpan.FromSeconds(90));
    }

    private static void NoErrors(ServerProcess server)
    {
        var bugs = server.Log.Where(line => line.Level is "Error" or "Critical").Select(line => $"{line.Message}: {line.Exception}").ToArray();
        if (bugs.Length > 0) Assert.Fail($"The server logged {bugs.Length} errors, such as\n{string.Join('\n', bugs.Take(3))}");
    }

    [GeneratedRegex("part=([a-z0-9-]+)")]
    private static partial Regex Part();
}
