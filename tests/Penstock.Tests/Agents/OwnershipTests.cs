using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Agents;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

/// <summary>Who has a run, by clocks that stand still until a test moves them.</summary>
public sealed class OwnershipTests : IAsyncLifetime
{
    private static readonly AgentOptions Options = new();

    /// <summary>Later than the host's, so that its runs are due.</summary>
    private readonly ManualTime _time = new(new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private IRunStore Store => _host.Services.GetRequiredService<IRunStore>();

    public async ValueTask InitializeAsync() => _host = await AgentHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_worker_that_shows_life_keeps_its_run_and_one_that_stops_to_loses_it_after_a_lease()
    {
        // With signals of its own: only the clock makes it look. A server that begins releases what was owned, so the run is owned after that.
        using var worker = new RunWorker(
            Store, _host.Services.GetRequiredService<RunOwner>(), _host.Services.GetRequiredService<AgentSection>(), new RunSignals(), _time, NullLogger<RunWorker>.Instance);
        await worker.StartAsync(Ct);
        await LookedAsync();
        var run = await OwnedAsync();

        for (var second = 1; second <= 100; second++)
        {
            if (second % (int)Options.Renew.TotalSeconds == 0) Assert.NotNull(await Store.RenewAsync(run.Tenant, run.Id, run.Epoch, Ct));
            await PassAsync(TimeSpan.FromSeconds(1));
            Assert.Equal(("alive", 1), await OwnerAsync(run));
        }

        // Since the last beat, at second 100, or one look later.
        for (var second = 1; second < (int)Options.Lease.TotalSeconds; second++)
        {
            await PassAsync(TimeSpan.FromSeconds(1));
            Assert.Equal(("alive", 1), await OwnerAsync(run));
        }

        await GatewayHost.UntilAsync(
            async () =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                return (await OwnerAsync(run)).Epoch == 2;
            },
            "the run to be taken over");
        await worker.StopAsync(Ct);
    }

    [Fact]
    public async Task Nothing_is_begun_under_a_lease_that_may_soon_be_another_owners()
    {
        var run = await OwnedAsync();
        var store = new FaultyRunStore(Store, 1, new StoreFaults(Throttled: 100, AppliedThenTimedOut: 0), _time);
        await using var lease = Lease(run, store);

        await lease.EnsureAsync();
        _time.Advance(Options.Lease - TimeSpan.FromSeconds(7.5));
        await Assert.ThrowsAsync<FencedException>(lease.EnsureAsync);

        store.Calm = true;
        await using var again = Lease(run, store);
        _time.Advance(Options.Lease + TimeSpan.FromSeconds(1));
        await again.EnsureAsync();
    }

    [Fact]
    public async Task Nothing_is_begun_where_another_owner_has_the_run_though_its_clock_says_nothing_of_that()
    {
        var run = await OwnedAsync();
        await using var lease = Lease(run, Store);
        Assert.NotNull(await Store.AcquireAsync(run, "other", crashed: true, Ct));

        _time.Advance(Options.Lease - TimeSpan.FromSeconds(7));
        await GatewayHost.UntilAsync(() => Task.FromResult(lease.Lost.IsCancellationRequested), "the owner to hear of it");

        await Assert.ThrowsAsync<FencedException>(lease.EnsureAsync);
    }

    private RunLease Lease(RunRecord run, IRunStore store) => new(store, run, _time.GetTimestamp(), Options, _host.Services.GetRequiredService<RunSignals>(), _time, NullLogger.Instance);

    private async Task<RunRecord> OwnedAsync()
    {
        var found = await Store.GetAsync(TenantId.Default, new RunId(await _host.RunAsync()), Ct);
        return Assert.IsType<RunRecord>(await Store.AcquireAsync(found!, "alive", crashed: false, Ct));
    }

    private async Task<(string? Owner, long Epoch)> OwnerAsync(RunRecord run) => await Store.GetAsync(run.Tenant, run.Id, Ct) is { } now ? (now.Owner, now.Epoch) : default;

    private async Task PassAsync(TimeSpan time)
    {
        _time.Advance(time);
        await LookedAsync();
    }

    /// <summary>The worker has looked and waits for its next look.</summary>
    private Task LookedAsync() => GatewayHost.UntilAsync(() => Task.FromResult(_time.NextDue is not null), "the worker to have looked");
}
