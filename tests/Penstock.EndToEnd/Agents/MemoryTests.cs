using System.Collections.Concurrent;
using System.Text.Json;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Agents;

public sealed class MemoryPlatform : AgentPlatform
{
    internal override IReadOnlyDictionary<string, string> Agents => new Dictionary<string, string>
    {
        ["keeper"] = """
            apiVersion: v1
            kind: Agent
            name: keeper
            version: 1.0.0
            description: Remembers.
            model: gpt-4o-mini
            instructions: Remember.
            tools: [{name: remember}, {name: recall}]
            limits: {usd: 0.05, steps: 10, wall: 5m}
            """,
    };
}

/// <summary>What an agent knows of a user in a later session, after a restart, and no more once it is told to forget.</summary>
public sealed class MemoryTests(MemoryPlatform platform) : IClassFixture<MemoryPlatform>
{
    private const string Fact = "Ann drinks green tea and no coffee";

    private readonly ConcurrentQueue<AgentTurn> _turns = new();

    [Fact]
    public async Task What_is_remembered_is_recalled_in_later_sessions_of_its_user_alone_until_it_is_to_be_forgotten()
    {
        platform.Plays("remember", turn => turn.Turns == 0 ? new AgentSays("", ("remember", $$"""{"fact": "{{Fact}}"}""")) : new AgentSays("noted"));
        platform.Plays("recall", turn =>
        {
            _turns.Enqueue(turn);
            return turn.Turns == 0 ? new AgentSays("", ("recall", """{"query": "which tea"}""")) : new AgentSays(turn.ToolResults[0]);
        });
        await RunAsync("remember", "ann");
        await platform.KillAndStartAsync();

        Assert.True(await KnowsAsync("ann"), "nothing was recalled in a later session");
        Assert.False(await KnowsAsync("bob"), "another user's fact was told");

        var facts = (await platform.Api.GetAsync("/v1/agents/memory?user=ann")).GetProperty("facts").EnumerateArray().ToArray();
        Assert.Equal(Fact, Assert.Single(facts).GetProperty("text").GetString());
        using var gone = await platform.Api.SendAsync(HttpMethod.Delete, $"/v1/agents/memory/{facts[0].GetProperty("id").GetString()}?user=ann");
        Assert.True(gone.IsSuccessStatusCode);
        Assert.False(await KnowsAsync("ann"), "what was forgotten was told");
    }

    [Fact]
    public async Task A_conversation_goes_on_where_it_was_until_it_is_to_be_forgotten()
    {
        platform.Plays("thread", _ => new AgentSays("The password is swordfish."));

        await ConverseAsync("first");
        await ConverseAsync("second");
        Assert.Contains("swordfish", platform.Asked("thread")[^1].BodyText, StringComparison.Ordinal);

        await platform.Api.JsonAsync(HttpMethod.Delete, "/v1/agents/threads/talk");
        await ConverseAsync("third");
        Assert.DoesNotContain("swordfish", platform.Asked("thread")[^1].BodyText, StringComparison.Ordinal);
    }

    /// <summary>Whether the system prompt and the tool both say it, or neither.</summary>
    private async Task<bool> KnowsAsync(string user)
    {
        _turns.Clear();
        var run = await RunAsync("recall", user);
        var told = _turns.First().System.Contains(Fact, StringComparison.Ordinal);
        Assert.Equal(told, run.GetProperty("output").GetString()!.Contains(Fact, StringComparison.Ordinal));
        return told;
    }

    private Task<JsonElement> ConverseAsync(string words) => CompletedAsync($"part=thread {words}", ",\"conversation\":\"talk\"");

    private Task<JsonElement> RunAsync(string part, string user) => CompletedAsync($"part={part}", $",\"user\":\"{user}\"");

    private async Task<JsonElement> CompletedAsync(string input, string members)
    {
        var run = await platform.RunAsync("keeper", input, members);
        Assert.True(run.GetProperty("status").GetString() == "completed", run.GetRawText());
        return run;
    }
}
