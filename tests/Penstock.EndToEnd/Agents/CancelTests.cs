using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Agents;

public sealed class CancelPlatform : AgentPlatform
{
    internal override IReadOnlyDictionary<string, string> Agents => new Dictionary<string, string>
    {
        ["talker"] = """
            apiVersion: v1
            kind: Agent
            name: talker
            version: 1.0.0
            description: Talks slowly.
            model: gpt-4o-mini
            instructions: Talk.
            tools: [{name: note}]
            limits: {usd: 0.05, steps: 10, wall: 5m, outputTokens: 2000}
            """,
    };

    internal override string Config => $$$"""
        {"tools": {"http": {
          {{{Tools.Setting("note")}}}
        } } }
        """;
}

/// <summary>
/// Runs that are cancelled at random moments while their model speaks: in its first answer, after a tool, in the midst of a tool call. <c>PENSTOCK_CANCELS</c> sets
/// how many (120).
/// </summary>
public sealed partial class CancelTests(CancelPlatform platform, ITestOutputHelper output) : IClassFixture<CancelPlatform>
{
    private const int AtOnce = 12;
    private const int Words = 300;
    private const ulong Seed = 20261125;

    /// <summary>Words that are one token to OpenAI's models, as they are to the stand-in.</summary>
    private static readonly string[] OneToken = ["the", "cat", "sat", "on", "a", "mat", "and", "ran", "to", "us"];

    private static readonly TimeSpan SocketCloses = TimeSpan.FromSeconds(1);
    private static readonly int Cancels = int.TryParse(Environment.GetEnvironmentVariable("PENSTOCK_CANCELS"), NumberStyles.None, CultureInfo.InvariantCulture, out var cancels) ? cancels : 120;
    private static readonly string Speech = string.Join(' ', Enumerable.Range(0, Words).Select(number => OneToken[number % OneToken.Length]));

    private readonly ConcurrentDictionary<(int Number, int Turn), TaskCompletionSource> _speaking = new();

    [Fact]
    public async Task A_cancel_closes_the_providers_socket_within_a_second_and_nothing_is_called_after_it()
    {
        platform.Plays("slow", Speak);
        var dice = new Dice(Seed);
        var plans = Enumerable.Range(0, Cancels).Select(number => (Number: number, Pause: dice.Below(400), Model: dice.Pick("gpt-4o-mini", "claude-haiku-4-5"))).ToArray();
        var cancelled = new ConcurrentBag<Cancelled>();
        await Parallel.ForEachAsync(plans, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = Wait.Token }, async (plan, _) => cancelled.Add(await CancelAsync(plan.Number, plan.Pause, plan.Model)));

        var seen = platform.Upstream.Seen.All().ToLookup(call => int.Parse(Number().Match(call.BodyText).Groups[1].Value, CultureInfo.InvariantCulture));
        var closing = cancelled.Select(run => SocketClosed(run, [.. seen[run.Number]])).Order().ToArray();
        output.WriteLine(FormattableString.Invariant($"{Cancels} cancels: the socket was closed after {closing[closing.Length / 2]:0} ms (p50), {closing[(int)(closing.Length * 0.99)]:0} ms (p99), {closing[^1]:0} ms (most)"));
        Assert.True(closing[^1] <= SocketCloses.TotalMilliseconds, $"a socket was open for {closing[^1]} ms");
        NoToolAfter(cancelled);
        await BookedAsync(cancelled);

        // What was said before a cancel is a history that a strict vendor takes.
        foreach (var run in cancelled.Take(12)) await GoesOnAsync(run);
        platform.NothingRefused();
        await platform.Server.StopAsync();
        var (code, said, erred) = await CliProcess.RunAsync(platform.Folder, "ledger", "verify");
        Assert.True(code == 0, $"penstock ledger verify: {code} {said} {erred}");
    }

    /// <summary>By its number a run is cancelled in its first answer, in the answer after a tool, or while it writes down a call.</summary>
    private AgentSays? Speak(AgentTurn turn)
    {
        var number = int.Parse(Number().Match(turn.User).Groups[1].Value, CultureInfo.InvariantCulture);
        if (turn.User.Contains("again", StringComparison.Ordinal)) return new AgentSays("Here again.");
        var last = number % 3 == 1 ? 1 : 0;
        if (turn.Turns == last) Moment(number).TrySetResult();
        if (turn.Turns < last) return new AgentSays("", ("note", $$"""{"number": {{number}} }"""));
        return number % 3 == 2 ? new AgentSays("I note it.", ("note", $$"""{"number": {{number}}, "text": "{{Speech}}"}""")) : new AgentSays(Speech);
    }

    private TaskCompletionSource Moment(int number) => _speaking.GetOrAdd((number, 0), static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private async Task<Cancelled> CancelAsync(int number, int pause, string model)
    {
        var id = await platform.StartAsync("talker", $"part=slow number={number}; [[slow:ms=20]]", $",\"model\":\"{model}\",\"conversation\":\"talk-{number}\"");
        await Moment(number).Task.WaitAsync(TimeSpan.FromSeconds(30), Wait.Token);
        await Wait.PauseAsync(TimeSpan.FromMilliseconds(pause));
        var at = TimeProvider.System.GetUtcNow();
        await platform.Api.JsonAsync(HttpMethod.Post, $"/v1/agents/runs/{id}/cancel", """{"reason":"changed my mind"}""");
        var run = await platform.EndedAsync(id, TimeSpan.FromSeconds(10));
        Assert.Equal("cancelled", run.GetProperty("status").GetString());
        Assert.DoesNotContain(run.GetProperty("steps").EnumerateArray(), step => step.GetProperty("outcome").GetString() == "open");
        return new Cancelled(number, id, at, run);
    }

    /// <returns>Milliseconds from the cancel to the end of the provider's socket.</returns>
    private static double SocketClosed(Cancelled run, IReadOnlyList<SeenCall> calls)
    {
        var last = calls[^1];
        Assert.Equal(run.Number % 3 == 1 ? 2 : 1, calls.Count);
        Assert.Equal(SeenOutcome.Aborted, last.Outcome);
        Assert.All(calls, call => Assert.True(call.At < run.At, "a model was called after the cancel"));
        return (last.AbortedAt!.Value - run.At).TotalMilliseconds;
    }

    private void NoToolAfter(IEnumerable<Cancelled> runs)
    {
        var noted = platform.Tools.Seen("note").Select(call => JsonElement.Parse(call.Arguments).GetProperty("number").GetInt32()).ToHashSet();
        Assert.Equal(runs.Where(run => run.Number % 3 == 1).Select(run => run.Number).Order(), noted.Order());
    }

    /// <summary>
    /// Every call that a provider saw is booked once, for what came of its answer: to the token where the stand-in and we count alike, which is the case of
    /// OpenAI's; else for no less. A piece may have been on its way.
    /// </summary>
    private async Task BookedAsync(IEnumerable<Cancelled> runs)
    {
        const int OnItsWay = 1;
        var rows = (await Entry.AllAsync(platform.Admin)).Where(row => row.Run is not null).ToArray();
        var byAttempt = rows.ToDictionary(row => row.Attempt);
        var calls = platform.Upstream.Seen.All();
        Assert.Equal(calls.Count, rows.Length);
        Assert.All(calls.Where(call => call.Outcome == SeenOutcome.Aborted), call =>
        {
            var row = byAttempt[call.ClientRequestId!];
            Assert.Equal(("client_gone", true), (row.Outcome, row.Estimated));
            Assert.True(row.Input >= call.Billed.TotalInput, $"{row.Input} tokens of input were booked of {call.Billed.TotalInput}");
            Assert.True(row.Output >= call.Billed.TotalOutput - OnItsWay, $"{row.Output} tokens of output were booked of {call.Billed.TotalOutput}: {call.BodyText}");
            if (call.Model == "gpt-4o-mini" && !InCall(call)) Assert.InRange(row.Output, call.Billed.TotalOutput - OnItsWay, call.Billed.TotalOutput + OnItsWay);
        });
        var (metered, booked) = (calls.Sum(call => call.Billed.TotalOutput), calls.Sum(call => byAttempt[call.ClientRequestId!].Output));
        output.WriteLine($"{metered} tokens of output were metered, {booked} booked");
        Assert.All(runs, run => Assert.True(rows.Where(row => row.Run == run.Id).Sum(row => row.Cost) <= 0.05m));
    }

    /// <summary>Whether it was cancelled while it wrote down a call, whose pieces of five letters the stand-in counts as a token each.</summary>
    private static bool InCall(SeenCall call) => int.Parse(Number().Match(call.BodyText).Groups[1].Value, CultureInfo.InvariantCulture) % 3 == 2;

    private async Task GoesOnAsync(Cancelled run)
    {
        var next = await platform.RunAsync("talker", $"part=slow number={run.Number}; again", $",\"conversation\":\"talk-{run.Number}\"");
        Assert.Equal("completed", next.GetProperty("status").GetString());

        var from = run.Run.GetProperty("steps").EnumerateArray().Last(step => step.GetProperty("kind").GetString() == "model").GetProperty("seq").GetInt64();
        var fork = await platform.Api.JsonAsync(HttpMethod.Post, $"/v1/agents/runs/{run.Id}/fork", $$"""{"from":{{from}} }""");
        var forked = fork.GetProperty("id").GetString()!;
        await platform.UntilAsync(forked, now => now.GetProperty("status").GetString() == "running", TimeSpan.FromSeconds(10));
        await platform.Api.JsonAsync(HttpMethod.Post, $"/v1/agents/runs/{forked}/cancel", "{}");
        await platform.EndedAsync(forked, TimeSpan.FromSeconds(10));
    }

    private sealed record Cancelled(int Number, string Id, DateTimeOffset At, JsonElement Run);

    [GeneratedRegex("number=([0-9]+);")]
    private static partial Regex Number();
}
