using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Aws;
using Penstock.Aws.DynamoDb;
using Penstock.Budgets;
using Penstock.Emulators;
using Penstock.EndToEnd.Running;

namespace Penstock.Chaos;

/// <summary>
/// Three workers on one shared store. One after the other is killed, or stopped past its lease and continued, so that it wakes up as an owner that is none any more.
/// <c>PENSTOCK_CHAOS_MANY</c> (16) says how many runs there are at least, <c>PENSTOCK_CHAOS_STEPS</c> (4) of how many steps, <c>PENSTOCK_CHAOS_BLOWS</c> (4) how many
/// workers are struck at least; <c>bench/chaos.sh</c> does more of all.
/// </summary>
public sealed class ManyWorkersTests(ITestOutputHelper output)
{
    private const string Lease = """, "leaseSeconds": 4, "renewSeconds": 0.7, "fenceSeconds": 2.5, "maxCrashes": 50""";

    /// <summary>Looking at all of hundreds would take longer than they run.</summary>
    private const int LooksAtATime = 40;

    private static readonly int Runs = Number("PENSTOCK_CHAOS_MANY", 16);
    private static readonly int Steps = Number("PENSTOCK_CHAOS_STEPS", 4);
    private static readonly int Blows = Number("PENSTOCK_CHAOS_BLOWS", 4);
    private static readonly int Seed = Number("PENSTOCK_CHAOS_SEED", 20261125);
    private static readonly TimeSpan Stopped = TimeSpan.FromSeconds(6);

    private static readonly int AtOnce = Math.Max(6, Runs / 10);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3 + (Runs / 10) + (Blows / 2));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public Task Runs_end_once_each_though_workers_are_killed() => SurviveAsync(async (workers, dice) =>
    {
        var struck = dice.Below(workers.Length);
        await workers[struck].ReplaceAsync();
    });

    [Fact]
    public Task Runs_end_once_each_though_workers_are_stopped_past_their_lease_and_wake_up() => SurviveAsync(async (workers, dice) =>
    {
        var struck = workers[dice.Below(workers.Length)].Process;
        struck.Stop();
        await Task.Delay(Stopped, TimeProvider.System, Ct);
        struck.Continue();
    });

    private async Task SurviveAsync(Func<Place[], Dice, Task> strike)
    {
        if (!DynamoEmulator.IsForThisMachine) Assert.Skip("The emulator of DynamoDB runs on Linux on x64 only.");
        await using var world = await World.StartAsync(Steps);
        // Long enough to be struck in the middle of one.
        world.ToolTime = TimeSpan.FromMilliseconds(700);
        await using var emulator = await DynamoEmulator.StartAsync();
        var folder = Setting.Make(world, Lease, AtOnce);
        var places = new Place[3];
        try
        {
            for (var i = 0; i < places.Length; i++) places[i] = await Place.StartAsync(folder, world, emulator);
            var (ids, blows) = await StrikeUntilEndedAsync(world, places, strike);
            await CheckAsync(world, emulator, ids, blows);
        }
        finally
        {
            foreach (var place in places) await place.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>
    /// Starts the runs, strikes, and starts more for as long as too few workers were struck. People look at what became of a call only while nobody is
    /// stopped: one who sleeps may still be about to do it.
    /// </summary>
    private static async Task<((int Seed, string Id)[] Ids, int Blows)> StrikeUntilEndedAsync(World world, Place[] places, Func<Place[], Dice, Task> strike)
    {
        var (dice, blows, began) = (new Dice((ulong)Seed), 0, TimeProvider.System.GetTimestamp());
        var all = new List<(int Seed, string Id)>();
        var open = new Queue<(int Seed, string Id)>();
        while (blows < Blows || open.Count > 0)
        {
            if (TimeProvider.System.GetElapsedTime(began) > Patience) Assert.Fail($"{open.Count} of {all.Count} runs have not ended within {Patience}, with {blows} blows: {places[0].Process.Said}");
            if (all.Count == 0 || (blows < Blows && open.Count < AtOnce))
            {
                var first = all.Count + 1;
                var started = await Task.WhenAll(Enumerable.Range(first, all.Count == 0 ? Runs : AtOnce).Select(async seed => (seed, await places[seed % places.Length].Process.Api.StartAsync(seed))));
                all.AddRange(started);
                foreach (var run in started) open.Enqueue(run);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200 + dice.Below(1_000)), TimeProvider.System, Ct);
            if (blows < Blows || dice.Below(3) == 0)
            {
                await strike(places, dice);
                blows++;
            }

            for (var look = Math.Min(open.Count, LooksAtATime); look > 0; look--)
            {
                var run = open.Dequeue();
                await People.SayWhatHappenedAsync(places[0].Process.Api, world, run.Id);
                if ((await places[0].Process.Api.RunAsync(run.Id)).GetProperty("status").GetString() is not ("completed" or "failed" or "dead")) open.Enqueue(run);
            }
        }

        return ([.. all], blows);
    }

    private async Task CheckAsync(World world, DynamoEmulator emulator, (int Seed, string Id)[] ids, int blows)
    {
        var evidence = new Evidence(world, Steps);
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", "local");
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "local");
        var services = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddSingleton(new Kernel.IdSource())
            .AddDynamoDbStore(new DynamoOptions { Region = "us-east-1", Endpoint = emulator.Endpoint, CreateTables = false });
        await using var provider = services.BuildServiceProvider();
        await provider.OpenDynamoDbAsync(Ct);
        var store = provider.GetRequiredService<IRunStore>();
        var taken = 0L;
        foreach (var (seed, id) in ids)
        {
            var run = (await store.GetAsync(Kernel.TenantId.Default, new Kernel.RunId(id), Ct))!;
            var takeovers = (int)run.Epoch - 1;
            taken += takeovers;
            await evidence.CheckAsync(store, id, seed, takeovers);
        }

        Assert.Empty(await provider.GetRequiredService<IBudgetStore>().VerifyAsync(Ct));
        Assert.Empty(world.Doubled);
        evidence.CheckHistories();
        Assert.True(blows > 0 && taken > 0, "No owner was ever struck: nothing was shown.");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{ids.Length} runs of {Steps} steps, {blows} blows, {taken} changes of owner; {evidence.LostModelCalls} model calls lost, {evidence.UnknownOutcomes} outcomes asked of a person"));
    }

    private static int Number(string variable, int usual) => int.Parse(Environment.GetEnvironmentVariable(variable) ?? usual.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    /// <summary>Where there is always a worker, if not always the same.</summary>
    private sealed class Place(string folder, World world, DynamoEmulator emulator) : IAsyncDisposable
    {
        public WorkerProcess Process { get; private set; } = null!;

        public static async Task<Place> StartAsync(string folder, World world, DynamoEmulator emulator)
        {
            var place = new Place(folder, world, emulator);
            await place.FillAsync();
            return place;
        }

        public async Task ReplaceAsync()
        {
            await Process.KillAsync();
            await Process.DisposeAsync();
            await FillAsync();
        }

        public ValueTask DisposeAsync() => Process?.DisposeAsync() ?? ValueTask.CompletedTask;

        private async Task FillAsync() => Process = await WorkerProcess.StartAsync(folder, world, new Dictionary<string, string>
        {
            ["PENSTOCK_STORE"] = "dynamodb",
            ["AWS_REGION"] = "us-east-1",
            ["AWS_ENDPOINT_URL"] = emulator.Endpoint.ToString(),
            ["AWS_ACCESS_KEY_ID"] = "local",
            ["AWS_SECRET_ACCESS_KEY"] = "local",
        });
    }
}
