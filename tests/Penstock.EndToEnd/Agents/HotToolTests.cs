using System.Text.Json;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Agents;

public sealed class HotToolPlatform : AgentPlatform
{
    internal override IReadOnlyDictionary<string, string> Agents => new Dictionary<string, string>
    {
        ["plug"] = """
            apiVersion: v1
            kind: Agent
            name: plug
            version: 1.0.0
            description: Uses whatever there is.
            model: gpt-4o-mini
            instructions: Use it.
            tools: [{name: "plug_*"}]
            limits: {usd: 0.05, steps: 10, wall: 5m}
            """,
    };

    internal override string Config => ConfigWith("plug_old");

    internal string ConfigWith(params string[] tools) => $$$"""
        {"routing": {"retries": 0, "breaker": "off"}, "tools": {"http": { {{{string.Join(',', tools.Select(tool => Tools.Setting(tool)))}}} } } }
        """;
}

/// <summary>A tool of the operator's that comes while a run goes on.</summary>
public sealed class HotToolTests(HotToolPlatform platform) : IClassFixture<HotToolPlatform>
{
    [Fact]
    public async Task A_tool_added_to_the_configuration_while_a_run_goes_on_is_called_by_it_where_its_key_may()
    {
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        platform.Tools.Does("plug_old", async (_, ct) =>
        {
            await open.Task.WaitAsync(ct);
            return "{}";
        });
        var offered = new List<string[]>();
        platform.Plays("hot", turn =>
        {
            lock (offered) offered.Add([turn.User.Split(' ')[1], .. turn.Tools]);
            return turn.Turns switch { 0 => new AgentSays("", ("plug_old", "{}")), 1 => new AgentSays("", ("plug_new", $$"""{"who": "{{turn.User.Split(' ')[1]}}"}""")), _ => new AgentSays(turn.ToolResults[0]) };
        });
        var (_, narrow) = await platform.Admin.NewKeyAsync("ai:complete agent:run", "\"tools\":[\"plug_old\"]");
        using var limited = platform.Admin.With(narrow);

        var mine = await platform.StartAsync("plug", "part=hot all");
        var theirs = await platform.StartAsync("plug", "part=hot old", api: limited);
        await Wait.UntilAsync(() => platform.Tools.InFlight == 2, TimeSpan.FromSeconds(30), "both runs are at their first tool");
        await File.WriteAllTextAsync(platform.Server.ConfigPath, platform.ConfigWith("plug_old", "plug_new"), Wait.Token);
        await Wait.UntilAsync(async () => (await platform.Api.GetAsync("/v1/tools")).GetProperty("tools").EnumerateArray().Any(tool => tool.GetProperty("name").GetString() == "plug_new"), TimeSpan.FromSeconds(30), () => "the new tool is in force");
        open.SetResult();

        var run = await platform.EndedAsync(mine, TimeSpan.FromSeconds(30));
        Assert.Equal("completed", run.GetProperty("status").GetString());
        Assert.Contains("true", run.GetProperty("output").GetString(), StringComparison.Ordinal);
        var denied = await platform.EndedAsync(theirs, TimeSpan.FromSeconds(30));
        Assert.Contains("There is no tool 'plug_new'", denied.GetProperty("output").GetString(), StringComparison.Ordinal);
        Assert.Equal("all", JsonElement.Parse(Assert.Single(platform.Tools.Seen("plug_new")).Arguments).GetProperty("who").GetString());
        Assert.DoesNotContain(offered, each => each[0] == "old" && each.Contains("plug_new"));
        Assert.Contains(offered, each => each[0] == "all" && each.Contains("plug_new"));
    }
}
