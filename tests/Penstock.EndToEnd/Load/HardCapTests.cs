using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Load;

/// <summary>
/// Far more calls at once than three budgets over them can pay for: every refusal is right by its own numbers, no balance ever stands past its cap,
/// and in the end nothing is held and what is left can be spent. <c>PENSTOCK_CAP_CALLS</c> sets the calls (5,000).
/// </summary>
public sealed partial class HardCapTests(ITestOutputHelper output)
{
    private const int InFlight = 256;
    private const ulong Seed = 20261125;

    /// <summary>The stand-in's constant answer: 10 tokens in and 16 out of gpt-4o-mini.</summary>
    private const long NanosEach = (10 * 150) + (16 * 600);
    private const decimal NanosPerDollar = 1_000_000_000m;

    private static readonly int Calls = int.TryParse(Environment.GetEnvironmentVariable("PENSTOCK_CAP_CALLS"), NumberStyles.None, CultureInfo.InvariantCulture, out var calls) ? calls : 5_000;
    private static readonly TimeSpan Settles = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Calls_at_once_never_pass_three_caps_and_no_refusal_is_wrong()
    {
        await using var upstream = await UpstreamServer.StartAsync(new UpstreamOptions { Fast = true }, Wait.Token);
        using var folder = new TempFolder();
        await using var server = await ServerProcess.StartAsync(new ServerOptions { Folder = folder.Path, Environment = ServerOptions.Reaching(upstream), Config = """{"limits":{"requestsPerSecond":1000000,"burst":1000000}}""" });
        var contract = await ApiContract.OfAsync(server.Address);
        using var admin = new Api(server.Address, contract, server.Options.AdminKey);
        var keys = await KeysAsync(admin);
        await CapsAsync(admin, keys[0].Id);

        var started = Stopwatch.GetTimestamp();
        using var over = new CancellationTokenSource();
        var watching = WatchAsync(admin, over.Token);
        var refused = await RunAsync(admin, [.. keys.Select(key => key.Text)]);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        await over.CancelAsync();
        var samples = await watching;

        var admitted = Calls - refused.Count;
        Assert.InRange(admitted, Calls * 4 / 10, Calls * 6 / 10);
        Assert.Equal(admitted, upstream.FastCalls);
        Assert.All(refused, text => Assert.True(IsRight(text), $"a wrong refusal: {text}"));
        await Wait.UntilAsync(async () => (await BudgetsAsync(admin)).All(budget => Money(budget, "held") == 0), Settles, () => "nothing is held in the end");
        var spent = admitted * NanosEach / NanosPerDollar;
        Assert.Equal(spent, (await admin.GetAsync("/v1/usage")).GetProperty("totalCost").GetDecimal());
        Assert.Equal(spent, Money((await BudgetsAsync(admin)).Single(budget => budget.GetProperty("scope").GetString() == "tenant"), "spent"));
        await WhatIsLeftCanBeSpentAsync(admin, keys[^1].Text);
        await server.StopAsync();
        Assert.Equal(0, (await CliProcess.RunAsync(folder.Path, "ledger", "verify")).Code);
        output.WriteLine(FormattableString.Invariant($"{Calls} decisions at {InFlight} in flight in {seconds:0.0} s, {Calls / seconds:0} a second: {admitted} admitted, {refused.Count} refused, 0 wrong; {samples} looks at the balances, none past its cap; ledger verify clean"));
    }

    private static async Task<(string Id, string Text)[]> KeysAsync(Api admin)
    {
        var keys = new List<(string, string)>();
        foreach (var project in new[] { "a", "a", "b", "b" }) keys.Add(await admin.NewKeyAsync("ai:complete", $"\"project\":\"{project}\",\"requestsPerSecond\":1000000,\"burst\":1000000"));
        return [.. keys];
    }

    /// <summary>A quarter of the calls is one key's, half is one project's: each cap alone admits too few of its own.</summary>
    private static async Task CapsAsync(Api admin, string key)
    {
        await CapAsync(admin, "\"scope\":\"tenant\",\"period\":\"total\"", 0.50m);
        await CapAsync(admin, "\"scope\":\"project\",\"name\":\"a\",\"period\":\"month\"", 0.22m);
        await CapAsync(admin, $"\"scope\":\"key\",\"name\":\"{key}\",\"period\":\"day\"", 0.08m);
    }

    private static async Task CapAsync(Api admin, string budget, decimal part) =>
        await admin.JsonAsync(HttpMethod.Put, "/v1/usage/budget", string.Create(CultureInfo.InvariantCulture, $$"""{{{budget}},"limit":{{decimal.Ceiling(Calls * part * NanosEach) / NanosPerDollar}}}"""));

    /// <returns>What was said with each 402.</returns>
    private static async Task<IReadOnlyCollection<string>> RunAsync(Api admin, string[] keys)
    {
        var refused = new ConcurrentBag<string>();
        var dice = new Dice(Seed);
        var planned = Enumerable.Range(0, Calls).Select(number => (Key: dice.Below(keys.Length), Body: Body(number, 16 + dice.Below(100), dice.Percent(50)))).ToArray();
        var apis = keys.Select(admin.With).ToArray();
        await Parallel.ForEachAsync(planned, new ParallelOptions { MaxDegreeOfParallelism = InFlight, CancellationToken = Wait.Token }, async (call, _) =>
        {
            using var answer = await apis[call.Key].PostAsync("/v1/chat/completions", call.Body);
            var text = await answer.Content.ReadAsStringAsync(Wait.Token);
            Assert.True((int)answer.StatusCode is 200 or 402, $"{(int)answer.StatusCode}: {text}");
            if ((int)answer.StatusCode == 402) refused.Add(JsonElement.Parse(text).GetProperty("error").GetProperty("message").GetString()!);
            else Assert.True(decimal.Parse(answer.Headers.GetValues("x-penstock-budget-remaining-usd").Single(), CultureInfo.InvariantCulture) >= 0);
        });
        foreach (var api in apis) api.Dispose();
        return refused;
    }

    private static string Body(int number, int most, bool stream) =>
        string.Create(CultureInfo.InvariantCulture, $$"""{"model":"gpt-4o-mini","max_tokens":{{most}},{{(stream ? "\"stream\":true," : "")}}"messages":[{"role":"user","content":"call {{number}}"}]}""");

    /// <summary>Looks at the balances for as long as the calls last.</summary>
    private static async Task<int> WatchAsync(Api admin, CancellationToken over)
    {
        for (var samples = 0; ; samples++)
        {
            if (over.IsCancellationRequested) return samples;
            Assert.All(await BudgetsAsync(admin), budget => Assert.True(Money(budget, "spent") + Money(budget, "held") <= Money(budget, "limit"), $"past its cap: {budget}"));
        }
    }

    private static async Task<JsonElement[]> BudgetsAsync(Api admin) => [.. (await admin.GetAsync("/v1/usage/budget")).GetProperty("budgets").EnumerateArray()];

    private static decimal Money(JsonElement budget, string name) => budget.GetProperty(name).GetDecimal();

    /// <summary>A refusal says what is spent, what is held and what the call may cost: together that is more than the limit, or it is a phantom.</summary>
    private static bool IsRight(string text)
    {
        var said = Amounts().Match(text);
        return said.Success && Amount("spent") + Amount("held") + Amount("cost") > Amount("limit");

        decimal Amount(string name) => said.Groups[name].Success ? decimal.Parse(said.Groups[name].Value, CultureInfo.InvariantCulture) : 0;
    }

    /// <summary>With the caps lifted to what is spent and one call more, one call more is admitted.</summary>
    private static async Task WhatIsLeftCanBeSpentAsync(Api admin, string key)
    {
        var tenant = (await BudgetsAsync(admin)).Single(budget => budget.GetProperty("scope").GetString() == "tenant");
        var body = Body(0, 16, stream: false);
        using var api = admin.With(key);
        using (var refused = await api.PostAsync("/v1/chat/completions", body.Replace("16", "16000", StringComparison.Ordinal))) Assert.Equal(402, (int)refused.StatusCode);
        await admin.JsonAsync(HttpMethod.Put, "/v1/usage/budget", string.Create(CultureInfo.InvariantCulture, $$"""{"scope":"tenant","period":"total","limit":{{Money(tenant, "spent") + 0.0001m}}}"""));
        using var answer = await api.PostAsync("/v1/chat/completions", body);
        Assert.Equal(200, (int)answer.StatusCode);
    }

    [GeneratedRegex(@"(?<spent>[0-9.]+) of (?<limit>[0-9.]+) USD spent(, (?<held>[0-9.]+) held by running calls)?, and the call may cost (?<cost>[0-9.]+) USD")]
    private static partial Regex Amounts();
}
