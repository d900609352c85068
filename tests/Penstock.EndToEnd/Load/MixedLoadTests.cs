using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Load;

/// <summary>
/// Calls of every kind, 64 in flight, in rounds of one server, three at the least: what the providers saw and what the ledger holds are the same,
/// and nothing is left behind. <c>PENSTOCK_LOAD_CALLS</c> sets the calls of three rounds (10,200).
/// </summary>
public sealed class MixedLoadTests(Platform platform, ITestOutputHelper output) : IClassFixture<Platform>
{
    private const int Rounds = 3;
    private const int MostRounds = 6;
    private const int InFlight = 64;
    private const int MostResidentMiB = 512;
    private const int MostGrowth = 2 << 20;
    private const ulong Seed = 20261121;

    private static readonly TimeSpan ThreadsGo = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Settles = TimeSpan.FromSeconds(10);
    private static readonly int Calls = int.TryParse(Environment.GetEnvironmentVariable("PENSTOCK_LOAD_CALLS"), NumberStyles.None, CultureInfo.InvariantCulture, out var calls) ? calls : 10_200;

    [Fact]
    public async Task Every_attempt_is_booked_once_and_nothing_is_left_behind()
    {
        var dice = new Dice(Seed);
        var (_, key) = await platform.Admin.NewKeyAsync("ai:complete ai:embed", "\"requestsPerSecond\":1000000,\"burst\":1000000");
        var results = new ConcurrentBag<CallResult>();
        var rounds = new List<Vitals>();
        var heaps = new List<double>();
        var before = await GaugesAsync();
        // Buffers that are pooled for the next burst may make one round look like growth; what leaks grows in every one.
        for (var round = 0; round < Rounds || (round < MostRounds && Growth(heaps) > MostGrowth); round++)
        {
            var planned = Enumerable.Range(round * Calls / Rounds, Calls / Rounds).Select(number => PlannedCall.Roll(number, dice)).ToArray();
            var started = Stopwatch.GetTimestamp();
            await RunAsync(planned, key, results);
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            rounds.Add(await QuietAsync());
            heaps.Add(await LiveHeapAsync());
            output.WriteLine(FormattableString.Invariant($"round {round + 1}: {planned.Length} calls in {seconds:0.0} s, {planned.Length / seconds:0} a second; {heaps[^1] / (1 << 20):0.00} MiB live, {rounds[^1]}"));
        }

        await NothingIsLeftAsync(before, rounds);
        MemoryIsFlat(rounds, heaps);
        var rows = await Entry.AllAsync(platform.Admin);
        var seen = platform.Upstream.Seen.All();
        RowsAreAttempts(rows, seen);
        BilledIsBooked(rows, seen);
        AnswersAreBooked(rows, results);
        await TotalsAreSumsAsync(rows);
        output.WriteLine($"{results.Count} calls, {seen.Count} seen by providers, {rows.Count} rows: {string.Join(", ", rows.GroupBy(row => row.Outcome).Select(group => $"{group.Count()} {group.Key}"))}");
    }

    private async Task RunAsync(PlannedCall[] planned, string key, ConcurrentBag<CallResult> results)
    {
        using var api = platform.Client(key);
        await Parallel.ForEachAsync(planned, new ParallelOptions { MaxDegreeOfParallelism = InFlight, CancellationToken = Wait.Token }, async (call, _) =>
        {
            try
            {
                results.Add(await CallResult.OfAsync(call, api));
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                throw new InvalidOperationException($"{call}: {e.Message}", e);
            }
        });
    }

    /// <summary>No client, no call at a provider, no request in the server; what it needs then.</summary>
    private async Task<Vitals> QuietAsync()
    {
        await Wait.UntilAsync(() => Task.FromResult(!Open().Any()), Settles, () => $"{Open().Count()} calls are open at the providers, such as {string.Join("; ", Open().Take(3).Select(call => $"{call.ClientRequestId} {call.BodyText}"))}");
        await Wait.UntilAsync(async () => (await GaugesAsync()).Active == 1, Settles, () => "requests are still active in the server");
        return Now();
    }

    private IEnumerable<SeenCall> Open() => platform.Upstream.Seen.All().Where(call => call.Outcome == SeenOutcome.Open);

    private Vitals Now() => Vitals.Of(platform.Server.Id, platform.Server.Address.Port, new Uri(platform.Upstream.BaseUrl).Port);

    private async Task NothingIsLeftAsync((double Active, double Connections, double Timers) before, List<Vitals> rounds)
    {
        // The one connection left is the one that asks.
        await Wait.UntilAsync(async () => (await GaugesAsync()).Connections <= before.Connections, Settles, () => $"connections are left: {Now()}");
        await Wait.UntilAsync(() => Now().ClientSockets <= 1, Settles, "sockets to clients are left");
        var (_, _, timers) = await GaugesAsync();
        Assert.True(timers <= before.Timers + 5, $"{timers} timers, {before.Timers} before: something still waits");
        // Connections to a provider are kept for the next call, and no more of them than calls were in flight.
        Assert.All(rounds, round => Assert.InRange(round.ProviderSockets, 0, InFlight));
        // The pool's threads go when they were idle for a while.
        if (Now().Threads > rounds[0].Threads) await Wait.UntilAsync(() => Now().Threads <= rounds[0].Threads, ThreadsGo, $"threads are left, {rounds[0].Threads} after the first round");
    }

    /// <summary>What lives after a full collection is the measure; resident memory follows the collector's mood, and is only bounded.</summary>
    private static void MemoryIsFlat(List<Vitals> rounds, List<double> heaps)
    {
        Assert.True(Growth(heaps) <= MostGrowth, $"what lives grows: {string.Join(", ", heaps)} bytes");
        Assert.All(rounds, round => Assert.InRange(round.ResidentBytes >> 20, 1, MostResidentMiB));
    }

    private static double Growth(List<double> heaps) => heaps[^1] - heaps[^2];

    private async Task<double> LiveHeapAsync()
    {
        await ForcedCollection.OfAsync(platform.Server.Id);
        using var answer = await platform.Admin.SendAsync(HttpMethod.Get, "/metrics");
        return Sum(await answer.Content.ReadAsStringAsync(Wait.Token), "dotnet_gc_last_collection_heap_size_bytes");
    }

    private static void RowsAreAttempts(IReadOnlyList<Entry> rows, IReadOnlyList<SeenCall> seen)
    {
        Assert.Equal(rows.Count, rows.Select(row => row.Attempt).Distinct().Count());
        Assert.Equal(seen.Count, seen.Select(call => call.ClientRequestId).Distinct().Count());
        var booked = rows.Select(row => row.Attempt).ToHashSet();
        Assert.DoesNotContain(seen, call => !booked.Contains(call.ClientRequestId!));

        // A row without a call: the client left before the call was sent, or while it was.
        var known = seen.Select(call => call.ClientRequestId!).ToHashSet();
        Assert.All(rows.Where(row => !known.Contains(row.Attempt)), row => Assert.Equal(("client_gone", 0), (row.Outcome, row.Output)));
    }

    private static void BilledIsBooked(IReadOnlyList<Entry> rows, IReadOnlyList<SeenCall> seen)
    {
        var byAttempt = seen.ToDictionary(call => call.ClientRequestId!);
        var exact = rows.Where(row => row is { Outcome: "completed", Estimated: false }).ToArray();
        Assert.All(exact, row => Assert.Equal(Billed(byAttempt[row.Attempt]), (row.Input, row.CacheRead, row.CacheWrite, row.Output, row.Reasoning)));
        var booked = exact.GroupBy(row => row.Model).ToDictionary(group => group.Key, group => (group.Sum(row => row.Input), group.Sum(row => row.Output)));
        var billed = exact.Select(row => byAttempt[row.Attempt]).GroupBy(call => call.Model!).ToDictionary(group => group.Key, group => (group.Sum(call => call.Billed.TotalInput), group.Sum(call => call.Billed.TotalOutput)));
        Assert.Equal(billed, booked);
        Assert.True(exact.Length > rows.Count / 3, $"only {exact.Length} of {rows.Count} rows are exact: the comparison says little");

        // The other way round: what a provider answered and told in full is booked so, unless the client had gone, or we had, at its nonsense.
        var told = seen.Where(call => call is { Outcome: SeenOutcome.Answered, UsageSent: true } && !call.BodyText.Contains("[[malformed", StringComparison.Ordinal)).ToDictionary(call => call.ClientRequestId!);
        Assert.All(rows.Where(row => told.ContainsKey(row.Attempt) && row.Outcome is not "client_gone"), row => Assert.False(row.Estimated, $"{row} was told {told[row.Attempt].Billed}"));
        // A provider that said no billed nothing.
        Assert.All(rows.Where(row => byAttempt.TryGetValue(row.Attempt, out var call) && call.Status >= 400), row => Assert.Equal((0, 0, 0m), (row.Input, row.Output, row.Cost)));
    }

    private static (long, long, long, long, long) Billed(SeenCall call) =>
        (call.Billed.TotalInput, call.Billed.CacheRead, call.Billed.CacheWrite5m + call.Billed.CacheWrite1h, call.Billed.TotalOutput, call.Billed.Reasoning);

    private static void AnswersAreBooked(IReadOnlyList<Entry> rows, ConcurrentBag<CallResult> results)
    {
        var byRequest = rows.GroupBy(row => row.Request).ToDictionary(group => group.Key, group => group.Single());
        foreach (var result in results.Where(result => result.Request is not null))
        {
            Assert.True(byRequest.TryGetValue(result.Request!, out var row), $"{result.Call} has no row");
            if (!result.Whole) continue;
            Assert.True(result.Status == 200 || row.Outcome is "provider_failed" or "cut_short", $"{result.Call} answered {result.Status} and is booked as {row.Outcome}");
            var ends = result is { Status: 200, Call.Stream: true } ? Ends(result) : result.Status == 200;
            Assert.True(ends == (row.Outcome == "completed"), $"{result.Call} {(ends ? "ended well" : "did not end")} and is booked as {row.Outcome} {row.Error}: {result.Status} {result.Text[^Math.Min(300, result.Text.Length)..]}");
        }
    }

    /// <summary>An answer that did not end shows no end: it shows an error in its own dialect.</summary>
    private static bool Ends(CallResult result)
    {
        var end = result.Call.Path == "/v1/messages" ? "event: message_stop" : "data: [DONE]";
        var error = result.Call.Path == "/v1/messages" ? "event: error" : "\"error\":{";
        Assert.True(result.Text.Contains(end, StringComparison.Ordinal) != result.Text.Contains(error, StringComparison.Ordinal), $"{result.Call} ends with neither or both: {result.Text}");
        return result.Text.Contains(end, StringComparison.Ordinal);
    }

    private async Task TotalsAreSumsAsync(IReadOnlyList<Entry> rows)
    {
        var usage = await platform.Admin.GetAsync("/v1/usage?groupBy=model");
        Assert.Equal(rows.Sum(row => row.Cost), usage.GetProperty("totalCost").GetDecimal());
        Assert.Equal(rows.Count, usage.GetProperty("requests").GetInt64());
        Assert.Equal(rows.Count(row => row.Outcome is "provider_failed" or "cut_short" or "drained"), usage.GetProperty("failed").GetInt64());
        Assert.Equal(rows.Sum(row => row.Input), usage.GetProperty("inputTokens").GetInt64());
        Assert.Equal(rows.Sum(row => row.Output), usage.GetProperty("outputTokens").GetInt64());
        foreach (var group in usage.GetProperty("groups").EnumerateArray())
            Assert.Equal(rows.Where(row => row.Model == group.GetProperty("name").GetString()).Sum(row => row.Cost), group.GetProperty("totalCost").GetDecimal());
    }

    private async Task<(double Active, double Connections, double Timers)> GaugesAsync()
    {
        using var answer = await platform.Admin.SendAsync(HttpMethod.Get, "/metrics");
        var metrics = await answer.Content.ReadAsStringAsync(Wait.Token);
        return (Sum(metrics, "http_server_active_requests"), Sum(metrics, "kestrel_active_connections"), Sum(metrics, "dotnet_timer_count"));
    }

    private static double Sum(string metrics, string name)
    {
        var found = metrics.Split('\n').Where(line => line.StartsWith(name + "{", StringComparison.Ordinal) || line.StartsWith(name + " ", StringComparison.Ordinal)).ToArray();
        Assert.True(found.Length > 0, $"/metrics has no {name}");
        return found.Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }
}
