using Penstock.Agents;
using Penstock.Kernel;

namespace Penstock.Chaos;

/// <summary>A worker that is asked to stop, as a deployment or the notice of a spot instance does.</summary>
public sealed class LeavingTests
{
    private const int Steps = 4;
    private const int Runs = 6;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_worker_that_stops_gives_its_runs_back_with_nothing_lost_or_done_twice()
    {
        await using var world = await World.StartAsync(Steps);
        world.ToolTime = TimeSpan.FromMilliseconds(400);
        var folder = Setting.Make(world);
        try
        {
            IReadOnlyList<(int Seed, string Id)> ids;
            await using (var first = await WorkerProcess.StartAsync(folder, world))
            {
                ids = await Task.WhenAll(Enumerable.Range(1, Runs).Select(async seed => (seed, await first.Api.StartAsync(seed))));
                await Wait.UntilAsync(() => Task.FromResult(world.Asked.Count > Runs), Patience, () => first.Said);
                await first.TerminateAsync();
                Assert.DoesNotContain("fail:", first.Said, StringComparison.Ordinal);
            }

            await using (var books = await Books.OpenAsync(folder))
            {
                foreach (var (_, id) in ids)
                {
                    var left = (await books.Runs.GetAsync(TenantId.Default, new RunId(id), Ct))!;
                    Assert.Equal((RunStatus.Queued, null, 0), (left.Status, left.Owner, left.Crashes));
                }
            }

            await using (var second = await WorkerProcess.StartAsync(folder, world))
            {
                await Wait.UntilAsync(async () => (await Task.WhenAll(ids.Select(run => second.Api.RunAsync(run.Id)))).All(run => run.GetProperty("status").GetString() == "completed"), Patience, () => second.Said);
                await second.TerminateAsync();
            }

            await using var after = await Books.OpenAsync(folder);
            foreach (var (seed, id) in ids) await new Evidence(world, Steps).CheckAsync(after.Runs, id, seed, kills: 0);
            Assert.Empty(world.Doubled);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
