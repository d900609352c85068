using System.Diagnostics;
using System.Globalization;
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
        await Task.WhenAll(Enumerable.Range(0, Lanes).Select(lane => Task.Factory.StartNew(() => RunLane(lane, failed, sum), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));
        output.WriteLine(sum.ToString());
        Assert.True(failed.Count == 0, $"{failed.Count} of {Count} seeds:\n{string.Join('\n', failed.Take(20))}");
    }

    private static async Task RunLane(int lane, List<string> failed, Sums sum)
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
        var t = Stopwatch.StartNew();
        try
        {
            var simulation = new Simulation(seed, database);
            var made = t.ElapsedMilliseconds;
            simulation.Run();
            var ran = t.ElapsedMilliseconds;
            var wrongs = new Verdict(simulation).Read();
            sum.Add(simulation);
            if (Environment.GetEnvironmentVariable("SIMT") is not null) Console.Error.WriteLine($"seed {seed} moves {simulation.Moves} pieces {simulation.Pump.Ran} virtual {simulation.World.Time.GetUtcNow():dd HH:mm:ss} runs {simulation.World.Store.Runs.Count} ms {made} {ran - made} {t.ElapsedMilliseconds - ran}");
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

        public void Add(Simulation simulation)
        {
            lock (_lock)
            {
                foreach (var run in simulation.World.Store.Runs)
                {
                    var entries = simulation.World.Store.Written(run);
                    foreach (var entry in entries) Count(entry.Kind, 1);
                    using var end = System.Text.Json.JsonDocument.Parse(entries[^1].Body);
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
