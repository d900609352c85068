using Penstock.Agents;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

public abstract partial class RunStoreContract
{
    [Fact]
    public async Task Chunks_are_in_their_order_and_read_in_pieces()
    {
        var owned = await OwnAsync("run_1");
        RunChunk[] chunks = [.. from seq in Enumerable.Range(1, 3) from sub in Enumerable.Range(1, 12) select new RunChunk(seq * 5, sub, Now.AddMilliseconds(sub), $$"""{"text":"{{seq}}.{{sub}}"}""")];
        Assert.True(await _store.AddChunksAsync(Acme, owned.Id, 1, chunks[20..], Ct));
        Assert.True(await _store.AddChunksAsync(Acme, owned.Id, 1, chunks[..20], Ct));
        await CreateAsync(Run("run_10"));

        Assert.Equal(chunks, await ChunksAsync(owned, 0, 0, 100));
        Assert.Equal(chunks[..7], await ChunksAsync(owned, 0, 0, 100, 7));
        Assert.Equal(chunks[7..12], await ChunksAsync(owned, 5, 7, 100, 5));
        Assert.Equal(chunks[12..24], await ChunksAsync(owned, 5, 12, 10));
        Assert.Equal(chunks[24..], await ChunksAsync(owned, 14, 99, 15));
        Assert.Empty(await ChunksAsync(owned, 15, 12, 100));
        Assert.Empty(await ChunksAsync(owned, 0, 0, 4));
        Assert.Equal(owned, await ReadAsync(owned));
    }

    [Fact]
    public async Task The_same_chunks_again_change_nothing()
    {
        var owned = await OwnAsync("run_1");
        RunChunk[] chunks = [new(1, 1, Now, "a"), new(1, 2, Now, "b"), new(1, 3, Now, "c")];

        Assert.True(await _store.AddChunksAsync(Acme, owned.Id, 1, chunks[..2], Ct));
        Assert.True(await _store.AddChunksAsync(Acme, owned.Id, 1, chunks, Ct));
        Assert.True(await _store.AddChunksAsync(Acme, owned.Id, 1, [], Ct));

        Assert.Equal(chunks, await ChunksAsync(owned, 0, 0, 1));
    }

    [Fact]
    public async Task Only_the_owner_adds_chunks()
    {
        var owned = await OwnAsync("run_1");
        var taken = await _store.AcquireAsync(owned, "w2", true, Ct);

        Assert.False(await _store.AddChunksAsync(Acme, owned.Id, 1, [new RunChunk(1, 1, Now, "stale")], Ct));
        Assert.False(await _store.AddChunksAsync(Acme, owned.Id, 3, [new RunChunk(1, 1, Now, "early")], Ct));
        Assert.False(await _store.AddChunksAsync(Acme, new RunId("run_2"), 2, [new RunChunk(1, 1, Now, "nobody's")], Ct));
        Assert.Empty(await ChunksAsync(owned, 0, 0, 10));

        Assert.True(await _store.AddChunksAsync(Acme, taken!.Id, 2, [new RunChunk(1, 1, Now, "ours")], Ct));
        Assert.Equal("ours", (await ChunksAsync(owned, 0, 0, 10)).Single().Body);
    }

    [Fact]
    public async Task As_many_chunks_as_one_write_takes_are_written_and_of_more_none_is()
    {
        var owned = await OwnAsync("run_1");
        RunChunk[] chunks = [.. Enumerable.Range(1, RunChunk.MostAtOnce + 1).Select(i => new RunChunk(1, i, Now, "{}"))];
        var large = new RunChunk(2, 1, Now, new string('x', RunChunk.LargestBodies / 10 + 1));

        await Assert.ThrowsAsync<ArgumentException>(() => _store.AddChunksAsync(Acme, owned.Id, 1, chunks, Ct));
        await Assert.ThrowsAsync<ArgumentException>(() => _store.AddChunksAsync(Acme, owned.Id, 1, [.. Enumerable.Range(1, 10).Select(i => large with { Sub = i })], Ct));
        Assert.Empty(await ChunksAsync(owned, 0, 0, 100));

        Assert.True(await _store.AddChunksAsync(Acme, owned.Id, 1, chunks[1..], Ct));
        Assert.True(await _store.AddChunksAsync(Acme, owned.Id, 1, [.. Enumerable.Range(1, 9).Select(i => large with { Sub = i })], Ct));
        Assert.Equal(RunChunk.MostAtOnce, (await ChunksAsync(owned, 0, 0, 1)).Count);
    }

    [Fact]
    public async Task Hostile_chunks_come_back_as_they_went_in()
    {
        var owned = await OwnAsync("run_1");
        RunChunk[] chunks = [.. HostileText.All.Select((text, i) => new RunChunk(1, i + 1, Now, text))];

        Assert.True(await _store.AddChunksAsync(Acme, owned.Id, 1, chunks, Ct));

        Assert.Equal(chunks, await ChunksAsync(owned, 0, 0, 10));
    }

    [Fact]
    public async Task A_dead_run_is_sent_on()
    {
        var owned = await _store.AcquireAsync(await CreateAsync(Run("run_1") with { Crashes = 4 }), "w1", true, Ct);
        await _store.AppendAsync(Append(owned!, 1, 1) with { Change = Ends(RunStatus.Dead) with { Error = "run_crashed" } }, Ct);
        var dead = await ReadAsync(owned!);
        Assert.Equal((5, "run_crashed"), (dead.Crashes, dead.Error));

        Assert.True(await _store.RedriveAsync(Acme, dead.Id, Now.AddDays(1), Ct));

        var queued = dead with { Status = RunStatus.Queued, WakeAt = Now.AddDays(1), EndedAt = null, Error = null, Crashes = 0 };
        Assert.Equal(queued, await ReadAsync(dead));
        Assert.False(await _store.RedriveAsync(Acme, dead.Id, Now.AddDays(2), Ct));
        Assert.Equal(queued, await ReadAsync(dead));
        // Whoever had it does not have it again.
        Assert.False(await _store.AppendAsync(Append(owned!, 2, 1), Ct));
        Assert.Equal([queued], await _store.OpenAsync(Now.AddDays(1), 10, Ct));
        Assert.Equal(2, (await _store.AcquireAsync(queued, "w2", false, Ct))!.Epoch);
    }

    [Theory]
    [InlineData(RunStatus.Queued)]
    [InlineData(RunStatus.Running)]
    [InlineData(RunStatus.Waiting)]
    [InlineData(RunStatus.Completed)]
    [InlineData(RunStatus.Failed)]
    [InlineData(RunStatus.Cancelled)]
    public async Task A_run_that_is_not_dead_is_not_sent_on(RunStatus status)
    {
        var run = await CreateAsync(Run("run_1") with { Status = status, EndedAt = status >= RunStatus.Completed ? Now : null, WakeAt = status >= RunStatus.Completed ? null : Now, Crashes = 3 });

        Assert.False(await _store.RedriveAsync(Acme, run.Id, Now.AddDays(1), Ct));
        Assert.False(await _store.RedriveAsync(Acme, new RunId("run_2"), Now, Ct));

        Assert.Equal(run, await ReadAsync(run));
    }

    [Fact]
    public async Task A_process_that_owns_the_store_releases_what_those_before_it_had()
    {
        var owned = await OwnAsync("run_1");
        var waiting = await CreateAsync(Run("run_2") with { Status = RunStatus.Waiting, WakeAt = Now.AddDays(1) });
        var theirs = await _store.AcquireAsync(await CreateAsync(Run("run_3") with { Tenant = Rival }), "w1", false, Ct);

        Assert.Equal(OwnedByOneProcess ? 2 : 0, await _store.ReleaseAllAsync(Ct));
        Assert.Equal(0, await _store.ReleaseAllAsync(Ct));

        Assert.Equal(waiting, await ReadAsync(waiting));
        if (!OwnedByOneProcess)
        {
            Assert.Equal(owned, await ReadAsync(owned));
            return;
        }

        Assert.Equal(owned with { Owner = null }, await ReadAsync(owned));
        Assert.Equal([owned with { Owner = null }, theirs! with { Owner = null }], await _store.OpenAsync(Now, 10, Ct));
        Assert.False(await _store.AppendAsync(Append(owned, 1, 1), Ct));
        Assert.Null(await _store.RenewAsync(Acme, owned.Id, 1, Ct));
        Assert.Null(await _store.AcquireAsync(owned, "w2", true, Ct));
        var taken = await _store.AcquireAsync(owned with { Owner = null }, "w2", true, Ct);
        Assert.Equal(owned with { Owner = "w2", Epoch = 2, Crashes = 1 }, taken);
    }

    [Fact]
    public async Task A_sweep_removes_old_chunks_and_nothing_else()
    {
        var owned = await OwnAsync("run_1");
        RunChunk[] chunks = [.. Enumerable.Range(1, 30).Select(i => new RunChunk(1, i, Now.AddMinutes(i), "{}"))];
        await _store.AddChunksAsync(Acme, owned.Id, 1, chunks, Ct);
        await _store.PostAsync(Acme, owned.Id, Signal("s1"), Ct);
        var theirs = await _store.AcquireAsync(await CreateAsync(Run("run_2") with { Tenant = Rival }), "w1", false, Ct);
        await _store.AddChunksAsync(Rival, theirs!.Id, 1, chunks, Ct);

        Assert.Equal(0, await _store.SweepAsync(Now.AddMinutes(20), Now.AddDays(-90), null, Ct));

        Assert.Equal(chunks[19..], await ChunksAsync(owned, 0, 0, 1));
        Assert.Equal(chunks[19..], await ChunksAsync(theirs, 0, 0, 1));
        Assert.Equal(owned, await ReadAsync(owned));
        Assert.Single(await JournalAsync(owned));
        Assert.Single(await _store.InboxAsync(Acme, owned.Id, Ct));
        // What was swept is not what the journal needs: the run goes on.
        Assert.True(await _store.AppendAsync(Append(owned, 1, 1) with { Folded = ["s1"] }, Ct));
    }

    [Fact]
    public async Task A_sweep_removes_old_runs_that_have_ended_with_all_that_is_theirs_and_no_other()
    {
        var old = await EndedAsync("old", Now.AddMilliseconds(-1));
        var dead = await EndedAsync("dead", Now.AddDays(-9), RunStatus.Dead);
        var theirs = await EndedAsync("old", Now.AddMilliseconds(-1), tenant: Rival);
        var young = await EndedAsync("old2", Now);
        var open = await CreateAsync(Run("open") with { CreatedAt = Now.AddYears(-1), Status = RunStatus.Waiting, WakeAt = Now.AddYears(-1) });
        var (journal, inbox, chunks) = (await JournalAsync(young), await _store.InboxAsync(Acme, young.Id, Ct), await ChunksAsync(young, 0, 0, 10));

        Assert.Equal(3, await _store.SweepAsync(Now.AddYears(-1), Now, null, Ct));
        Assert.Equal(0, await _store.SweepAsync(Now.AddYears(-1), Now, null, Ct));

        foreach (var gone in new[] { old, dead, theirs })
        {
            Assert.Null(await _store.GetAsync(gone.Tenant, gone.Id, Ct));
            Assert.Empty(await JournalAsync(gone));
            Assert.Empty(await _store.InboxAsync(gone.Tenant, gone.Id, Ct));
            Assert.Empty(await ChunksAsync(gone, 0, 0, 10));
            Assert.Equal(Posted.NotFound, await _store.PostAsync(gone.Tenant, gone.Id, Signal("s1"), Ct));
        }

        Assert.Equal([young], await _store.ChildrenAsync(Acme, new RunId("parent"), Ct));
        Assert.Empty(await _store.ChildrenAsync(Rival, new RunId("parent"), Ct));

        Assert.Equal("old2open", await ListAsync(new RunQuery { Limit = 10 }));
        Assert.Equal((young, open), (await ReadAsync(young), await ReadAsync(open)));
        Assert.Equal(journal, await JournalAsync(young));
        Assert.Equal(inbox, await _store.InboxAsync(Acme, young.Id, Ct));
        Assert.Equal(chunks, await ChunksAsync(young, 0, 0, 10));
        Assert.Equal((4, 1, 2), (journal.Length, inbox.Count, chunks.Count));
    }

    [Fact]
    public async Task Each_run_is_told_of_before_it_goes_and_stays_where_that_fails()
    {
        await EndedAsync("old", Now.AddMilliseconds(-2));
        await EndedAsync("old", Now.AddMilliseconds(-1), tenant: Rival);
        await EndedAsync("young", Now);
        var told = new List<string>();

        await Assert.ThrowsAsync<IOException>(() => _store.SweepAsync(Now, Now, (_, _, _) => throw new IOException("away"), Ct));
        var kept = await _store.SweepAsync(Now, Now, (tenant, run, _) =>
        {
            told.Add($"{tenant}/{run}");
            return Task.CompletedTask;
        }, Ct);

        Assert.Equal(2, kept);
        Assert.Equal([$"{Acme}/old", $"{Rival}/old"], told.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_id_of_a_run_that_was_swept_begins_anew()
    {
        await EndedAsync("run_1", Now.AddDays(-1));
        await _store.SweepAsync(Now, Now, null, Ct);

        var run = await OwnAsync("run_1");

        Assert.Single(await JournalAsync(run));
        Assert.Equal(Posted.Added, await _store.PostAsync(Acme, run.Id, Signal("s1"), Ct));
        Assert.Empty(await ChunksAsync(run, 0, 0, 10));
    }

    [Fact]
    public async Task A_sweep_removes_many()
    {
        for (var i = 0; i < 60; i++) await CreateAsync(Run($"run_{i:00}") with { Status = RunStatus.Completed, EndedAt = Now.AddDays(-i), WakeAt = null }, 3);
        var owned = await OwnAsync("owned");
        foreach (var some in Enumerable.Range(1, 1_500).Chunk(RunChunk.MostAtOnce)) await _store.AddChunksAsync(Acme, owned.Id, 1, [.. some.Select(i => new RunChunk(1, i, Now, "{}"))], Ct);

        Assert.Equal(50, await _store.SweepAsync(Now.AddMinutes(1), Now.AddDays(-9), null, Ct));

        Assert.Equal(11, (await _store.ListAsync(Acme, new RunQuery { Limit = 100 }, Ct)).Count);
        Assert.Empty(await ChunksAsync(owned, 0, 0, 10));
    }

    /// <summary>A run with something everywhere.</summary>
    private async Task<RunRecord> EndedAsync(string id, DateTimeOffset at, RunStatus status = RunStatus.Completed, TenantId? tenant = null)
    {
        var run = await CreateAsync(Run(id) with { Tenant = tenant ?? Acme, Parent = new RunId("parent") });
        run = (await _store.AcquireAsync(run, "w1", false, Ct))!;
        await _store.PostAsync(run.Tenant, run.Id, Signal("s1"), Ct);
        await _store.PostAsync(run.Tenant, run.Id, Signal("s2"), Ct);
        await _store.AddChunksAsync(run.Tenant, run.Id, 1, [new RunChunk(1, 1, Now, "a"), new RunChunk(1, 2, Now, "b")], Ct);
        Assert.True(await _store.AppendAsync(Append(run, 1, 3) with { Folded = ["s1"], Change = Ends(status, at) }, Ct));
        return await ReadAsync(run);
    }

    private Task<IReadOnlyList<RunChunk>> ChunksAsync(RunRecord run, long afterSeq, int afterSub, long toSeq, int limit = 10_000) =>
        _store.ChunksAsync(run.Tenant, run.Id, afterSeq, afterSub, toSeq, limit, Ct);
}
