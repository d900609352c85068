using Penstock.Upstream;

namespace Penstock.EndToEnd.Agents;

public sealed class GuardedPlatform : AgentPlatform
{
    internal override IReadOnlyDictionary<string, string> Agents => new Dictionary<string, string>
    {
        ["careful"] = """
            apiVersion: v1
            kind: Agent
            name: careful
            version: 1.0.0
            description: Looks somebody up.
            model: gpt-4o-mini
            instructions: Look it up.
            tools: [{name: directory}]
            limits: {usd: 0.05, steps: 10, wall: 5m}
            """,
    };

    internal override string Config => $$$"""{"guards": {"email": "mask", "card": "mask"}, "tools": {"http": { {{{Tools.Setting("directory")}}} } } }""";
}

/// <summary>Guard rules hold for what a run sends to its model and for what it shows, as they do for any call.</summary>
public sealed class GuardedRunTests(GuardedPlatform platform) : IClassFixture<GuardedPlatform>
{
    private const string Mail = "ann.hidden@example.com";
    private const string Card = "4111 1111 1111 1111";

    [Fact]
    public async Task What_a_tool_answers_is_masked_before_the_model_sees_it_and_what_the_model_answers_before_anybody_does()
    {
        platform.Tools.Does("directory", (_, _) => Task.FromResult($$"""{"contact": "{{Mail}}"}"""));
        platform.Plays("careful", turn => turn.Turns == 0 ? new AgentSays("", ("directory", "{}")) : new AgentSays($"The card is {Card}."));

        var run = await platform.RunAsync("careful", "part=careful");
        using var events = await platform.Api.SendAsync(HttpMethod.Get, $"/v1/agents/runs/{run.GetProperty("id").GetString()}/events");
        var shown = run.GetRawText() + await events.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        Assert.Equal("completed", run.GetProperty("status").GetString());
        Assert.Equal(2, platform.Asked("careful").Count);
        Assert.DoesNotContain(Mail, platform.Asked("careful")[1].BodyText, StringComparison.Ordinal);
        Assert.DoesNotContain(Mail, shown, StringComparison.Ordinal);
        Assert.DoesNotContain(Card, shown, StringComparison.Ordinal);
        Assert.Contains("The card is ", shown, StringComparison.Ordinal);
    }
}
