using System.Globalization;
using Penstock.Agents;
using Xunit;

namespace Penstock.Contracts;

/// <summary>
/// Owners that do as <see cref="FaultyRunStore"/> says, over an adapter whose calls fail before or after they happened: every run ends, with each step and each
/// item once. <c>PENSTOCK_PROPERTY_CASES</c> and <c>PENSTOCK_PROPERTY_SEED</c> ask for more and for others. An adapter's tests derive from this.
/// </summary>
public abstract class RunFaultsContract : IAsyncLifetime
{
    private IRunStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>How many runs are tried.</summary>
    protected virtual int Cases => 300;

    /// <summary>An empty store; called once.</summary>
    protected abstract ValueTask<IRunStore> OpenAsync();

    protected abstract ValueTask CloseAsync();

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact(Timeout = 600_000)]
    public async Task Whatever_the_store_does_to_its_callers_a_run_ends_with_each_step_and_each_item_once()
    {
        var (cases, first) = (Setting("PENSTOCK_PROPERTY_CASES", Cases), Setting("PENSTOCK_PROPERTY_SEED", 1));
        var (throttled, timedOut, stale) = (0, 0, 0);
        for (var seed = first; seed < first + cases; seed++)
        {
            var faulty = new FaultyRunStore(_store, (ulong)seed, new StoreFaults(Throttled: 15, AppliedThenTimedOut: 15), TimeProvider.System);
            var course = new FaultyCourse(faulty, (ulong)seed, Ct);
            try
            {
                await course.RunAsync();
                await course.CheckAsync(_store);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
            }

            throttled += faulty.Seen(StoreFault.Throttled);
            timedOut += faulty.Seen(StoreFault.AppliedThenTimedOut, "Append") + faulty.Seen(StoreFault.AppliedThenTimedOut, "Acquire") + faulty.Seen(StoreFault.AppliedThenTimedOut, "Post");
            stale += course.Refused;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{cases} runs from seed {first}: {throttled} calls throttled, {timedOut} writes that nobody heard of, {stale} stale writes refused");
        Assert.True(cases < 50 || (throttled > cases && timedOut > cases && stale > cases / 4), "Hardly anything went wrong: nothing was tried.");
    }

    private static int Setting(string name, int otherwise) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var set) ? set : otherwise;
}
