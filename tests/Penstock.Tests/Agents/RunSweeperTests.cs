using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Agents;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tests.Configuration;
using Penstock.Tests.Gateway;
using Penstock.Tests.Keys;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class RunSweeperTests : IAsyncDisposable
{
    private readonly EmbeddedStore _store = new();
    private readonly AgentSection _section = new(new AgentCatalog(NullLogger<AgentCatalog>.Instance));
    private readonly ManualTime _time = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task Runs_go_when_they_ended_longer_ago_than_they_are_kept_and_no_other_does()
    {
        Assert.Empty(_section.Read("""{"agents": {"retentionDays": 2}}"""));
        await EndAsync("run_0", TimeSpan.Zero);
        await EndAsync("run_1", TimeSpan.FromDays(1));
        await EndAsync("run_3", TimeSpan.FromDays(3));
        await CreateAsync("run_open", _time.GetUtcNow().AddDays(-400));
        using var sweeper = Sweeper(_store.Runs);

        await sweeper.StartAsync(Ct);
        await GatewayHost.UntilAsync(async () => await ListAsync() == "run_0 run_1 run_open", "the oldest to go");
        _time.Advance(TimeSpan.FromDays(1) + RunSweeper.Every);
        await GatewayHost.UntilAsync(async () => await ListAsync() == "run_0 run_open", "the next to go");
        await sweeper.StopAsync(Ct);
    }

    [Fact]
    public async Task Pieces_of_answers_go_after_a_day_and_the_run_stays()
    {
        var run = await CreateAsync("run_1", _time.GetUtcNow());
        await _store.Runs.AcquireAsync(run, "w1", false, Ct);
        foreach (var hours in new[] { 0, 25 })
            Assert.True(await _store.Runs.AddChunksAsync(run.Tenant, run.Id, 1, [new RunChunk(1, hours + 1, _time.GetUtcNow().AddHours(-hours), "{}")], Ct));
        using var sweeper = Sweeper(_store.Runs);

        await sweeper.StartAsync(Ct);
        await GatewayHost.UntilAsync(async () => await ChunksAsync(run) == 1, "the old piece to go");
        _time.Advance(RunSweeper.ChunksKept + RunSweeper.Every);
        await GatewayHost.UntilAsync(async () => await ChunksAsync(run) == 0, "the other to go");
        await sweeper.StopAsync(Ct);

        Assert.Equal("run_1", await ListAsync());
    }

    [Fact]
    public async Task A_sweep_that_fails_is_made_up_for_by_the_next()
    {
        await EndAsync("run_1", TimeSpan.FromDays(91));
        var faulty = new FaultyRunStore(_store.Runs, 1, new StoreFaults(Throttled: 100, AppliedThenTimedOut: 0), _time);
        using var sweeper = Sweeper(faulty);

        await sweeper.StartAsync(Ct);
        await GatewayHost.UntilAsync(() => Task.FromResult(faulty.Seen(StoreFault.Throttled) == 1), "the sweep to fail");
        Assert.Equal("run_1", await ListAsync());
        faulty.Calm = true;
        await GatewayHost.UntilAsync(
            async () =>
            {
                _time.Advance(RunSweeper.Every);
                return (await ListAsync()).Length == 0;
            },
            "the next sweep");
        await sweeper.StopAsync(Ct);
    }

    private RunSweeper Sweeper(IRunStore store) => new(store, new RunBodies(null, _time, NullLogger<RunBodies>.Instance), _section, _time, NullLogger<RunSweeper>.Instance);

    private async Task EndAsync(string id, TimeSpan ago)
    {
        var run = (await _store.Runs.AcquireAsync(await CreateAsync(id, _time.GetUtcNow() - ago), "w1", false, Ct))!;
        var end = new RunChange { Status = RunStatus.Completed, EndedAt = _time.GetUtcNow() - ago, Steps = 0 };
        Assert.True(await _store.Runs.AppendAsync(new RunAppend { Tenant = run.Tenant, Run = run.Id, Epoch = 1, Seq = 0, Entries = [], Change = end }, Ct));
    }

    private async Task<RunRecord> CreateAsync(string id, DateTimeOffset at)
    {
        var run = new RunRecord
        {
            Tenant = TenantId.Default, Id = new RunId(id), Project = ProjectId.Default, Key = new KeyId("k"), Agent = "custom", Version = "1", Hash = "h", Path = id,
            Limit = Money.Zero, CreatedAt = at, WakeAt = at,
        };
        Assert.True(await _store.Runs.CreateAsync(run, [], Ct));
        return run;
    }

    private async Task<string> ListAsync() => string.Join(' ', (await _store.Runs.ListAsync(TenantId.Default, new RunQuery { Limit = 10 }, Ct)).Select(run => run.Id.Value).Order());

    private async Task<int> ChunksAsync(RunRecord run) => (await _store.Runs.ChunksAsync(run.Tenant, run.Id, 0, 0, 10, 100, Ct)).Count;
}
