using System.Globalization;
using System.Text;
using System.Text.Json;
using Penstock.Agents;
using Penstock.Usage;

namespace Penstock.Chaos;

/// <summary>
/// Runs that last. <c>PENSTOCK_CHAOS_LONG</c> (400) says how many steps the longest has; <c>bench/chaos.sh</c> makes 5,000.
/// </summary>
public sealed class LongRunTests(ITestOutputHelper output)
{
    private const int Scale = 150;
    private const int Waits = 9;

    private static readonly int Long = int.Parse(Environment.GetEnvironmentVariable("PENSTOCK_CHAOS_LONG") ?? "400", CultureInfo.InvariantCulture);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    /// <summary>The clocks of both workers run 150 times as fast as ours, as one.</summary>
    [Fact]
    public async Task A_run_of_45_minutes_survives_a_kill_and_is_billed_no_step_twice()
    {
        await using var world = await World.StartAsync(0);
        var folder = Setting.Make(world, """, "leaseSeconds": 600, "renewSeconds": 100, "fenceSeconds": 400""");
        try
        {
            var clock = new Dictionary<string, string>
            {
                [ScaledTime.ScaleVariable] = Scale.ToString(CultureInfo.InvariantCulture),
                [ScaledTime.SinceVariable] = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture),
            };
            string id;
            await using (var first = await WorkerProcess.StartAsync(folder, world, clock))
            {
                id = await first.Api.StartAsync("patient", $"waits={Waits}");
                await Wait.UntilAsync(async () => await ModelCallsAsync(first, id) > Waits / 2, Patience, () => first.Said);
                await first.KillAsync();
            }

            await using (var second = await WorkerProcess.StartAsync(folder, world, clock))
            {
                await Wait.UntilAsync(async () => (await second.Api.RunAsync(id)).GetProperty("status").GetString() == "completed", Patience, () => second.Said);
                await second.TerminateAsync();
            }

            await using var books = await Books.OpenAsync(folder);
            var journal = await books.JournalAsync(id);
            var lasted = journal[^1].At - journal[0].At;
            Assert.True(lasted >= TimeSpan.FromMinutes(45), $"It lasted {lasted}.");
            Assert.Contains(journal, entry => entry.Epoch > 1);
            var rows = await books.RowsAsync();
            // On a clock that hurries a slow machine may let a call time out: that one is journaled as failed, and booked as what it was.
            var lost = journal.Count(entry => entry.Kind is JournalNames.ModelLost or JournalNames.ModelFailed);
            Assert.Equal(Waits + 1, rows.Count(row => row.Outcome == AttemptOutcome.Completed));
            Assert.True(rows.Count <= Waits + 1 + lost, $"{rows.Count} attempts are booked for {Waits + 1} steps and {lost} lost or failed: {string.Join(", ", rows.Select(row => row.Outcome))}");
            Assert.All(rows, row => Assert.Equal(id, row.Run));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{lasted} in virtual time, {rows.Count} attempts booked for {Waits + 1} steps, {lost} lost by the kill"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_late_step_costs_what_an_early_one_costs_and_a_long_run_is_taken_up_at_once()
    {
        await using var world = await World.StartAsync(0);
        var folder = Setting.Make(world);
        try
        {
            string id;
            await using (var first = await WorkerProcess.StartAsync(folder, world))
            {
                id = await first.Api.StartAsync("lasting", "long=1");
                var head = default(JsonElement);
                await Wait.UntilAsync(
                    async () => (head = await first.Api.HeadAsync(id)).GetProperty("modelCalls").GetInt32() >= Long || head.GetProperty("status").GetString() == "failed",
                    Patience + TimeSpan.FromSeconds(Long / 5),
                    () => $"{head}; {first.Said}");
                Assert.True(head.GetProperty("modelCalls").GetInt32() >= Long, $"{await first.Api.RunAsync(id)}"[^3000..]);
                await first.KillAsync();
            }

            DateTimeOffset ready;
            await using (var second = await WorkerProcess.StartAsync(folder, world))
            {
                ready = TimeProvider.System.GetUtcNow();
                var before = await ModelCallsAsync(second, id);
                await Wait.UntilAsync(async () => await ModelCallsAsync(second, id) > before + 5, Patience, () => second.Said);
                await second.Api.PostAsync($"/v1/agents/runs/{id}/cancel", "{}");
                await Wait.UntilAsync(async () => (await second.Api.RunAsync(id)).GetProperty("status").GetString() == "cancelled", Patience, () => second.Said);
                await second.TerminateAsync();
            }

            await using var books = await Books.OpenAsync(folder);
            Compare(await books.JournalAsync(id), ready);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private void Compare(IReadOnlyList<JournalEntry> journal, DateTimeOffset ready)
    {
        var steps = journal.Where(entry => entry is { Kind: JournalNames.ModelResult, Epoch: 1 }).ToArray();
        var (early, late) = (Window(journal, steps, 50), Window(journal, steps, steps.Length - 51));
        var resumed = journal.First(entry => entry.Epoch > 1).At - ready;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{steps.Length} steps, {journal.Count} entries; at step 50: {early.Bytes:0} bytes, {early.Millis:0.00} ms a step; at the end: {late.Bytes:0} bytes, {late.Millis:0.00} ms; first entry of the next owner {resumed.TotalMilliseconds:0} ms after its process was ready"));
        Assert.True(late.Bytes <= early.Bytes * 1.1, $"{late.Bytes} bytes a step at the end, {early.Bytes} at step 50.");
        // Machines are shared: a run that grew with its length would take many times as long.
        Assert.True(late.Millis <= early.Millis * 2, $"{late.Millis} ms a step at the end, {early.Millis} at step 50.");
        Assert.True(resumed <= TimeSpan.FromSeconds(1), $"The next owner wrote {resumed} after its process was ready.");
    }

    /// <summary>Fifty steps: bytes of each, and the time between two that a tenth of them stay below: what else a machine does slows some, growth slows all.</summary>
    private static (double Bytes, double Millis) Window(IReadOnlyList<JournalEntry> journal, JournalEntry[] steps, int from)
    {
        var (first, last) = (steps[from].Seq, steps[from + 50].Seq);
        var bytes = journal.Where(entry => entry.Seq >= first && entry.Seq < last && entry.Kind != "summary").Sum(entry => Encoding.UTF8.GetByteCount(entry.Body)) / 50.0;
        var times = Enumerable.Range(from, 50).Select(step => (steps[step + 1].At - steps[step].At).TotalMilliseconds).Order().ToArray();
        return (bytes, times[5]);
    }

    private static async Task<int> ModelCallsAsync(WorkerProcess worker, string id) => (await worker.Api.HeadAsync(id)).GetProperty("modelCalls").GetInt32();
}
