using System.Net;
using System.Text.Json;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Agents;

public sealed class SteeringPlatform : AgentPlatform
{
    internal override IReadOnlyDictionary<string, string> Agents => new Dictionary<string, string>
    {
        ["careful"] = Agent("careful", "tools: [{name: pay}, {name: look}]", "approvals: [{tool: pay, expires: 24h}]"),
        ["hasty"] = Agent("hasty", "tools: [{name: pay}]", "approvals: [{tool: pay, expires: 2s, onExpire: reject}]"),
        ["trusting"] = Agent("trusting", "tools: [{name: pay}]", "approvals: [{tool: pay, expires: 2s, onExpire: approve}]"),
        ["patient"] = Agent("patient", "tools: [{name: wait}, {name: look}]", ""),
        ["boss"] = Agent("boss", "agents: [clerk]", ""),
        ["clerk"] = Agent("clerk", "", ""),
    };

    internal override string Config => $$$"""
        {"agents": {"leaseSeconds": 3, "renewSeconds": 0.5, "fenceSeconds": 2},
         "tools": {"http": {
          {{{Tools.Setting("pay", effect: "once")}}},
          {{{Tools.Setting("look")}}}
        } } }
        """;

    private static string Agent(string name, string tools, string approvals) => $$"""
        apiVersion: v1
        kind: Agent
        name: {{name}}
        version: 1.0.0
        description: Plays a part.
        model: gpt-4o-mini
        instructions: Do part={{name}} of it.
        {{tools}}
        limits: {usd: 0.02, steps: 10, wall: 5m, outputTokens: 2000}
        {{approvals}}
        """;
}

/// <summary>What people, time and other runs decide: once, and for good, whatever is killed meanwhile.</summary>
public sealed class SteeringTests(SteeringPlatform platform) : IClassFixture<SteeringPlatform>
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Of_ten_approvals_at_once_one_counts_and_the_tool_is_called_once()
    {
        Pays("once", 1);
        var id = await platform.StartAsync("careful", "part=once");
        var call = (await WaitingAsync(id, 1))[0];

        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => AnswerAsync(id, call, approved: true)));

        Assert.Single(answers, HttpStatusCode.Accepted);
        Assert.Equal(9, answers.Count(answer => answer == HttpStatusCode.Conflict));
        await CompletedAsync(id);
        Assert.Single(Paid("once"));
        Assert.Equal(HttpStatusCode.Conflict, await AnswerAsync(id, call, approved: false));
    }

    [Fact]
    public async Task Parallel_approvals_have_ids_of_their_own_and_are_decided_one_by_one()
    {
        Pays("three", 3);
        var id = await platform.StartAsync("careful", "part=three");
        var calls = await WaitingAsync(id, 3);
        Assert.Equal(3, calls.Distinct().Count());

        Assert.Equal(HttpStatusCode.Accepted, await AnswerAsync(id, calls[2], approved: true));
        Assert.Equal(HttpStatusCode.Accepted, await AnswerAsync(id, calls[1], approved: false));
        await WaitingAsync(id, 1);
        Assert.Equal(HttpStatusCode.Accepted, await AnswerAsync(id, calls[0], approved: true));

        await CompletedAsync(id);
        Assert.Equal(["0", "2"], Paid("three").Order());
    }

    [Fact]
    public async Task What_was_denied_does_not_come_back_after_a_kill()
    {
        Pays("denied", 2);
        var id = await platform.StartAsync("careful", "part=denied");
        var calls = await WaitingAsync(id, 2);

        Assert.Equal(HttpStatusCode.Accepted, await AnswerAsync(id, calls[0], approved: false));
        await platform.KillAndStartAsync();

        Assert.Equal([calls[1]], await WaitingAsync(id, 1));
        Assert.Equal(HttpStatusCode.Conflict, await AnswerAsync(id, calls[0], approved: true));
        await platform.KillAndStartAsync();
        Assert.Equal([calls[1]], await WaitingAsync(id, 1));
        Assert.Equal(HttpStatusCode.Accepted, await AnswerAsync(id, calls[1], approved: true));
        await CompletedAsync(id);
        Assert.Equal(["1"], Paid("denied"));
    }

    [Theory]
    [InlineData("hasty", 0)]
    [InlineData("trusting", 1)]
    public async Task An_approval_that_expires_is_decided_as_the_agent_says_and_later_words_do_not_count(string agent, int paid)
    {
        Pays(agent, 1);
        var id = await platform.StartAsync(agent, "Pay.");
        var call = (await WaitingAsync(id, 1))[0];

        await CompletedAsync(id);

        Assert.Equal(paid, Paid(agent).Count);
        Assert.Equal(HttpStatusCode.Conflict, await AnswerAsync(id, call, approved: true));
        Assert.Equal(paid, Paid(agent).Count);
    }

    [Fact]
    public async Task A_signal_is_heard_with_the_next_call_of_the_model_and_once()
    {
        var (open, heard) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new List<string>());
        platform.Tools.Does("look", async (_, ct) =>
        {
            await open.Task.WaitAsync(ct);
            return "{}";
        });
        platform.Plays("patient", turn =>
        {
            heard.Add(turn.User);
            return turn.Turns == 0 ? new AgentSays("", ("look", """{"for": "signal"}""")) : new AgentSays("done");
        });
        var id = await platform.StartAsync("patient", "Look.");
        await Wait.UntilAsync(() => platform.Tools.InFlight == 1, Soon, "the tool is called");

        var added = new List<bool>();
        for (var time = 0; time < 2; time++)
        {
            var told = await platform.Api.JsonAsync(HttpMethod.Post, $"/v1/agents/runs/{id}/signal", """{"name": "price", "payload": {"usd": 7}, "id": "price-1"}""");
            added.Add(told.GetProperty("added").GetBoolean());
        }

        open.SetResult();
        await CompletedAsync(id);
        platform.Tools.Does("look", (_, _) => Task.FromResult("{}"));
        Assert.Equal([true, false], added);
        Assert.Equal(2, heard.Count);
        Assert.Contains("price", heard[1], StringComparison.Ordinal);
        Assert.Contains("7", heard[1], StringComparison.Ordinal);
        var last = platform.Upstream.Seen.All()[^1].BodyText;
        Assert.Equal(2, last.Split("Signal 'price'").Length);
    }

    [Fact]
    public async Task A_timer_goes_on_when_it_is_due_though_its_server_was_killed()
    {
        platform.Plays("timer", turn => turn.Turns == 0 ? new AgentSays("", ("wait", """{"seconds": 12, "text": "woken"}""")) : new AgentSays(turn.ToolResults[0]));
        var id = await platform.StartAsync("patient", "part=timer");
        await platform.UntilAsync(id, run => run.GetProperty("status").GetString() == "waiting" && run.GetProperty("waitsFor").GetString() == "timer", Soon);

        await platform.KillAndStartAsync();

        var run = await CompletedAsync(id);
        var timer = run.GetProperty("steps").EnumerateArray().Single(step => step.GetProperty("kind").GetString() == "timer");
        var (set, ended) = (timer.GetProperty("startedAt").GetDateTimeOffset(), run.GetProperty("endedAt").GetDateTimeOffset());
        Assert.InRange((ended - set).TotalSeconds, 12, 20);
        Assert.Contains("woken", run.GetProperty("output").GetString(), StringComparison.Ordinal);
        Assert.Equal(2, platform.Asked("timer").Count);
    }

    [Fact]
    public async Task Runs_below_a_run_spend_of_its_envelope_and_end_with_it()
    {
        const decimal Usd = 0.02m;
        var words = string.Join(' ', Enumerable.Repeat("word", 1_500));
        platform.Plays("boss", turn => turn.Turns > 5 ? new AgentSays("done") : new AgentSays("", ("run_agent", $$"""{"agent": "clerk", "input": "task {{turn.Turns}} {{words}}"}""")));
        platform.Plays("clerk", _ => new AgentSays(words));

        var run = await platform.RunAsync("boss", "Go.", ",\"model\":\"claude-haiku-4-5\"", TimeSpan.FromSeconds(60));

        var id = run.GetProperty("id").GetString()!;
        var rows = await platform.RowsAsync(id);
        Assert.True(run.GetProperty("children").GetArrayLength() >= 1);
        Assert.Contains(rows, row => row.Run!.StartsWith(id + "/", StringComparison.Ordinal));
        Assert.True(rows.Sum(row => row.Cost) <= Usd, $"{rows.Sum(row => row.Cost)} USD were spent of {Usd}");
        Assert.Equal("failed", run.GetProperty("status").GetString());
        Assert.Equal("budget_exceeded", run.GetProperty("error").GetProperty("code").GetString());
    }

    /// <summary>Asks to pay so often at once, and ends.</summary>
    private void Pays(string part, int times) => platform.Plays(part, turn => turn.Turns > 0
        ? new AgentSays("done")
        : new AgentSays("", [.. Enumerable.Range(0, times).Select(number => ("pay", $$"""{"part": "{{part}}", "n": "{{number}}"}"""))]));

    /// <summary>Numbers of the payments that were made.</summary>
    private List<string> Paid(string part) => [.. platform.Tools.Seen("pay").Select(call => JsonElement.Parse(call.Arguments)).Where(call => call.GetProperty("part").GetString() == part).Select(call => call.GetProperty("n").GetString()!)];

    private async Task<IReadOnlyList<string>> WaitingAsync(string id, int many)
    {
        var run = await platform.UntilAsync(id, run => run.GetProperty("status").GetString() == "waiting" && run.GetProperty("waiting").GetArrayLength() == many, Soon);
        return [.. run.GetProperty("waiting").EnumerateArray().Select(waiting => waiting.GetProperty("call").GetString()!)];
    }

    private async Task<HttpStatusCode> AnswerAsync(string id, string call, bool approved)
    {
        using var answer = await platform.Api.SendAsync(HttpMethod.Post, $"/v1/agents/runs/{id}/approvals/{call}", $$"""{"approved":{{(approved ? "true" : "false")}}}""");
        return answer.StatusCode;
    }

    private async Task<JsonElement> CompletedAsync(string id)
    {
        var run = await platform.EndedAsync(id, Soon);
        Assert.True(run.GetProperty("status").GetString() == "completed", run.GetRawText());
        return run;
    }
}
