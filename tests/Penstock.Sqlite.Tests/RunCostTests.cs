using Penstock.Agents;
using Penstock.Sqlite.Agents;
using Xunit;

namespace Penstock.Sqlite.Tests;

/// <summary>A step costs the same however long its run is. What is measured is printed.</summary>
public sealed class RunCostTests(ITestOutputHelper output) : IDisposable
{
    private const int Early = 50;
    private const int Late = 5_000;
    private const int Measured = 200;
    private const int Long = 15_000;

    private static readonly DateTimeOffset Now = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact(Timeout = 300_000)]
    public async Task An_append_costs_the_same_late_in_a_run_as_early()
    {
        await using var database = _folder.Open();
        var store = new SqliteRunStore(database);
        var run = await OwnAsync(store);

        await AppendAsync(store, run, 0, Early);
        var early = await MeasureAsync(database, store, run, Early);
        await AppendAsync(store, run, Early + Measured, Late);
        var late = await MeasureAsync(database, store, run, Late);

        output.WriteLine($"at {Early}: {early.Bytes} bytes and {early.Microseconds:0} µs an append; at {Late}: {late.Bytes} bytes and {late.Microseconds:0} µs");
        Assert.InRange(late.Bytes, 600, early.Bytes * 1.2);
        // The disk is shared with whatever else runs.
        Assert.InRange(late.Microseconds, 0, early.Microseconds * 4);
    }

    [Fact(Timeout = 300_000)]
    public async Task A_long_journal_is_read_in_well_under_a_second()
    {
        await using var database = _folder.Open();
        var store = new SqliteRunStore(database);
        var other = await OwnAsync(store, "run_2");
        var run = await OwnAsync(store);
        // Beside another, so that neither's entries lie together.
        await Task.WhenAll(AppendAsync(store, run, 0, Long, RunAppend.MostEntries), AppendAsync(store, other, 0, Long, RunAppend.MostEntries));

        var start = TimeProvider.System.GetTimestamp();
        var journal = await store.JournalAsync(run.Tenant, run.Id, 0, int.MaxValue, Ct);
        var took = TimeProvider.System.GetElapsedTime(start);

        output.WriteLine($"{Long} entries of {Entry(run, 0).Body.Length} bytes in {took.TotalMilliseconds:0} ms");
        Assert.Equal(Long, journal.Count);
        Assert.InRange(took.TotalMilliseconds, 0, 1_000);
    }

    /// <summary>What the database grows by, and the median time, of one append.</summary>
    private static async Task<(double Bytes, double Microseconds)> MeasureAsync(SqliteDatabase database, SqliteRunStore store, RunRecord run, int from)
    {
        var before = await BytesAsync(database);
        var times = new List<double>();
        for (var seq = from; seq < from + Measured; seq++)
        {
            var start = TimeProvider.System.GetTimestamp();
            await AppendAsync(store, run, seq, seq + 1);
            times.Add(TimeProvider.System.GetElapsedTime(start).TotalMicroseconds);
        }

        return ((await BytesAsync(database) - before) / (double)Measured, times.Order().ElementAt(Measured / 2));
    }

    private static async Task AppendAsync(SqliteRunStore store, RunRecord run, int from, int to, int atOnce = 1)
    {
        for (var seq = from; seq < to; seq += atOnce)
        {
            var append = new RunAppend { Tenant = run.Tenant, Run = run.Id, Epoch = 1, Seq = seq, Entries = [.. Enumerable.Range(seq, atOnce).Select(i => Entry(run, i))], Change = new RunChange { Status = RunStatus.Running, Steps = seq } };
            Assert.True(await store.AppendAsync(append, Ct));
        }
    }

    private static Task<long> BytesAsync(SqliteDatabase database) => database.ReadAsync(
        session =>
        {
            using var row = session.Use("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
            row.Step();
            return row.Long(0);
        },
        Ct);

    private static JournalEntry Entry(RunRecord run, long seq) => new(seq, "tool.result", Now, run.Epoch, $$"""{"call":"{{seq}}","output":"{{new string('x', 600)}}"}""");

    private static async Task<RunRecord> OwnAsync(SqliteRunStore store, string id = "run_1")
    {
        var run = Rows.Run(id);
        Assert.True(await store.CreateAsync(run, [], Ct));
        return (await store.AcquireAsync(run, "w1", false, Ct))!;
    }
}
