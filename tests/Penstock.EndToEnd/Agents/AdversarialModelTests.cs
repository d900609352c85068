using System.Text.Json;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Agents;

public sealed class AdversarialPlatform : AgentPlatform
{
    public const decimal Usd = 0.02m;
    public const decimal BossUsd = 0.20m;

    private const string Amount = """{"type": "object", "properties": {"amount": {"type": "integer", "minimum": 1}}, "required": ["amount"]}""";

    internal override IReadOnlyDictionary<string, string> Agents => new Dictionary<string, string>
    {
        ["worker"] = """
            apiVersion: v1
            kind: Agent
            name: worker
            version: 1.0.0
            description: Plays a part.
            model: gpt-4o-mini
            instructions: Do it.
            tools: [{name: broken}, {name: nothing}, {name: strict}, {name: calculator}]
            limits: {usd: 0.02, steps: 10, wall: 2m, toolCalls: 40}
            """,
        ["boss"] = """
            apiVersion: v1
            kind: Agent
            name: boss
            version: 1.0.0
            description: Plays a part.
            model: gpt-4o-mini
            instructions: Let others do it.
            agents: [boss, worker]
            limits: {usd: 0.20, steps: 10, wall: 2m, toolCalls: 400, children: 5, depth: 1, outputTokens: 5000}
            """,
    };

    internal override string Config => $$$"""
        {"tools": {"http": {
          {{{Tools.Setting("broken")}}},
          {{{Tools.Setting("nothing")}}},
          {{{Tools.Setting("strict", input: Amount)}}}
        } } }
        """;
}

/// <summary>
/// Models that go on for ever, each in a way of its own. Whatever they do, the run ends in plain sight, within its limits and its money, and the strict stand-in
/// takes every history it is sent.
/// </summary>
public sealed class AdversarialModelTests(AdversarialPlatform platform) : IClassFixture<AdversarialPlatform>
{
    public static TheoryData<string> Models => ["gpt-4o-mini", "claude-haiku-4-5"];

    [Theory, MemberData(nameof(Models))]
    public async Task The_same_failing_call_for_ever_is_stopped_at_the_third(string model)
    {
        platform.Tools.Does("broken", (_, _) => throw new ToolBrokenException());
        var part = Play(model, "same", _ => Call("broken", """{"n": 1}"""));

        var run = await RunAsync(model, part);

        Ended(run, "failed", "loop_detected");
        Assert.Equal(3, platform.Asked(part).Count);
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Calls_that_find_nothing_for_ever_end_at_ten_steps_and_never_near_891(string model)
    {
        platform.Tools.Does("nothing", (_, _) => Task.FromResult("""{"results": []}"""));
        var part = Play(model, "empty", turn => Call("nothing", $$"""{"query": "attempt {{turn.Turns}}"}"""));

        var run = await RunAsync(model, part);

        Ended(run, "failed", "limit_steps");
        Assert.Equal(10, platform.Asked(part).Count);
        Assert.Equal(10, run.GetProperty("usage").GetProperty("toolCalls").GetInt32());
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Invalid_arguments_are_told_the_field_and_the_schema_and_end(string model)
    {
        var told = new List<string>();
        var part = Play(model, "invalid", turn =>
        {
            told.AddRange(turn.ToolResults);
            return Call("strict", $$"""{"amount": "{{turn.Turns}} euros"}""");
        });

        var run = await RunAsync(model, part);

        Ended(run, "failed", "limit_steps");
        Assert.Equal(9, told.Count);
        Assert.All(told, text => Assert.True(text.Contains("amount", StringComparison.Ordinal) && text.Contains("\"minimum\"", StringComparison.Ordinal), text));
        Assert.Empty(platform.Tools.Seen("strict"));
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Tools_that_nobody_has_are_refused_with_those_that_there_are_and_end(string model)
    {
        var told = new List<string>();
        var part = Play(model, "unknown", turn =>
        {
            told.AddRange(turn.ToolResults);
            return Call($"delete_everything_{turn.Turns}", "{}");
        });

        var run = await RunAsync(model, part);

        Ended(run, "failed", "limit_steps");
        Assert.All(told, text => Assert.Contains("calculator", text, StringComparison.Ordinal));
        Assert.Equal(10, platform.Asked(part).Count);
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Names_that_no_vendor_takes_back_are_no_bad_request_later(string model)
    {
        var part = Play(model, "names", turn => turn.Turns == 0
            ? new AgentSays("", ("delete everything, now!", "{}"), (new string('x', 300), "{}"), ("", "{}"), ("calculator", """{"expression": "1+1"}"""))
            : new AgentSays(string.Join('\n', turn.ToolResults)));

        var run = await RunAsync(model, part);

        Assert.Equal("completed", run.GetProperty("status").GetString());
        Assert.Contains("There is no tool", run.GetProperty("output").GetString(), StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Of_a_hundred_sub_agents_asked_for_at_once_five_start_and_none_below_them(string model)
    {
        var part = $"hundred-{model}";
        // Those below ask for as many themselves, and are offered nobody.
        platform.Plays(part, turn => turn.Turns > 0 || turn.User.Contains("below", StringComparison.Ordinal) && !turn.Tools.Contains("run_agent")
            ? new AgentSays("done")
            : new AgentSays("", [.. Enumerable.Range(0, 100).Select(number => ("run_agent", $$"""{"agent": "boss", "input": "part={{part}} below {{number}}"}"""))]));

        var run = await platform.RunAsync("boss", $"part={part}", $",\"model\":\"{model}\"");

        Assert.Equal("completed", run.GetProperty("status").GetString());
        Assert.Equal(5, run.GetProperty("children").GetArrayLength());
        Assert.All(run.GetProperty("children").EnumerateArray(), child => Assert.Equal(0, child.GetProperty("children").GetArrayLength()));
        Assert.All(run.GetProperty("children").EnumerateArray(), child => Assert.Equal("completed", child.GetProperty("status").GetString()));
        var refused = Steps(run, "tool").Where(step => step.GetProperty("outcome").GetString() == "failed").ToArray();
        Assert.Equal(95, refused.Length);
        Assert.All(refused, step => Assert.Equal("limit_children", step.GetProperty("error").GetProperty("code").GetString()));
        await WithinEnvelopeAsync(run, AdversarialPlatform.BossUsd);
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Ten_thousand_calls_in_one_answer_end_the_run_with_none_of_them_made(string model)
    {
        var before = platform.Tools.Seen("nothing").Count;
        var part = Play(model, "flood", _ => new AgentSays("", [.. Enumerable.Range(0, 10_000).Select(number => ("nothing", $$"""{"n":{{number}}}"""))]));

        var run = await RunAsync(model, part);

        Ended(run, "failed", "limit_tool_calls");
        Assert.Equal(before, platform.Tools.Seen("nothing").Count);
    }

    [Theory, MemberData(nameof(Models))]
    public async Task Arguments_that_are_no_json_never_become_an_empty_object(string model)
    {
        var told = new List<string>();
        var before = platform.Tools.Seen("nothing").Count;
        var part = Play(model, "garbage", turn =>
        {
            told.AddRange(turn.ToolResults);
            return Call("nothing", $$"""{"query": "{{turn.Turns}}""");
        });

        var run = await RunAsync(model, part);

        Ended(run, "failed", "limit_steps");
        Assert.All(told, text => Assert.Contains("not one JSON object", text, StringComparison.Ordinal));
        Assert.Equal(before, platform.Tools.Seen("nothing").Count);
    }

    [Theory, MemberData(nameof(Models))]
    public async Task A_text_of_a_megabyte_is_an_output_like_any(string model)
    {
        var word = new string('x', 999) + " ";
        var part = Play(model, "huge", _ => new AgentSays(string.Concat(Enumerable.Repeat(word, 1_000))));

        var run = await RunAsync(model, part);

        Assert.Equal("completed", run.GetProperty("status").GetString());
        Assert.True(run.GetProperty("output").GetString()!.Length > 100_000);
    }

    /// <summary>Named so that it is asked for under this model alone.</summary>
    private string Play(string model, string name, Func<AgentTurn, AgentSays?> says)
    {
        var part = $"{name}-{model}";
        platform.Plays(part, says);
        return part;
    }

    private async Task<JsonElement> RunAsync(string model, string part)
    {
        var run = await platform.RunAsync("worker", $"part={part}", $",\"model\":\"{model}\"");
        await WithinEnvelopeAsync(run, AdversarialPlatform.Usd);
        return run;
    }

    private async Task WithinEnvelopeAsync(JsonElement run, decimal usd)
    {
        platform.NothingRefused();
        var rows = await platform.RowsAsync(run.GetProperty("id").GetString()!);
        Assert.NotEmpty(rows);
        Assert.True(rows.Sum(row => row.Cost) > 0, "nothing was booked");
        Assert.True(rows.Sum(row => row.Cost) <= usd, $"{rows.Sum(row => row.Cost)} USD were spent of {usd}");
    }

    private static void Ended(JsonElement run, string status, string error)
    {
        Assert.Equal(status, run.GetProperty("status").GetString());
        Assert.Equal(error, run.GetProperty("error").GetProperty("code").GetString());
        Assert.DoesNotContain(run.GetProperty("steps").EnumerateArray(), step => step.GetProperty("outcome").GetString() == "open");
    }

    private static IEnumerable<JsonElement> Steps(JsonElement run, string kind) => run.GetProperty("steps").EnumerateArray().Where(step => step.GetProperty("kind").GetString() == kind);

    private static AgentSays Call(string tool, string arguments) => new("", (tool, arguments));
}
