using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd.Crash;

/// <summary>
/// One data folder, and a server on it that is killed under load and started again, over and over:
/// <code>
/// 1 start         what was acknowledged before is booked, nothing is past its cap
/// 2 raise caps    so far that about half of what is asked is admitted
/// 3 load          until a moment of chance
/// 4 kill -9       and penstock ledger verify on what is left
/// 5 at times      wait until no hold is left, and hold the ledger against the providers' bills
/// </code>
/// </summary>
internal sealed class CrashRun(int kills, ulong seed, Action<string> say) : IAsyncDisposable
{
    private const int HoldSeconds = 5;
    private const int KillsBetweenChecks = 20;
    private const int MostCalls = 400;
    private const int MostMs = 30;
    private const string Config = """{"budgets":{"holdSeconds":5},"limits":{"requestsPerSecond":1000000,"burst":1000000}}""";

    /// <summary>A hold's time, a round of the sweeper, and a slow machine.</summary>
    private static readonly TimeSpan HoldsAreOver = TimeSpan.FromSeconds(HoldSeconds + 10 + 5);
    private static readonly TimeSpan LongestLoad = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    /// <summary>What each budget may spend in one life of the server, as a part of <see cref="_allowance"/>.</summary>
    private static readonly (string Scope, string? Name, string Period, decimal Part)[] Budgets =
        [("tenant", null, "total", 1m), ("project", "search", "month", 0.7m), ("project", "mail", "week", 0.5m), ("key", null, "day", 0.3m)];

    private readonly TempFolder _folder = new();
    private readonly CrashBooks _books = new();
    private readonly Dice _dice = new(seed);
    private readonly List<double> _restarts = [];
    private List<string> _keys = [];
    private UpstreamServer _upstream = null!;
    private ServerOptions _options = null!;
    private ApiContract _contract = null!;
    private string _cappedKey = "";
    private decimal _allowance = 0.008m;
    private long _admitted;
    private DateTimeOffset _checkedAt = DateTimeOffset.UnixEpoch;
    private DateTimeOffset _startedAt = DateTimeOffset.UnixEpoch;

    public async Task RunAsync()
    {
        say($"{kills} kills, seed {seed}");
        await PrepareAsync();
        for (var kill = 1; kill <= kills; kill++)
        {
            await LiveAndDieAsync(kill);
            if (kill % KillsBetweenChecks == 0 || kill == kills) await CheckAsync(kill);
        }

        await TerminateUnderLoadAsync();
        Report();
    }

    /// <summary>No kill: one server, asked to stop under load.</summary>
    public async Task StopUnderLoadAsync()
    {
        await PrepareAsync();
        await TerminateUnderLoadAsync();
        foreach (var line in _books.Report()) say(line);
    }

    public async ValueTask DisposeAsync()
    {
        if (_upstream is not null) await _upstream.DisposeAsync();
        _folder.Dispose();
    }

    private async Task PrepareAsync()
    {
        _upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        _options = new ServerOptions { Folder = _folder.Path, Config = Config, Environment = ServerOptions.Reaching(_upstream) };
        await using var server = await ServerProcess.StartAsync(_options);
        _contract = await ApiContract.OfAsync(server.Address);
        using var admin = new Api(server.Address, _contract, _options.AdminKey);
        foreach (var project in new[] { "search", "search", "mail", "mail" })
        {
            var (id, text) = await admin.NewKeyAsync("ai:complete ai:embed", $"\"project\":\"{project}\",\"requestsPerSecond\":1000000,\"burst\":1000000,\"monthlyBudget\":1000");
            (_cappedKey, _keys) = (id, [.. _keys, text]);
        }

        await server.StopAsync();
    }

    private async Task LiveAndDieAsync(int kill)
    {
        // Steps 1 and 2
        await using var server = await StartAsync();
        using var admin = new Api(server.Address, _contract, _options.AdminKey);
        _books.Add(await Entry.AllAsync(admin, _startedAt.AddSeconds(-1)));
        _books.AcknowledgedAreBooked();
        _startedAt = TimeProvider.System.GetUtcNow();
        await RaiseCapsAsync(admin);

        // Step 3
        var load = new CrashLoad(server, _contract, _keys, (seed * 100_000) + (ulong)kill);
        load.Start();
        await load.UntilAsync(_dice.Below(MostCalls), LongestLoad);
        await Wait.PauseAsync(TimeSpan.FromMilliseconds(_dice.Below(MostMs)));

        // Step 4
        load.ServerEnds();
        await server.KillAsync();
        var results = await load.EndAsync();
        await TakeBillsAsync();
        _books.Add(results);
        Adapt(results);
        await VerifyAsync();
        say(string.Create(CultureInfo.InvariantCulture, $"kill {kill}: ready in {_restarts[^1]:0} ms, {results.Count} calls, {CrashBooks.Admitted(results)} % admitted, {results.Count(result => result.Fate == CallFate.Broken)} in flight; the books are right"));
    }

    private async Task<ServerProcess> StartAsync()
    {
        var started = Stopwatch.GetTimestamp();
        var server = await ServerProcess.StartAsync(_options);
        _restarts.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        return server;
    }

    /// <summary>No budget stands past its cap; then each may spend as much again.</summary>
    private async Task RaiseCapsAsync(Api admin)
    {
        var standing = await StandingAsync(admin);
        foreach (var (scope, name, period, part) in Budgets)
        {
            var named = scope == "key" ? _cappedKey : name;
            var used = standing.Where(budget => Text(budget, "scope") == scope && (named is null || Text(budget, "name") == named) && Text(budget, "period") == period).Select(Used).FirstOrDefault();
            var member = named is null ? "" : $"\"name\":\"{named}\",";
            await admin.JsonAsync(HttpMethod.Put, "/v1/usage/budget", string.Create(CultureInfo.InvariantCulture, $$"""{"scope":"{{scope}}",{{member}}"period":"{{period}}","limit":{{used + (_allowance * part)}}}"""));
        }
    }

    private static async Task<IReadOnlyList<JsonElement>> StandingAsync(Api admin)
    {
        var budgets = (await admin.GetAsync("/v1/usage/budget")).GetProperty("budgets").EnumerateArray().ToArray();
        Assert.All(budgets, budget => Assert.True(Used(budget) <= budget.GetProperty("limit").GetDecimal(), $"past its cap: {budget}"));
        return budgets;
    }

    private static decimal Used(JsonElement budget) => budget.GetProperty("spent").GetDecimal() + budget.GetProperty("held").GetDecimal();

    private static string Text(JsonElement of, string name) => of.GetProperty(name).GetString()!;

    /// <summary>About half of what is asked is to be admitted, whatever the machine can do.</summary>
    private void Adapt(IReadOnlyCollection<CrashResult> results)
    {
        var percent = CrashBooks.Admitted(results);
        _admitted += percent;
        if (percent > 60) _allowance /= 1.5m;
        if (percent < 40) _allowance *= 1.5m;
    }

    /// <summary>Notes what the providers bill, once they have seen the server go.</summary>
    private async Task TakeBillsAsync()
    {
        await Wait.UntilAsync(() => _upstream.Seen.All().All(call => call.Outcome != SeenOutcome.Open), Quiet, "the providers' calls are over");
        _books.Add(_upstream.Seen.All());
        _upstream.Seen.Clear();
    }

    private async Task VerifyAsync()
    {
        var (code, said, erred) = await CliProcess.RunAsync(_folder.Path, "ledger", "verify");
        Assert.True(code == 0, $"penstock ledger verify: {code} {said} {erred}");
    }

    /// <summary>Step 5.</summary>
    private async Task CheckAsync(int kill)
    {
        await using var server = await StartAsync();
        using var admin = new Api(server.Address, _contract, _options.AdminKey);
        var started = Stopwatch.GetTimestamp();
        await Wait.UntilAsync(async () => (await StandingAsync(admin)).All(budget => budget.GetProperty("held").GetDecimal() == 0), HoldsAreOver, () => "no hold outlives its time");
        var waited = Stopwatch.GetElapsedTime(started);
        await BooksAreRightAsync(admin);
        await server.StopAsync();
        await VerifyAsync();
        say(string.Create(CultureInfo.InvariantCulture, $"after {kill} kills: no hold left after {waited.TotalSeconds:0.0} s, {_books.Acknowledged} acknowledged answers are booked, {_books.Unknown} calls are booked as unknown, every bill has its row"));
    }

    private async Task BooksAreRightAsync(Api admin)
    {
        var now = TimeProvider.System.GetUtcNow();
        _books.Add(await Entry.AllAsync(admin, _checkedAt));
        // A call that a kill cut is booked at the time of its reservation, or of its expiry.
        _checkedAt = now.AddMinutes(-2);
        _books.AcknowledgedAreBooked();
        _books.BilledIsBooked();
        var booked = _books.Booked / 1_000_000_000m;
        Assert.Equal(booked, (await admin.GetAsync("/v1/usage")).GetProperty("totalCost").GetDecimal());
        var tenant = (await StandingAsync(admin)).Single(budget => Text(budget, "scope") == "tenant");
        Assert.Equal(booked, tenant.GetProperty("spent").GetDecimal());
    }

    /// <summary>A server that is asked to stop loses nothing: no call becomes unknown, and every bill is booked as it stands.</summary>
    private async Task TerminateUnderLoadAsync()
    {
        var unknown = _books.Unknown;
        await using (var server = await StartAsync())
        {
            using var admin = new Api(server.Address, _contract, _options.AdminKey);
            await RaiseCapsAsync(admin);
            var load = new CrashLoad(server, _contract, _keys, (seed * 100_000) + 99_999);
            load.Start();
            await load.UntilAsync(MostCalls, LongestLoad);
            load.ServerEnds();
            server.Terminate();
            _books.Add(await load.EndAsync());
            Assert.Equal(0, await server.EndAsync(TimeSpan.FromSeconds(40)));
            await TakeBillsAsync();
        }

        await using var again = await StartAsync();
        using var reader = new Api(again.Address, _contract, _options.AdminKey);
        Assert.All(await StandingAsync(reader), budget => Assert.Equal(0, budget.GetProperty("held").GetDecimal()));
        await BooksAreRightAsync(reader);
        Assert.Equal(unknown, _books.Unknown);
        await again.StopAsync();
        say("SIGTERM under load: exit code 0, no hold left, no call unknown, spend lost 0");
    }

    private void Report()
    {
        say($"{kills} kills at moments of chance, after up to {MostCalls} calls of 32 clients, {_keys.Count} keys, {Budgets.Length} hard caps; {_admitted / kills} % of decisions admitted");
        foreach (var line in _books.Report()) say(line);
        say("acknowledged settles lost 0, holds past their time 0, spend past a cap 0, ledger verify clean after every kill");
        _restarts.Sort();
        say(string.Create(CultureInfo.InvariantCulture, $"restart to ready: median {_restarts[_restarts.Count / 2]:0} ms, 95 % {_restarts[_restarts.Count * 95 / 100]:0} ms, longest {_restarts[^1]:0} ms"));
    }
}
