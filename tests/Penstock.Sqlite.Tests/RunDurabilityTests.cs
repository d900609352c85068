using System.Globalization;
using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Sqlite.Agents;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed class RunDurabilityTests : IDisposable
{
    private const int Rounds = 4;
    private const int AcknowledgedBeforeTheKill = 200;

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task Every_acknowledged_append_is_there_after_its_writer_is_killed_and_the_run_goes_on()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var acknowledged = await KillAsync($"round-{round}", AcknowledgedBeforeTheKill + 37 * round);
            Assert.True(acknowledged.Count >= AcknowledgedBeforeTheKill);

            await using var database = _folder.Open();
            var store = new SqliteRunStore(database);
            foreach (var (id, next) in acknowledged.GroupBy(line => line.Run).Select(group => (group.Key, group.Max(line => line.Next))))
            {
                var run = await store.GetAsync(TenantId.Default, new RunId(id), Ct);
                var journal = await store.JournalAsync(TenantId.Default, run!.Id, 0, int.MaxValue, Ct);
                // Two more may have happened, each wholly: one whose line was cut, and one whose writer never heard of it.
                Assert.InRange(run.NextSeq, next, next + 2 * OtherProcess.EntriesAtOnce);
                Assert.Equal(0, run.NextSeq % OtherProcess.EntriesAtOnce);
                Assert.Equal(Enumerable.Range(0, (int)run.NextSeq).Select(seq => (long)seq), journal.Select(entry => entry.Seq));
                Assert.Equal("w1", run.Owner);
            }

            await GoesOnAsync(store, acknowledged.Select(line => line.Run).Distinct().Count());
        }
    }

    private static async Task GoesOnAsync(SqliteRunStore store, int runs)
    {
        Assert.Equal(runs, await store.ReleaseAllAsync(Ct));
        foreach (var run in await store.OpenAsync(DateTimeOffset.MaxValue, int.MaxValue, Ct))
        {
            var taken = await store.AcquireAsync(run, "w2", crashed: true, Ct);
            Assert.Equal((2, 1), (taken!.Epoch, taken.Crashes));
            var entry = new JournalEntry(taken.NextSeq, "run.ended", taken.CreatedAt, 2, "{}");
            var end = new RunAppend { Tenant = taken.Tenant, Run = taken.Id, Epoch = 2, Seq = taken.NextSeq, Entries = [entry], Change = new RunChange { Status = RunStatus.Completed, EndedAt = taken.CreatedAt, Steps = 1 } };
            Assert.True(await store.AppendAsync(end, Ct));
        }
    }

    /// <summary>What the process said that it had written, up to its death.</summary>
    private async Task<List<(string Run, long Next)>> KillAsync(string prefix, int lines)
    {
        var said = new List<string>();
        using var process = OtherProcess.AppendToRuns(_folder.Path, prefix);
        Assert.Equal(OtherProcess.Opened, await process.ReadLineAsync(Ct));
        for (var i = 0; i < lines; i++) said.Add((await process.ReadLineAsync(Ct))!);
        await process.KillAsync(Ct);
        // The kill may have cut the last line short.
        var rest = new List<string>();
        while (await process.ReadLineAsync(Ct) is { } line) rest.Add(line);
        return [.. said.Concat(rest.SkipLast(1)).Select(line => line.Split(' ')).Select(parts => (parts[0], long.Parse(parts[1], CultureInfo.InvariantCulture)))];
    }
}
