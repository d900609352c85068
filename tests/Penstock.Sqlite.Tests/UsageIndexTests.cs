using Penstock.Sqlite.Usage;
using Penstock.Usage;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed class UsageIndexTests
{
    [Theory]
    [InlineData(UsageSums.SelectBooked)]
    [InlineData(SqliteUsageStore.SelectRows)]
    public async Task Queries_search_by_tenant_and_time_and_lists_sort_nothing(string sql)
    {
        using var folder = new TemporaryFolder();
        await using var database = folder.Open();

        var plan = await database.ReadAsync(
            session =>
            {
                using var row = session.Use("EXPLAIN QUERY PLAN " + sql);
                UsageSums.Filter(row, Kernel.TenantId.Default, new UsageQuery()).Set("$from", 0L).Set("$to", 1L);
                row.Set(sql == UsageSums.SelectBooked ? "$groupBy" : "$limit", 1);
                var lines = new List<string>();
                while (row.Step()) lines.Add(row.Text(3));
                return lines;
            },
            TestContext.Current.CancellationToken);

        Assert.Equal("SEARCH ledger USING INDEX ledger_by_time (tenant=? AND at>? AND at<?)", plan[0]);
        if (sql == SqliteUsageStore.SelectRows) Assert.Single(plan);
    }

    [Fact]
    public void Numbers_that_are_stored_do_not_move()
    {
        Assert.Equal(
            ["Completed=0", "ClientGone=1", "ProviderFailed=2", "CutShort=3", "Drained=4", "Unknown=5", "Cached=6"],
            Enum.GetValues<AttemptOutcome>().Select(outcome => $"{outcome}={(int)outcome}"));
        Assert.Equal(
            ["None=0", "Complete=1", "Embed=2", "RunAgents=4", "Admin=8", "Operator=16", "CallTools=32"],
            Enum.GetValues<Penstock.Keys.Scopes>().Select(scope => $"{scope}={(int)scope}"));
        Assert.Equal(
            ["None=0", "Day=1", "Model=2", "Provider=3", "Key=4", "Project=5", "User=6", "Conversation=7"],
            Enum.GetValues<UsageGrouping>().Select(grouping => $"{grouping}={(int)grouping}"));
    }
}
