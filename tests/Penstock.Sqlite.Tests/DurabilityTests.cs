using Penstock.Kernel;
using Penstock.Sqlite.Usage;
using Penstock.Usage;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed class DurabilityTests : IDisposable
{
    private const int Rounds = 5;
    private const int AcknowledgedBeforeTheKill = 400;

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task Every_acknowledged_append_is_there_after_the_process_is_killed()
    {
        var acknowledged = new HashSet<string>();
        for (var round = 0; round < Rounds; round++)
        {
            using (var process = OtherProcess.Append(_folder.Path, $"round-{round}"))
            {
                Assert.Equal(OtherProcess.Opened, await process.ReadLineAsync(Ct));
                for (var i = 0; i < AcknowledgedBeforeTheKill + 37 * round; i++) acknowledged.Add((await process.ReadLineAsync(Ct))!);
                await process.KillAsync(Ct);
                // What it said before it died counts as well; the kill may have cut the last line short.
                var rest = new List<string>();
                while (await process.ReadLineAsync(Ct) is { } line) rest.Add(line);
                acknowledged.UnionWith(rest.SkipLast(1));
            }

            await using var database = _folder.Open();
            var kept = await new SqliteUsageStore(database).ListAsync(TenantId.Default, new UsageQuery(), int.MaxValue, Ct);
            Assert.Empty(acknowledged.Except(kept.Select(row => row.Attempt.Value)));
            Assert.Equal("ok", await CheckAsync(database));
        }

        Assert.True(acknowledged.Count >= Rounds * AcknowledgedBeforeTheKill);
    }

    [Fact]
    public async Task Writes_are_synced_at_each_commit()
    {
        await using var database = _folder.Open();

        // 2 is FULL. Killing a process cannot show its lack; only a power cut could.
        Assert.Equal(2, await database.WriteAsync(session => Number(session, "PRAGMA synchronous"), Ct));
    }

    private static Task<string> CheckAsync(SqliteDatabase database) => database.ReadAsync(
        session =>
        {
            using var row = session.Use("PRAGMA integrity_check");
            row.Step();
            return row.Text(0);
        },
        Ct);

    private static long Number(Native.Session session, string sql)
    {
        using var row = session.Use(sql);
        row.Step();
        return row.Long(0);
    }
}
