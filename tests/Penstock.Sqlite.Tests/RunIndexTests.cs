using System.Text.RegularExpressions;
using Penstock.Agents;
using Penstock.Sqlite.Agents;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed partial class RunIndexTests
{
    [Theory]
    [InlineData(RunRows.SelectList, "agent_runs_by_time (tenant=? AND (created_at,run)<(?,?))")]
    [InlineData(RunRows.SelectOfProject, "agent_runs_by_project (tenant=? AND project=? AND (created_at,run)<(?,?))")]
    [InlineData(RunRows.SelectOfStatus, "agent_runs_by_status (tenant=? AND status=? AND (created_at,run)<(?,?))")]
    [InlineData(RunRows.SelectChildren, "agent_runs_by_parent (tenant=? AND parent=?)")]
    [InlineData(RunRows.SelectOpen, "agent_runs_by_due (wake_at<?)")]
    [InlineData(RunRows.CountAhead, "agent_runs_by_due (wake_at<?)")]
    [InlineData(RunRows.SelectEnded, "agent_runs_by_end (ended_at<?)")]
    [InlineData(ChunkRows.DeleteOld, "agent_chunks_by_time (at<?)")]
    public async Task What_is_asked_for_is_found_in_its_order_and_nothing_is_sorted(string sql, string found)
    {
        using var folder = new TemporaryFolder();
        await using var database = folder.Open();

        var plan = await database.ReadAsync(
            session =>
            {
                using var row = session.Use("EXPLAIN QUERY PLAN " + sql);
                foreach (var name in Parameters().Matches(sql).Select(match => match.Value).Distinct()) row.Set(name, 1);
                var lines = new List<string>();
                while (row.Step()) lines.Add(row.Text(3));
                return lines;
            },
            TestContext.Current.CancellationToken);

        Assert.Contains(plan, line => line.EndsWith(found, StringComparison.Ordinal));
        Assert.DoesNotContain(plan, line => line.Contains("TEMP B-TREE", StringComparison.Ordinal) || line.StartsWith("SCAN", StringComparison.Ordinal));
    }

    [Fact]
    public void Numbers_that_are_stored_do_not_move() => Assert.Equal(
        ["Queued=0", "Running=1", "Waiting=2", "Completed=3", "Failed=4", "Cancelled=5", "Dead=6"],
        Enum.GetValues<RunStatus>().Select(status => $"{status}={(int)status}"));

    [GeneratedRegex(@"\$\w+")]
    private static partial Regex Parameters();
}
