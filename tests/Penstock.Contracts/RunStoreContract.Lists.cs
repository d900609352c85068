using Penstock.Agents;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

public abstract partial class RunStoreContract
{
    [Fact]
    public async Task Lists_are_newest_first_and_of_one_moment_the_last_id_first()
    {
        foreach (var (id, at) in new[] { ("b", 0), ("a", 0), ("c", 0), ("d", -1), ("0", 1), ("e", 1_000_000_000) })
        {
            await CreateAsync(Run(id) with { CreatedAt = Now.AddMilliseconds(at) });
        }

        Assert.Equal("e0cbad", await ListAsync(new RunQuery { Limit = 10 }));
        Assert.Equal("e0", await ListAsync(new RunQuery { Limit = 2 }));
    }

    [Fact]
    public async Task Pages_by_cursor_hold_each_run_once()
    {
        for (var i = 0; i < 23; i++) await CreateAsync(Run($"run_{i:00}") with { CreatedAt = Now.AddMilliseconds(i / 5), Status = i % 2 == 0 ? RunStatus.Queued : RunStatus.Waiting, Project = new ProjectId(i % 3 == 0 ? "p" : "q") });

        foreach (var (query, count) in new[] { (new RunQuery { Limit = 4 }, 23), (new RunQuery { Limit = 3, Status = RunStatus.Waiting }, 11), (new RunQuery { Limit = 5, Project = new ProjectId("p") }, 8), (new RunQuery { Limit = 23 }, 23) })
        {
            var all = await _store.ListAsync(Acme, query with { Limit = 1_000 }, Ct);
            var paged = new List<RunRecord>();
            while (true)
            {
                var page = await _store.ListAsync(Acme, query with { After = paged.Count == 0 ? null : (paged[^1].CreatedAt, paged[^1].Id) }, Ct);
                Assert.True(page.Count <= query.Limit);
                if (page.Count == 0) break;
                // All but the last are full, whatever the filter leaves out.
                Assert.Equal(Math.Min(query.Limit, count - paged.Count), page.Count);
                paged.AddRange(page);
            }

            Assert.Equal(count, all.Count);
            Assert.Equal(all, paged);
        }
    }

    [Fact]
    public async Task Lists_are_of_what_is_asked_for()
    {
        await CreateAsync(Run("a"));
        await CreateAsync(Run("b") with { Agent = "research2" });
        await CreateAsync(Run("c") with { Key = new KeyId("key-2") });
        await CreateAsync(Run("d") with { Status = RunStatus.Dead, EndedAt = Now, WakeAt = null });
        await CreateAsync(Run("e") with { Key = new KeyId("key-2"), Agent = "research2" });
        await CreateAsync(Run("f") with { Project = new ProjectId("p"), Agent = "other" });
        await CreateAsync(Run("g") with { Project = new ProjectId("p"), Agent = "other", Status = RunStatus.Waiting, Key = new KeyId("key-2") });

        Assert.Equal("gfedcba", await ListAsync(new RunQuery { Limit = 10 }));
        Assert.Equal("fecba", await ListAsync(new RunQuery { Limit = 10, Status = RunStatus.Queued }));
        Assert.Equal("d", await ListAsync(new RunQuery { Limit = 10, Status = RunStatus.Dead }));
        Assert.Equal("", await ListAsync(new RunQuery { Limit = 10, Status = RunStatus.Running }));
        Assert.Equal("gf", await ListAsync(new RunQuery { Limit = 10, Project = new ProjectId("p") }));
        Assert.Equal("g", await ListAsync(new RunQuery { Limit = 10, Project = new ProjectId("p"), Status = RunStatus.Waiting }));
        Assert.Equal("g", await ListAsync(new RunQuery { Limit = 10, Project = new ProjectId("p"), Key = new KeyId("key-2") }));
        Assert.Equal("edcba", await ListAsync(new RunQuery { Limit = 10, Project = ProjectId.Default }));
        Assert.Equal("", await ListAsync(new RunQuery { Limit = 10, Project = new ProjectId("q") }));
        Assert.Equal("dca", await ListAsync(new RunQuery { Limit = 10, Agent = "research" }));
        Assert.Equal("gec", await ListAsync(new RunQuery { Limit = 10, Key = new KeyId("key-2") }));
        Assert.Equal("c", await ListAsync(new RunQuery { Limit = 10, Key = new KeyId("key-2"), Agent = "research", Status = RunStatus.Queued }));
    }

    [Fact]
    public async Task A_list_shows_runs_as_they_stand()
    {
        var run = await OwnAsync("a");
        await _store.AppendAsync(Append(run, 1, 1) with { Change = Ends() }, Ct);

        Assert.Equal(await ReadAsync(run), Assert.Single(await _store.ListAsync(Acme, new RunQuery { Limit = 10, Status = RunStatus.Completed }, Ct)));
        Assert.Empty(await _store.ListAsync(Acme, new RunQuery { Limit = 10, Status = RunStatus.Running }, Ct));
    }

    [Fact]
    public async Task Children_are_those_of_one_parent_oldest_first()
    {
        var parent = new RunId("parent");
        await CreateAsync(Run("parent"));
        await CreateAsync(Run("a") with { Parent = parent, CreatedAt = Now.AddMilliseconds(2) });
        await CreateAsync(Run("b") with { Parent = parent, CreatedAt = Now.AddMilliseconds(1) });
        await CreateAsync(Run("d") with { Parent = parent, CreatedAt = Now.AddMilliseconds(1) });
        await CreateAsync(Run("c") with { Parent = new RunId("parent2") });
        var grandchild = await CreateAsync(Run("e") with { Parent = new RunId("a") });

        Assert.Equal("bda", Ids(await _store.ChildrenAsync(Acme, parent, Ct)));
        Assert.Equal([grandchild], await _store.ChildrenAsync(Acme, new RunId("a"), Ct));
        Assert.Empty(await _store.ChildrenAsync(Acme, new RunId("e"), Ct));
    }

    [Fact]
    public async Task Open_runs_are_every_tenants_that_are_due_longest_due_first()
    {
        await CreateAsync(Run("a") with { WakeAt = Now });
        await CreateAsync(Run("b") with { WakeAt = Now.AddMilliseconds(-1), Tenant = Rival });
        await CreateAsync(Run("c") with { WakeAt = Now.AddMilliseconds(1) });
        await CreateAsync(Run("d") with { WakeAt = Now.AddDays(-9), Status = RunStatus.Waiting });
        await CreateAsync(Run("e") with { WakeAt = null, Status = RunStatus.Waiting });
        await CreateAsync(Run("0") with { WakeAt = Now, Tenant = Rival });

        Assert.Equal("db0a", Ids(await _store.OpenAsync(Now, 10, Ct)));
        Assert.Equal("db", Ids(await _store.OpenAsync(Now, 2, Ct)));
        Assert.Equal("db0ac", Ids(await _store.OpenAsync(Now.AddMilliseconds(1), 10, Ct)));
        Assert.Equal("d", Ids(await _store.OpenAsync(Now.AddDays(-1), 10, Ct)));
        Assert.Equal(await _store.GetAsync(Rival, new RunId("b"), Ct), (await _store.OpenAsync(Now, 10, Ct))[1]);
    }

    [Fact]
    public async Task A_run_that_somebody_has_stays_open_until_it_is_given_back()
    {
        var later = await CreateAsync(Run("a") with { WakeAt = Now.AddDays(1) });
        var never = await CreateAsync(Run("b") with { WakeAt = null, Status = RunStatus.Waiting });

        later = (await _store.AcquireAsync(later, "w1", false, Ct))!;
        never = (await _store.AcquireAsync(never, "w1", false, Ct))!;
        Assert.Equal([later, never], await _store.OpenAsync(Now, 10, Ct));
        await _store.AppendAsync(Append(later, 1, 1) with { Change = new RunChange { Status = RunStatus.Running, Steps = 1 } }, Ct);
        await _store.AppendAsync(Append(never, 1, 1), Ct);
        Assert.Equal("ab", Ids(await _store.OpenAsync(Now, 10, Ct)));

        await _store.AppendAsync(Append(later, 2, 1) with { Change = Waits(Now.AddDays(1)) }, Ct);
        await _store.AppendAsync(Append(never, 2, 1) with { Change = Waits() }, Ct);
        Assert.Empty(await _store.OpenAsync(Now, 10, Ct));
        Assert.Equal("a", Ids(await _store.OpenAsync(Now.AddDays(1), 10, Ct)));
    }

    [Theory]
    [InlineData(RunStatus.Completed)]
    [InlineData(RunStatus.Failed)]
    [InlineData(RunStatus.Cancelled)]
    [InlineData(RunStatus.Dead)]
    public async Task A_run_that_has_ended_is_never_open(RunStatus status)
    {
        var run = await OwnAsync("a");
        var ends = Ends(status) with { WakeAt = Now, WaitsFor = "approval", Error = "budget_exceeded", Steps = 9 };

        Assert.True(await _store.AppendAsync(Append(run, 1, 1) with { Change = ends }, Ct));

        Assert.Empty(await _store.OpenAsync(Now.AddYears(9), 10, Ct));
        Assert.Equal(
            run with { Status = status, EndedAt = Now, WakeAt = null, Owner = null, Error = "budget_exceeded", Steps = 9, NextSeq = 2 },
            await ReadAsync(run));
    }

    [Fact]
    public async Task Runs_that_are_queued_and_due_before_one_are_ahead_of_it()
    {
        RunRecord[] runs =
        [
            await CreateAsync(Run("b") with { WakeAt = Now.AddMilliseconds(-1) }),
            await CreateAsync(Run("a")),
            await CreateAsync(Run("c") with { Tenant = Rival }),
            await CreateAsync(Run("d")),
            await CreateAsync(Run("0") with { WakeAt = Now.AddDays(1) }),
        ];
        await CreateAsync(Run("w") with { WakeAt = Now.AddDays(-1), Status = RunStatus.Waiting });
        await CreateAsync(Run("x") with { WakeAt = null });

        int[] ahead = await Task.WhenAll(runs.Select(run => _store.AheadAsync(run, Ct)));
        Assert.Equal([0, 1, 2, 3, 4], ahead);

        await _store.AcquireAsync(runs[1], "w1", false, Ct);
        Assert.Equal(2, await _store.AheadAsync(runs[3], Ct));
        Assert.Equal(0, await _store.AheadAsync(Run("x") with { WakeAt = null }, Ct));
    }

    private async Task<string> ListAsync(RunQuery query) => Ids(await _store.ListAsync(Acme, query, Ct));

    private static string Ids(IEnumerable<RunRecord> runs) => string.Concat(runs.Select(run => run.Id.Value));
}
