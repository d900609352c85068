using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Penstock.Budgets;
using Penstock.EndToEnd.Running;
using Penstock.Emulators;
using Penstock.Kernel;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Load;

/// <summary>
/// Four servers on one DynamoDB that take slices of budgets, one of which is killed every few seconds. <c>PENSTOCK_NODES_CALLS</c> sets the calls (400),
/// <c>PENSTOCK_NODES_IN_FLIGHT</c> how many at once at each (4), <c>PENSTOCK_NODES_KILL_SECONDS</c> how often one is killed (3) and <c>PENSTOCK_NODES_HOLD_SECONDS</c> for how long money is held (5);
/// <c>bench/nodes.sh</c> makes 50,000, 64 at once at each. It takes minutes and runs where it is asked for only: leases are off unless one wants them.
/// </summary>
public sealed class LeasedServersTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Nodes = 4;

    /// <summary>The stand-in's constant answer: 10 tokens in and 16 out of gpt-4o-mini.</summary>
    private const long NanosEach = (10 * 150) + (16 * 600);

    private static readonly int Calls = Setting("PENSTOCK_NODES_CALLS", 400);
    private static readonly int InFlight = Setting("PENSTOCK_NODES_IN_FLIGHT", 4);
    private static readonly TimeSpan KillEvery = TimeSpan.FromSeconds(Setting("PENSTOCK_NODES_KILL_SECONDS", 3));

    private static readonly TimeSpan HoldFor = TimeSpan.FromSeconds(Setting("PENSTOCK_NODES_HOLD_SECONDS", 5));

    // A hold lives for seconds here, and the sweeper comes every ten.
    private static readonly TimeSpan Recovered = HoldFor + TimeSpan.FromSeconds(60);

    private readonly ServerProcess?[] _servers = new ServerProcess?[Nodes];
    private readonly Api?[] _apis = new Api?[Nodes];
    private DynamoEmulator _emulator = null!;
    private DynamoMeter _meter = null!;
    private UpstreamServer _upstream = null!;
    private ServerOptions _options = null!;
    private string _key = "";
    private int _decided;
    private int _admitted;
    private int _refused;
    private int _lost;
    private (long Items, long Requests, int Calls) _far;

    public async ValueTask InitializeAsync()
    {
        if (!DynamoEmulator.IsForThisMachine) Assert.Skip("The DynamoDB emulator is a program for Linux on x64.");
        _emulator = await DynamoEmulator.StartAsync();
        _meter = await DynamoMeter.StartAsync(_emulator.Endpoint);
        _upstream = await UpstreamServer.StartAsync(new UpstreamOptions { Fast = true }, Wait.Token);
        _options = new ServerOptions
        {
            Config = $$$"""{"limits":{"requestsPerSecond":1000000,"burst":1000000},"budgets":{"holdSeconds":{{{(int)HoldFor.TotalSeconds}}}}}""",
            Environment = new Dictionary<string, string?>(ServerOptions.Reaching(_upstream))
            {
                ["PENSTOCK_STORE"] = "dynamodb",
                ["PENSTOCK_BUDGET_LEASES"] = "true",
                ["DYNAMODB_ENDPOINT"] = _meter.Endpoint.ToString(),
                ["AWS_ACCESS_KEY_ID"] = "test",
                ["AWS_SECRET_ACCESS_KEY"] = "test",
            },
        };
        for (var node = 0; node < Nodes; node++) await StartAsync(node);
        using var admin = await AdminAsync();
        (_, _key) = await admin.NewKeyAsync("ai:complete", "\"requestsPerSecond\":1000000,\"burst\":1000000");
        for (var node = 0; node < Nodes; node++) await ServeAsync(node);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var api in _apis) api?.Dispose();
        foreach (var server in _servers.OfType<ServerProcess>()) await server.DisposeAsync();
        if (_upstream is not null) await _upstream.DisposeAsync();
        if (_meter is not null) await _meter.DisposeAsync();
        if (_emulator is not null) await _emulator.DisposeAsync();
    }

    [Fact(Explicit = true)]
    public async Task Servers_that_are_killed_with_slices_never_pass_a_cap_and_lose_no_money()
    {
        await CapAsync(Calls * NanosEach * 4);

        var started = Stopwatch.GetTimestamp();
        using var over = new CancellationTokenSource();
        var killing = Task.Run(() => KillAsync(over.Token), Wait.Token);
        await Task.WhenAll(Enumerable.Range(0, Nodes * InFlight).Select(worker => Task.Run(() => WorkAsync(worker % Nodes), Wait.Token)));
        await over.CancelAsync();
        var kills = await killing;
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;

        output.WriteLine(FormattableString.Invariant($"{_decided} decisions at {Nodes} servers, {InFlight} in flight at each, in {seconds:0.0} s, {_decided / seconds:0} a second: {_admitted} admitted, {_refused} refused, {_lost} lost with a server; {kills} kills"));
        await Wait.UntilAsync(async () => await StandAsync(budget => budget.GetProperty("held").GetDecimal()) == 0, Recovered, () => "what killed servers held is spent in the end");
        var books = await SharedBooks.ReadAsync(_emulator.Endpoint, TenantId.Default, Wait.Token);
        var slices = books.Entries.Where(entry => entry.Row.Attempt.Value.StartsWith("slice_", StringComparison.Ordinal)).ToLookup(entry => entry.Kind);
        var spent = books.Entries.Sum(entry => entry.Spent.NanoDollars);
        var unknown = slices[LedgerEntryKind.Expire].Sum(entry => entry.Spent.NanoDollars) + slices[LedgerEntryKind.Adjust].Sum(entry => entry.Spent.NanoDollars);
        output.WriteLine(FormattableString.Invariant($"{books.Entries.Count} entries: the cap passed {books.TimesPast} times, fullest at {string.Join(", ", books.Peaks)}; {slices[LedgerEntryKind.Reserve].Count()} slices, {slices[LedgerEntryKind.Expire].Count()} of dead servers spent as unknown ({100.0 * unknown / spent:0.0} % of what is spent); {books.Differences.Count} differences to verify"));
        output.WriteLine(FormattableString.Invariant($"balances written per call: {(double)_far.Items / _far.Calls:0.000} while the cap was far ({_far.Items} in {_far.Requests} requests, {_far.Calls} calls), {(double)_meter.Items / _decided:0.000} in all"));
        foreach (var (operation, count) in Errors()) output.WriteLine($"{count} × {operation}");

        Assert.Equal((0, Money.Zero), (books.TimesPast, books.Held));
        Assert.Empty(books.Differences);
        Assert.True(spent >= _upstream.FastCalls * NanosEach, $"{spent} is spent, and {_upstream.FastCalls} calls at the provider cost {NanosEach} each");
        Assert.True(kills > 0 && slices[LedgerEntryKind.Reserve].Any());
        // Of few calls, few can share a write.
        if (Calls >= 10_000) Assert.InRange((double)_far.Items / _far.Calls, 0, 0.1);
    }

    /// <summary>Half of the decisions are far from the cap; then it comes so near that it pays for half of the rest.</summary>
    private async Task WorkAsync(int node)
    {
        while (Interlocked.Increment(ref _decided) is var number && number <= Calls)
        {
            if (number == Calls / 2)
            {
                _far = (_meter.Items, _meter.Requests, number);
                await CapAsync((long)(await StandAsync(budget => budget.GetProperty("spent").GetDecimal() + budget.GetProperty("held").GetDecimal()) * 1_000_000_000m) + (Calls * NanosEach / 4));
            }

            await AskAsync(node);
        }

        Interlocked.Decrement(ref _decided);
    }

    private async Task AskAsync(int node)
    {
        Api? api;
        while ((api = Volatile.Read(ref _apis[node])) is null) node = (node + 1) % Nodes;
        try
        {
            using var answer = await api.PostAsync("/v1/chat/completions", """{"model":"gpt-4o-mini","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}""");
            if (answer.StatusCode == HttpStatusCode.OK) Interlocked.Increment(ref _admitted);
            else if (answer.StatusCode == HttpStatusCode.PaymentRequired) Interlocked.Increment(ref _refused);
            else Interlocked.Increment(ref _lost);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or ObjectDisposedException or IOException && !Wait.Token.IsCancellationRequested)
        {
            Interlocked.Increment(ref _lost);
        }
    }

    /// <summary>One after the other, each started again at once; the last stays, for those who look.</summary>
    private async Task<int> KillAsync(CancellationToken over)
    {
        var kills = 0;
        using var timer = new PeriodicTimer(KillEvery);
        try
        {
            while (await timer.WaitForNextTickAsync(over))
            {
                var node = kills++ % (Nodes - 1);
                Volatile.Write(ref _apis[node], null);
                await _servers[node]!.KillAsync();
                await _servers[node]!.DisposeAsync();
                await StartAsync(node);
                await ServeAsync(node);
            }
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // All is decided.
        }

        return kills;
    }

    private async Task StartAsync(int node) => _servers[node] = await ServerProcess.StartAsync(_options);

    private async Task ServeAsync(int node)
    {
        var address = _servers[node]!.Address;
        Volatile.Write(ref _apis[node], new Api(address, await ApiContract.OfAsync(address), _key, TimeSpan.FromMinutes(1)));
    }

    /// <summary>At a server that is not killed.</summary>
    private async Task<Api> AdminAsync() => new(_servers[^1]!.Address, await ApiContract.OfAsync(_servers[^1]!.Address), _options.AdminKey);

    private async Task CapAsync(long nanos)
    {
        using var admin = await AdminAsync();
        await admin.JsonAsync(HttpMethod.Put, "/v1/usage/budget", string.Create(CultureInfo.InvariantCulture, $$"""{"scope":"tenant","period":"total","limit":{{nanos / 1_000_000_000m}}}"""));
    }

    private async Task<decimal> StandAsync(Func<JsonElement, decimal> of)
    {
        using var admin = await AdminAsync();
        return (await admin.GetAsync("/v1/usage/budget")).GetProperty("budgets").EnumerateArray().Sum(of);
    }

    /// <summary>What the servers that stand complained of.</summary>
    private IEnumerable<(string What, int Count)> Errors() => _servers.OfType<ServerProcess>()
        .SelectMany(server => server.Log).Where(line => line.Level is "Error" or "Critical").GroupBy(line => line.Message ?? "").Select(group => (group.Key, group.Count())).Take(10);

    private static int Setting(string name, int otherwise) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var set) ? set : otherwise;
}
