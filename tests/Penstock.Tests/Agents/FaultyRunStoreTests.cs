using Penstock.Agents;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tests.Keys;
using Xunit;

namespace Penstock.Tests.Agents;

/// <summary>The faults themselves: a test that stands on them is worth what they are.</summary>
public sealed class FaultyRunStoreTests : IAsyncDisposable
{
    private readonly EmbeddedStore _store = new();
    private readonly ManualTime _time = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task A_throttled_write_did_not_happen()
    {
        var store = Faulty(new StoreFaults(Throttled: 100, AppliedThenTimedOut: 0));

        await Assert.ThrowsAsync<StoreFaultException>(() => store.CreateAsync(Run("run_1"), [], Ct));

        Assert.Null(await _store.Runs.GetAsync(TenantId.Default, new RunId("run_1"), Ct));
        Assert.Equal((1, 1, 0), (store.Seen(StoreFault.Throttled), store.Seen(StoreFault.Throttled, "Create"), store.Seen(StoreFault.Throttled, "Append")));
    }

    [Fact]
    public async Task A_write_that_timed_out_happened_and_nobody_can_tell_it_from_a_throttled_one()
    {
        var store = Faulty(new StoreFaults(Throttled: 0, AppliedThenTimedOut: 100));

        var timedOut = await Assert.ThrowsAsync<StoreFaultException>(() => store.CreateAsync(Run("run_1"), [], Ct));

        Assert.NotNull(await _store.Runs.GetAsync(TenantId.Default, new RunId("run_1"), Ct));
        var throttled = await Assert.ThrowsAsync<StoreFaultException>(() => Faulty(new StoreFaults(Throttled: 100)).CreateAsync(Run("run_2"), [], Ct));
        Assert.Equal(throttled.Message, timedOut.Message);
    }

    [Fact]
    public async Task A_slow_call_answers_when_the_clock_says_so_and_a_caller_that_goes_does_not_know()
    {
        var store = Faulty(new StoreFaults(Throttled: 0, AppliedThenTimedOut: 0, Slow: 100, Delay: TimeSpan.FromSeconds(10)));
        var happened = 0;
        for (var i = 0; i < 20; i++)
        {
            var slow = store.CreateAsync(Run($"slow_{i}"), [], Ct);
            Assert.False(slow.IsCompleted);
            while (!slow.IsCompleted)
            {
                _time.Advance(TimeSpan.FromSeconds(10));
                await Task.Yield();
            }

            Assert.True(await slow);
            using var gone = new CancellationTokenSource();
            var left = store.CreateAsync(Run($"left_{i}"), [], gone.Token);
            // Time for it to have happened, if it is one of those that happen first.
            await _store.Runs.CreateAsync(Run($"other_{i}"), [], Ct);
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
            if (await _store.Runs.GetAsync(TenantId.Default, new RunId($"left_{i}"), Ct) is not null) happened++;
        }

        Assert.InRange(happened, 1, 19);
    }

    [Fact]
    public async Task The_same_seed_has_the_same_faults_in_whatever_order_runs_are_called()
    {
        var (one, two, other) = (new List<string>(), new List<string>(), new List<string>());
        foreach (var run in Enumerable.Range(0, 200)) one.Add(await OutcomeAsync(Faulty(new StoreFaults(), 7), run));
        var store = Faulty(new StoreFaults(), 7);
        foreach (var run in Enumerable.Range(0, 200).Reverse()) two.Insert(0, await OutcomeAsync(store, run));
        foreach (var run in Enumerable.Range(0, 200)) other.Add(await OutcomeAsync(Faulty(new StoreFaults(), 8), run));

        Assert.Equal(one, two);
        Assert.NotEqual(one, other);
        // A tenth and a twentieth of them, more or less.
        Assert.InRange(one.Count(outcome => outcome.Length > 0), 12, 60);
    }

    private static async Task<string> OutcomeAsync(FaultyRunStore store, int run)
    {
        var error = await Record.ExceptionAsync(() => store.GetAsync(TenantId.Default, new RunId($"run_{run}"), Ct));
        return error?.Message ?? "";
    }

    private FaultyRunStore Faulty(StoreFaults faults, ulong seed = 1) => new(_store.Runs, seed, faults, _time);

    private static RunRecord Run(string id) => new()
    {
        Tenant = TenantId.Default,
        Id = new RunId(id),
        Project = ProjectId.Default,
        Key = new KeyId("k"),
        Agent = "custom",
        Version = "1",
        Hash = "h",
        Path = id,
        Limit = Money.Zero,
        CreatedAt = DateTimeOffset.UnixEpoch,
    };
}
