using System.Globalization;
using System.Text.Json;

namespace Penstock.Chaos;

/// <summary>
/// A worker is killed with <c>kill -9</c> at every write it makes for its runs, before it and behind it, and another goes on. <c>PENSTOCK_CHAOS_RUNS</c> (4) says
/// how many runs stand at the same write then, each of its own seed, <c>PENSTOCK_CHAOS_EVERY</c> (3) at every how many such moments; <c>bench/chaos.sh</c> does all
/// of them with 50.
/// </summary>
public sealed class BoundaryTests(ITestOutputHelper output)
{
    private const int Steps = 3;

    private static readonly int Runs = int.Parse(Environment.GetEnvironmentVariable("PENSTOCK_CHAOS_RUNS") ?? "4", CultureInfo.InvariantCulture);
    private static readonly int Every = int.Parse(Environment.GetEnvironmentVariable("PENSTOCK_CHAOS_EVERY") ?? "3", CultureInfo.InvariantCulture);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task A_run_survives_a_kill_at_every_write_of_its_owner()
    {
        await using var world = await World.StartAsync(Steps);
        var evidence = new Evidence(world, Steps);
        var (kills, boundary) = (0, 0);
        while (await KilledAtAsync(world, evidence, boundary))
        {
            kills++;
            boundary += Every;
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kills} kills up to write {boundary / 2}, {Runs} runs each; {evidence.LostModelCalls} model calls lost, {evidence.UnknownOutcomes} outcomes asked of a person"));
        Assert.True(kills >= 10 / Every, "Hardly a kill: the runs make fewer writes than they must.");
        Assert.Empty(world.Doubled);
        evidence.CheckHistories();
    }

    /// <returns>False where every run ended before it came to the boundary.</returns>
    private static async Task<bool> KilledAtAsync(World world, Evidence evidence, int boundary)
    {
        var folder = Setting.Make(world);
        var notes = Path.Combine(folder, "notes");
        try
        {
            var seeds = Enumerable.Range(0, Runs).Select(number => (boundary * 1_000) + number).ToArray();
            var (ids, killed) = await UntilKilledAsync(folder, world, boundary, notes, seeds);
            await UntilEndedAsync(folder, world, ids);
            await using var books = await Books.OpenAsync(folder);
            foreach (var (seed, id) in ids) await evidence.CheckAsync(books.Runs, id, seed, killed ? 1 : 0);
            if (killed && boundary > 3) await Evidence.CheckNotesAsync(books.Runs, notes);
            return killed;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<(IReadOnlyList<(int Seed, string Id)> Ids, bool Killed)> UntilKilledAsync(string folder, World world, int boundary, string notes, int[] seeds)
    {
        await using var worker = await WorkerProcess.StartAsync(folder, world, new Dictionary<string, string>
        {
            [DyingRunStore.BoundaryVariable] = boundary.ToString(CultureInfo.InvariantCulture),
            [DyingRunStore.RunsVariable] = seeds.Length.ToString(CultureInfo.InvariantCulture),
            [DyingRunStore.NotesVariable] = notes,
        });
        var ids = await Task.WhenAll(seeds.Select(async seed => (seed, await worker.Api.StartAsync(seed))));
        await Wait.UntilAsync(async () => !worker.Running || await AllAsync(worker, ids, "completed"), Patience, () => worker.Said);
        return (ids, !worker.Running);
    }

    private static async Task UntilEndedAsync(string folder, World world, IReadOnlyList<(int Seed, string Id)> ids)
    {
        await using var worker = await WorkerProcess.StartAsync(folder, world);
        await Wait.UntilAsync(
            async () =>
            {
                foreach (var (_, id) in ids) await People.SayWhatHappenedAsync(worker.Api, world, id);
                return await AllAsync(worker, ids, "completed");
            },
            Patience,
            () => worker.Said);
        await worker.TerminateAsync();
    }

    private static async Task<bool> AllAsync(WorkerProcess worker, IReadOnlyList<(int Seed, string Id)> ids, string status)
    {
        try
        {
            foreach (var (_, id) in ids)
            {
                if ((await worker.Api.RunAsync(id)).GetProperty("status").GetString() != status) return false;
            }

            return true;
        }
        catch (HttpRequestException)
        {
            // It was killed just now.
            return false;
        }
    }
}

/// <summary>Those who are asked what became of a call, and who look before they answer.</summary>
internal static class People
{
    public static async Task SayWhatHappenedAsync(AgentApi api, World world, string id)
    {
        var run = await api.RunAsync(id);
        if (run.GetProperty("status").GetString() != "waiting") return;
        foreach (var step in run.GetProperty("waiting").EnumerateArray().Where(step => step.GetProperty("kind").GetString() == "outcome"))
        {
            var arguments = step.GetProperty("arguments");
            using var read = JsonDocument.Parse(arguments.ValueKind == JsonValueKind.String ? arguments.GetString()! : arguments.GetRawText());
            var (seed, turn, index) = (read.RootElement.GetProperty("seed").GetInt32(), read.RootElement.GetProperty("turn").GetInt32(), read.RootElement.GetProperty("index").GetInt32());
            var done = world.Happened(step.GetProperty("name").GetString()!, seed, turn, index) ? "true" : "false";
            await api.PostAsync(step.GetProperty("answerAt").GetString()!, $$"""{"done": {{done}}}""");
        }
    }
}
