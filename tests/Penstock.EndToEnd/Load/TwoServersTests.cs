using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.Budgets;
using Penstock.EndToEnd.Running;
using Penstock.Kernel;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Load;

/// <summary>
/// Two servers on one DynamoDB, half of the calls at each, and three budgets over them that pay for half: by the ledger no cap is passed at any instant,
/// and each refusal is right in a state that the ledger knows. <c>PENSTOCK_TWOSERVERS_CALLS</c> sets the calls (400); <c>bench/twoservers.sh</c> makes 20,000.
/// </summary>
public sealed partial class TwoServersTests(ITestOutputHelper output) : SharedPlatform
{
    private const int MostInFlight = 256;
    private const ulong Seed = 20261125;

    /// <summary>The stand-in's constant answer: 10 tokens in and 16 out of gpt-4o-mini.</summary>
    private const long NanosEach = (10 * 150) + (16 * 600);

    private static readonly int Calls = int.TryParse(Environment.GetEnvironmentVariable("PENSTOCK_TWOSERVERS_CALLS"), NumberStyles.None, CultureInfo.InvariantCulture, out var calls) ? calls : 400;

    // What runs is held at its ceiling: of few calls, few at once, or what is held is most of the cap.
    private static readonly int InFlight = Math.Clamp(Calls / 20, 2, MostInFlight);
    private static readonly TimeSpan Settles = TimeSpan.FromSeconds(10);

    private (string Id, string Text)[] _keys = [];

    internal override UpstreamOptions? UpstreamOptions => new() { Fast = true };

    internal override string? Config => """{"limits":{"requestsPerSecond":1000000,"burst":1000000}}""";

    internal override TimeSpan? Patience => TimeSpan.FromMinutes(2);

    [Fact]
    public async Task Calls_at_two_servers_never_pass_three_caps_and_no_decision_is_wrong()
    {
        _keys = await KeysAsync();
        await CapsAsync(decimal.Ceiling(Calls * 0.50m * NanosEach), decimal.Ceiling(Calls * 0.22m * NanosEach), decimal.Ceiling(Calls * 0.08m * NanosEach));

        var started = Stopwatch.GetTimestamp();
        var decisions = await RunAsync();
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;

        await Wait.UntilAsync(async () => (await BudgetsAsync()).All(budget => budget.GetProperty("held").GetDecimal() == 0), Settles, () => "nothing is held in the end");
        var books = await SharedBooks.ReadAsync(Dynamo, TenantId.Default, Wait.Token);
        var wrong = decisions.Where(decision => !IsRight(decision, books)).ToArray();
        var admitted = decisions.Count(decision => decision.Refusal is null);
        output.WriteLine(FormattableString.Invariant($"{Calls} decisions at two servers, {InFlight} in flight, in {seconds:0.0} s, {Calls / seconds:0} a second: {admitted} admitted, {Calls - admitted} refused, {wrong.Length} wrong"));
        output.WriteLine(FormattableString.Invariant($"{books.Entries.Count} entries over {books.Budgets} caps: passed {books.TimesPast} times, fullest at {string.Join(", ", books.Peaks)}; {books.Held.Usd} USD held in the end; {books.Differences.Count} differences to verify"));

        Assert.True(wrong.Length == 0, $"{wrong.Length} wrong, such as {wrong.FirstOrDefault()}");
        Assert.Equal((3, 0, Money.Zero), (books.Budgets, books.TimesPast, books.Held));
        Assert.Empty(books.Differences);
        Assert.Equal((admitted, 2 * admitted), (Upstream.FastCalls, books.Entries.Count));
        Assert.Equal(admitted * NanosEach, books.Entries.Sum(entry => entry.Spent.NanoDollars));
        Assert.InRange(admitted, Calls * 35 / 100, Calls * 60 / 100);
        for (var server = 0; server < Servers.Count; server++) await WhatFitsIsAdmittedAsync(server);
        Assert.All(Servers, server => Assert.DoesNotContain(server.Log, line => line.Level is "Error" or "Critical"));
    }

    private async Task<(string Id, string Text)[]> KeysAsync()
    {
        var keys = new List<(string, string)>();
        foreach (var project in new[] { "a", "a", "b", "b" }) keys.Add(await Admins[0].NewKeyAsync("ai:complete", $"\"project\":\"{project}\",\"requestsPerSecond\":1000000,\"burst\":1000000"));
        return [.. keys];
    }

    /// <summary>A quarter of the calls is one key's, and half is one project's. None turns over while the calls last.</summary>
    private async Task CapsAsync(decimal tenant, decimal project, decimal key)
    {
        await CapAsync("\"scope\":\"tenant\"", tenant);
        await CapAsync("\"scope\":\"project\",\"name\":\"a\"", project);
        await CapAsync($"\"scope\":\"key\",\"name\":\"{_keys[0].Id}\"", key);
    }

    private async Task CapAsync(string scope, decimal nanos) =>
        await Admins[1].JsonAsync(HttpMethod.Put, "/v1/usage/budget", string.Create(CultureInfo.InvariantCulture, $$"""{{{scope}},"period":"total","limit":{{nanos / 1_000_000_000m}}}"""));

    private async Task<JsonElement[]> BudgetsAsync() => [.. (await Admins[0].GetAsync("/v1/usage/budget")).GetProperty("budgets").EnumerateArray()];

    private async Task<IReadOnlyCollection<Decision>> RunAsync()
    {
        var decisions = new ConcurrentBag<Decision>();
        var dice = new Dice(Seed);
        var planned = Enumerable.Range(0, Calls).Select(number => (Server: number % 2, Key: dice.Below(_keys.Length), Body: Body(number, 16 + dice.Below(100), dice.Percent(50)))).ToArray();
        var apis = Admins.Select(admin => _keys.Select(key => admin.With(key.Text)).ToArray()).ToArray();
        await Parallel.ForEachAsync(planned, new ParallelOptions { MaxDegreeOfParallelism = InFlight, CancellationToken = Wait.Token }, async (call, _) =>
            decisions.Add(await AskAsync(apis[call.Server][call.Key], call.Body)));
        foreach (var api in apis.SelectMany(each => each)) api.Dispose();
        return decisions;
    }

    private static async Task<Decision> AskAsync(Api api, string body)
    {
        using var answer = await api.PostAsync("/v1/chat/completions", body);
        var text = await answer.Content.ReadAsStringAsync(Wait.Token);
        Assert.True((int)answer.StatusCode is 200 or 402, $"{(int)answer.StatusCode}: {text}");
        var request = answer.Headers.GetValues("x-request-id").Single();
        return new Decision(request, (int)answer.StatusCode == 402 ? JsonElement.Parse(text).GetProperty("error").GetProperty("message").GetString() : null);
    }

    private static string Body(int number, int most, bool stream) =>
        string.Create(CultureInfo.InvariantCulture, $$"""{"model":"gpt-4o-mini","max_tokens":{{most}},{{(stream ? "\"stream\":true," : "")}}"messages":[{"role":"user","content":"call {{number}}"}]}""");

    /// <summary>What a refusal says was so after some entry, and did not leave what the call may cost.</summary>
    private static bool IsRight(Decision decision, SharedBooks books)
    {
        if (decision.Refusal is null) return books.IsBookedOnce(decision.Request);
        var said = Said().Match(decision.Refusal);
        if (!said.Success || !books.IsAbsent(decision.Request)) return false;
        var scope = new BudgetScope(Enum.Parse<BudgetScopeKind>(said.Groups["kind"].Value, ignoreCase: true), said.Groups["name"].Value);
        var (spent, held) = (Amount(said, "spent"), Amount(said, "held"));
        return books.Stood(scope, spent, held) && spent + held + Amount(said, "cost") > Amount(said, "limit");
    }

    private static Money Amount(Match said, string name) => said.Groups[name].Success ? Money.FromUsd(decimal.Parse(said.Groups[name].Value, CultureInfo.InvariantCulture)) : Money.Zero;

    /// <summary>With room for nothing a call is refused; with room for just what it may cost it is admitted, and no second one.</summary>
    private async Task WhatFitsIsAdmittedAsync(int server)
    {
        using var api = Admins[server].With(_keys[0].Text);
        var body = Body(server, 64, stream: false);
        await RoomAsync(0);
        var refused = await AskAsync(api, body);
        Assert.NotNull(refused.Refusal);
        var cost = Amount(Said().Match(refused.Refusal), "cost");
        await RoomAsync(cost.NanoDollars - 1);
        Assert.NotNull((await AskAsync(api, body)).Refusal);
        await RoomAsync(cost.NanoDollars);
        Assert.Null((await AskAsync(api, body)).Refusal);
        Assert.NotNull((await AskAsync(api, body)).Refusal);
    }

    private async Task RoomAsync(long nanos)
    {
        var spent = (await BudgetsAsync()).ToDictionary(budget => budget.GetProperty("scope").GetString()!, budget => (budget.GetProperty("spent").GetDecimal() * 1_000_000_000m) + nanos);
        await CapsAsync(spent["tenant"], spent["project"], spent["key"]);
    }

    [GeneratedRegex(@"budget of (?<kind>\w+) '(?<name>[^']+)' does not cover this call: (?<spent>[0-9.]+) of (?<limit>[0-9.]+) USD spent(, (?<held>[0-9.]+) held by running calls)?, and the call may cost (?<cost>[0-9.]+) USD")]
    private static partial Regex Said();

    /// <param name="Refusal">What was said with a 402; null where the call was admitted.</param>
    private sealed record Decision(string Request, string? Refusal);
}
