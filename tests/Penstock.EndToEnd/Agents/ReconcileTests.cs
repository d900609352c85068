using System.Text.Json;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Agents;

public sealed class ReconcilePlatform : AgentPlatform
{
    internal override IReadOnlyDictionary<string, string> Agents => new Dictionary<string, string>
    {
        ["payer"] = """
            apiVersion: v1
            kind: Agent
            name: payer
            version: 1.0.0
            description: Pays.
            model: gpt-4o-mini
            instructions: Pay.
            tools: [{name: pay}]
            limits: {usd: 0.1, steps: 10, wall: 5m}
            """,
        ["boss"] = """
            apiVersion: v1
            kind: Agent
            name: boss
            version: 1.0.0
            description: Lets others work.
            model: gpt-4o-mini
            instructions: Let others do it.
            agents: [clerk]
            limits: {usd: 0.03, steps: 10, wall: 5m, outputTokens: 1000}
            """,
        ["clerk"] = """
            apiVersion: v1
            kind: Agent
            name: clerk
            version: 1.0.0
            description: Works.
            model: gpt-4o-mini
            instructions: Do it.
            limits: {usd: 0.03, steps: 10, wall: 5m}
            """,
    };

    internal override string Config => $$$"""
        {"routing": {"retries": 0, "breaker": "off"}, "tools": {"http": {
          {{{Tools.Setting("pay", "once", reconcile: "asked")}}}
        } } }
        """;
}

/// <summary>What becomes of calls that must not happen twice, and of runs that share an envelope.</summary>
public sealed class ReconcileTests(ReconcilePlatform platform) : IClassFixture<ReconcilePlatform>
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task After_a_kill_a_tool_is_asked_what_became_of_its_call_and_a_person_only_where_it_cannot_say()
    {
        string[] cases = ["happened", "not", "unknown", "broken", "odd"];
        platform.Tools.Clear();
        platform.Tools.Does("asked", (arguments, _) => Task.FromResult(arguments.GetProperty("who").GetString() switch
        {
            "happened" => """{"outcome": "happened", "output": {"receipt": 17}}""",
            "not" => """{"outcome": "did_not_happen"}""",
            "unknown" => """{"outcome": "unknown"}""",
            "odd" => """{"outcome": "perhaps"}""",
            _ => throw new ToolBrokenException(),
        }));
        platform.Tools.Does("pay", async (_, ct) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
            return "{}";
        });
        platform.Plays("pay", turn => turn.Turns == 0 ? new AgentSays("", ("pay", $$"""{"who": "{{turn.User.Split(' ')[1]}}"}""")) : new AgentSays(turn.ToolResults[0]));
        var runs = new Dictionary<string, string>();
        foreach (var one in cases) runs[one] = await platform.StartAsync("payer", $"part=pay {one}");
        await Wait.UntilAsync(() => platform.Tools.InFlight == cases.Length, Soon, "all calls are in flight");

        // Calls that are broken off stay as they were made: none of them is answered.
        platform.Tools.Does("pay", (_, _) => Task.FromResult("""{"receipt": 18}"""));
        await platform.KillAndStartAsync();

        Assert.Equal("""{"receipt": 17}""", (await CompletedAsync(runs["happened"])).GetProperty("output").GetString());
        Assert.Equal("""{"receipt": 18}""", (await CompletedAsync(runs["not"])).GetProperty("output").GetString());
        foreach (var one in new[] { "unknown", "broken", "odd" })
        {
            var waiting = await platform.UntilAsync(runs[one], run => run.TryGetProperty("waitsFor", out _), Soon);
            Assert.Equal("outcome", waiting.GetProperty("waitsFor").GetString());
            await platform.Api.JsonAsync(HttpMethod.Post, Assert.Single(waiting.GetProperty("waiting").EnumerateArray()).GetProperty("answerAt").GetString()!, """{"done": true, "output": {"receipt": 19}}""");
            await CompletedAsync(runs[one]);
        }

        // What was not done was done again under its key, and nothing else was done twice.
        var paid = platform.Tools.Seen("pay").GroupBy(call => JsonElement.Parse(call.Arguments).GetProperty("who").GetString()!).ToDictionary(who => who.Key, who => who.Select(call => call.Key).ToArray());
        Assert.All(cases, one => Assert.Equal(one == "not" ? 2 : 1, paid[one].Length));
        Assert.All(cases, one => Assert.Single(paid[one].Distinct()));
        var asked = platform.Tools.Seen("asked").GroupBy(call => JsonElement.Parse(call.Arguments).GetProperty("who").GetString()!).ToDictionary(who => who.Key, who => who.Select(call => call.Key).ToArray());
        Assert.All(cases, one => Assert.Equal(paid[one][0] + "_reconcile", Assert.Single(asked[one].Distinct())));
        var step = Assert.Single((await platform.GetAsync(runs["happened"])).GetProperty("steps").EnumerateArray(), step => step.GetProperty("kind").GetString() == "outcome");
        Assert.Equal(("done", "reconcile"), (step.GetProperty("outcome").GetString(), step.GetProperty("by").GetString()));
    }

    [Fact]
    public async Task Runs_that_are_started_at_once_part_what_is_left_of_their_envelope()
    {
        platform.Plays("boss", turn => turn.Turns > 0
            ? new AgentSays(string.Join('|', turn.ToolResults))
            : new AgentSays("", [.. Enumerable.Range(0, 5).Select(number => ("run_agent", $$"""{"agent": "clerk", "input": "part=clerk {{number}} [[silent:1500]]"}"""))]));
        platform.Plays("clerk", turn => new AgentSays($"did {turn.User.Split(' ')[1]}"));

        var run = await platform.RunAsync("boss", "part=boss");

        Assert.True(run.GetProperty("status").GetString() == "completed", run.GetRawText());
        Assert.Equal("did 0|did 1|did 2|did 3|did 4", run.GetProperty("output").GetString());
    }

    private async Task<JsonElement> CompletedAsync(string id)
    {
        var run = await platform.EndedAsync(id, Soon);
        Assert.True(run.GetProperty("status").GetString() == "completed", run.GetRawText());
        return run;
    }
}
