using System.Globalization;
using System.Text.Json;
using Penstock.Contracts;
using Xunit;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>Seeds from <c>PENSTOCK_SIMULATION_FROM</c> on, <c>PENSTOCK_SIMULATION_COUNT</c> of them: a seed that failed runs alone with a count of 1.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    private const int Lanes = 2;

    private static readonly ulong From = ulong.Parse(Environment.GetEnvironmentVariable("PENSTOCK_SIMULATION_FROM") ?? "1", CultureInfo.InvariantCulture);
    private static readonly int Count = int.Parse(Environment.GetEnvironmentVariable("PENSTOCK_SIMULATION_COUNT") ?? "2000", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Whatever_befalls_runs_and_their_workers_what_must_hold_holds()
    {
        var failed = new List<string>();
        var sum = new Sums();
        await Task.WhenAll(Enumerable.Range(0, Lanes).Select(lane => Task.Factory.StartNew(() => RunLaneAsync(lane, failed, sum), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));
        output.WriteLine(sum.ToString());
        if (Count >= 1_000) Assert.All(["completed", "cancelled", "dead", "run.redriven", "tool.unknown", "model.lost", "child.ended", "fault AppliedThenTimedOut"], what => Assert.True(sum.Of(what) > Count / 100, $"{what}: {sum.Of(what)}"));
        Assert.True(failed.Count == 0, $"{failed.Count} of {Count} seeds:\n{string.Join('\n', failed.Take(20))}");
    }

    private static async Task RunLaneAsync(int lane, List<string> failed, Sums sum)
    {
        await using var database = new SimulatedDatabase();
        for (var at = lane; at < Count; at += Lanes)
        {
            var seed = From + (ulong)at;
            var wrongs = RunOne(seed, database, sum);
            if (wrongs.Count == 0) continue;
            lock (failed) failed.Add($"seed {seed} (PENSTOCK_SIMULATION_FROM={seed} PENSTOCK_SIMULATION_COUNT=1): {string.Join("\n  ", wrongs.Take(3))}");
        }
    }

    private static IReadOnlyList<string> RunOne(ulong seed, SimulatedDatabase database, Sums sum)
    {
        try
        {
            using var simulation = new Simulation(seed, database);
            simulation.Run();
            var wrongs = new Verdict(simulation).Read();
            sum.Add(simulation);
            return wrongs;
        }
        catch (Exception e)
        {
            return [e.ToString()];
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(null);
        }
    }

    /// <summary>What the seeds went through: a simulation in which nothing happens proves nothing.</summary>
    private sealed class Sums
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

        public int Of(string what) => _counts.GetValueOrDefault(what);

        public void Add(Simulation simulation)
        {
            lock (_lock)
            {
                foreach (var run in simulation.World.Store.Runs)
                {
                    var entries = simulation.World.Store.Written(run);
                    foreach (var entry in entries) Count(entry.Kind, 1);
                    using var end = JsonDocument.Parse(entries[^1].Body);
                    if (end.RootElement.TryGetProperty("status", out var status)) Count(status.GetString()!, 1);
                    if (end.RootElement.TryGetProperty("error", out var error)) Count("ended by " + error.GetProperty("code").GetString(), 1);
                    Count("ownerships", (int)simulation.World.Store.EpochOf(run));
                    Count("model calls", simulation.World.ModelCalls(run));
                }

                foreach (var fault in Enum.GetValues<StoreFault>()) Count($"fault {fault}", simulation.Faulty.Seen(fault));
                Count("deaths and sleeps", simulation.World.Misfortune.Struck);
                Count("pieces", (int)simulation.Pump.Ran);
            }
        }

        public override string ToString() => string.Join(", ", _counts.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key} {pair.Value}"));

        private void Count(string what, int by) => _counts[what] = _counts.GetValueOrDefault(what) + by;
    }
}
