using System.Text.Json;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Agents;

public sealed class LargeBodyPlatform : AgentPlatform
{
    internal override IReadOnlyDictionary<string, string> Agents => new Dictionary<string, string>
    {
        ["reader"] = """
            apiVersion: v1
            kind: Agent
            name: reader
            version: 1.0.0
            description: Reads what is large.
            model: gpt-4o-mini
            instructions: Read it.
            tools: [{name: find}, {name: hold}]
            agents: [teller]
            cites: true
            limits: {usd: 1, steps: 10, wall: 5m}
            """,
        ["teller"] = """
            apiVersion: v1
            kind: Agent
            name: teller
            version: 1.0.0
            description: Tells much.
            model: gpt-4o-mini
            instructions: Tell it.
            limits: {usd: 1, steps: 10, wall: 5m}
            """,
    };

    internal override string Config => $$$"""
        {"tools": {"http": {
          {{{Tools.Setting("find")}}},
          {{{Tools.Setting("hold")}}}
        } } }
        """;
}

/// <summary>What is too large for a journal is kept whole all the same: the run, its citations and its clients have all of it, also after a kill.</summary>
public sealed class LargeBodyTests(LargeBodyPlatform platform) : IClassFixture<LargeBodyPlatform>
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task What_stands_at_the_end_of_a_large_result_can_be_cited_also_by_the_worker_that_follows()
    {
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        platform.Tools.Does("find", (_, _) => Task.FromResult($$"""{"results": [{{string.Join(',', Enumerable.Range(0, 2_000).Select(i => $$"""{"docId": "report", "chunkId": "report#{{i}}", "snippet": "{{new string('x', 100)}}"}"""))}}]}"""));
        platform.Tools.Does("hold", async (_, ct) =>
        {
            await open.Task.WaitAsync(ct);
            return "{}";
        });
        platform.Plays("cite", turn => turn.Turns switch { 0 => new AgentSays("", ("find", "{}")), 1 => new AgentSays("", ("hold", "{}")), _ => new AgentSays("It is so [report#1999].") });
        platform.Plays("lie", turn => turn.Turns == 0 ? new AgentSays("", ("find", "{}")) : new AgentSays("It is so [report#2000]."));

        var id = await platform.StartAsync("reader", "part=cite");
        await Wait.UntilAsync(() => platform.Tools.InFlight == 1, Soon, "the run is at its second tool");
        await platform.KillAndStartAsync();
        open.SetResult();

        var run = await platform.EndedAsync(id, Soon);
        Assert.True(run.GetProperty("status").GetString() == "completed", run.GetProperty("output").GetRawText());
        Assert.Equal("It is so [report#1999].", run.GetProperty("output").GetString());
        Assert.NotEmpty(BlobsOf(id));
        // Told that nobody found that, it says something else.
        Assert.NotEqual("It is so [report#2000].", (await platform.RunAsync("reader", "part=lie")).GetProperty("output").GetString());
    }

    [Fact]
    public async Task A_large_answer_is_the_runs_output_to_its_last_letter_and_its_parents_too()
    {
        var text = string.Join(' ', Enumerable.Range(0, 60_000).Select(i => $"w{i}"));
        platform.Plays("tell", _ => new AgentSays(text));
        platform.Plays("told", turn => turn.Turns == 0 ? new AgentSays("", ("run_agent", """{"agent": "teller", "input": "part=tell"}""")) : new AgentSays(turn.ToolResults[0].Contains(" w13000 ", StringComparison.Ordinal) && turn.ToolResults[0].Contains("[cut here: ", StringComparison.Ordinal) ? "as much as fits" : "less"));

        var run = await platform.RunAsync("teller", "part=tell");

        Assert.Equal(text, run.GetProperty("output").GetString());
        using var events = await platform.Api.SendAsync(HttpMethod.Get, $"/v1/agents/runs/{run.GetProperty("id").GetString()}/events");
        var last = (await events.Content.ReadAsStringAsync(Wait.Token)).Split("data: ")[^1];
        Assert.Equal(text, JsonElement.Parse(last[..last.IndexOf('\n', StringComparison.Ordinal)]).GetProperty("output").GetString());
        Assert.Equal("as much as fits", (await platform.RunAsync("reader", "part=told")).GetProperty("output").GetString());
    }

    private string[] BlobsOf(string run) => [.. Directory.EnumerateFiles(Path.Combine(platform.Server.DataFolder, "blobs"), "*", SearchOption.AllDirectories).Where(file => file.Contains(run, StringComparison.Ordinal))];
}
