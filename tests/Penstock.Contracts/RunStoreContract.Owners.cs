using Penstock.Agents;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

public abstract partial class RunStoreContract
{
    [Fact]
    public async Task Whoever_acquires_a_run_has_it_in_an_epoch_of_its_own()
    {
        var run = await CreateAsync(Run("run_1") with { Status = RunStatus.Waiting, WaitsFor = "approval", WakeAt = Now.AddHours(1), Epoch = 4, Beat = 7, Crashes = 1, Steps = 3 });

        var owned = await _store.AcquireAsync(run, "w1", false, Ct);

        Assert.Equal(run with { Epoch = 5, Owner = "w1", Beat = 0, Status = RunStatus.Running, WaitsFor = null, WakeAt = run.CreatedAt }, owned);
        Assert.Equal(owned, await ReadAsync(run));
    }

    [Fact]
    public async Task A_run_is_taken_from_an_owner_whose_beat_stands_still()
    {
        var owned = await OwnAsync("run_1");

        var taken = await _store.AcquireAsync(owned, "w2", true, Ct);
        Assert.Equal(owned with { Epoch = 2, Owner = "w2", Crashes = 1 }, taken);
        // A worker that starts again under its old name is another owner.
        var again = await _store.AcquireAsync(taken!, "w2", true, Ct);
        Assert.Equal(owned with { Epoch = 3, Owner = "w2", Crashes = 2 }, again);
    }

    [Fact]
    public async Task A_run_that_is_not_as_it_was_seen_is_not_acquired()
    {
        var seen = await CreateAsync(Run("run_1") with { Epoch = 3, Owner = "w1", Beat = 2, Status = RunStatus.Running });

        foreach (var other in new[]
        {
            seen with { Epoch = 2 }, seen with { Epoch = 4 }, seen with { Owner = "w2" }, seen with { Owner = null }, seen with { Owner = "W1" },
            seen with { Beat = 1 }, seen with { Beat = 3 }, seen with { Id = new RunId("run_2") },
        })
        {
            Assert.Null(await _store.AcquireAsync(other, "w9", true, Ct));
        }

        Assert.Equal(seen, await ReadAsync(seen));
        // What else of the head is another does not count.
        Assert.NotNull(await _store.AcquireAsync(seen with { Steps = 99, NextSeq = 99, Status = RunStatus.Queued }, "w9", false, Ct));
    }

    [Fact]
    public async Task A_run_without_an_owner_is_not_acquired_as_of_one()
    {
        var seen = await CreateAsync(Run("run_1"));

        Assert.Null(await _store.AcquireAsync(seen with { Owner = "w1" }, "w9", true, Ct));
        Assert.Null(await _store.AcquireAsync(seen with { Owner = "" }, "w9", true, Ct));

        Assert.Equal(seen, await ReadAsync(seen));
    }

    [Fact]
    public async Task An_owner_that_lives_keeps_its_run()
    {
        var owned = await OwnAsync("run_1");

        Assert.Equal(owned with { Beat = 1 }, await _store.RenewAsync(Acme, owned.Id, 1, Ct));
        Assert.Null(await _store.AcquireAsync(owned, "w2", true, Ct));
        Assert.Equal(owned with { Beat = 2 }, await _store.RenewAsync(Acme, owned.Id, 1, Ct));
        Assert.Equal(owned with { Beat = 2 }, await ReadAsync(owned));
    }

    [Fact]
    public async Task Nobody_renews_what_they_do_not_have()
    {
        var owned = await OwnAsync("run_1");
        var taken = await _store.AcquireAsync(owned, "w2", true, Ct);
        Assert.Null(await _store.RenewAsync(Acme, owned.Id, 1, Ct));
        Assert.Null(await _store.RenewAsync(Acme, owned.Id, 3, Ct));
        Assert.Null(await _store.RenewAsync(Acme, new RunId("run_2"), 2, Ct));
        Assert.Equal(taken, await ReadAsync(owned));

        await _store.AppendAsync(Append(taken!, 1, 1) with { Change = Waits() }, Ct);
        Assert.Null(await _store.RenewAsync(Acme, owned.Id, 2, Ct));
        await CreateAsync(Run("run_3"));
        Assert.Null(await _store.RenewAsync(Acme, new RunId("run_3"), 0, Ct));
        Assert.Equal(0, (await ReadAsync(owned)).Beat);
    }

    [Theory]
    [InlineData(RunStatus.Completed)]
    [InlineData(RunStatus.Dead)]
    public async Task A_run_that_has_ended_has_no_owner_any_more(RunStatus status)
    {
        var owned = await OwnAsync("run_1");
        await _store.AppendAsync(Append(owned, 1, 1) with { Change = Ends(status) }, Ct);
        var ended = await ReadAsync(owned);

        Assert.Null(await _store.AcquireAsync(ended, "w2", false, Ct));
        Assert.Null(await _store.RenewAsync(Acme, ended.Id, 1, Ct));
        Assert.False(await _store.AppendAsync(Append(owned, 2, 1), Ct));
        Assert.False(await _store.AppendAsync(Append(owned, 2, 0) with { Change = Ends(RunStatus.Failed) }, Ct));
        Assert.False(await _store.AppendAsync(Append(owned, 2, 0) with { Change = Waits() }, Ct));
        Assert.False(await _store.AddChunksAsync(Acme, ended.Id, 1, [new RunChunk(2, 1, Now, "{}")], Ct));
        Assert.Equal(ended, await ReadAsync(owned));
        Assert.Equal(2, (await JournalAsync(owned)).Length);
    }

    [Fact(Timeout = 120_000)]
    public async Task Of_a_hundred_that_acquire_at_once_one_has_the_run()
    {
        var seen = await CreateAsync(Run("run_1"));

        var acquired = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => Task.Run(() => _store.AcquireAsync(seen, $"w{i}", true, Ct))));

        var winner = Assert.Single(acquired, run => run is not null);
        Assert.Equal((1, 1, 0), (winner!.Epoch, winner.Crashes, winner.Beat));
        Assert.Equal(winner, acquired[int.Parse(winner.Owner![1..], System.Globalization.CultureInfo.InvariantCulture)]);
        Assert.Equal(winner, await ReadAsync(seen));
    }

    [Fact]
    public async Task An_append_is_the_journals_next_entries_and_leaves_the_head()
    {
        var owned = await OwnAsync("run_1");

        Assert.True(await _store.AppendAsync(Append(owned, 1, 3), Ct));

        Assert.Equal(owned with { NextSeq = 4 }, await ReadAsync(owned));
        Assert.Equal([(0, 0), (1, 1), (2, 1), (3, 1)], (await JournalAsync(owned)).Select(entry => ((int)entry.Seq, (int)entry.Epoch)));
        Assert.Equal(Append(owned, 1, 3).Entries, (await JournalAsync(owned))[1..]);
    }

    [Fact]
    public async Task An_append_may_change_the_head_of_a_run_that_goes_on()
    {
        var owned = await _store.AcquireAsync(await CreateAsync(Run("run_1") with { Crashes = 2 }), "w1", true, Ct);
        var change = new RunChange { Status = RunStatus.Running, Steps = 7, WakeAt = Now.AddYears(1), EndedAt = Now, Error = "none", WaitsFor = "nothing" };

        Assert.True(await _store.AppendAsync(Append(owned!, 1, 1) with { Change = change }, Ct));
        Assert.Equal(owned! with { NextSeq = 2, Steps = 7, Crashes = 3 }, await ReadAsync(owned));

        Assert.True(await _store.AppendAsync(Append(owned, 2, 0) with { Change = change with { Steps = 8, ClearCrashes = true } }, Ct));
        Assert.Equal(owned with { NextSeq = 2, Steps = 8, Crashes = 0 }, await ReadAsync(owned));

        Assert.True(await _store.AppendAsync(Append(owned, 2, 1), Ct));
        Assert.Equal(owned with { NextSeq = 3, Steps = 8, Crashes = 0 }, await ReadAsync(owned));
    }

    [Fact]
    public async Task A_run_that_is_given_back_waits_or_is_queued_as_the_append_says()
    {
        var owned = await OwnAsync("run_1");
        Assert.True(await _store.AppendAsync(Append(owned, 1, 1) with { Change = Waits(Now.AddDays(1)) }, Ct));
        var waiting = await ReadAsync(owned);
        Assert.Equal(owned with { NextSeq = 2, Status = RunStatus.Waiting, Owner = null, WaitsFor = "approval", WakeAt = Now.AddDays(1), Steps = 2 }, waiting);

        var again = await _store.AcquireAsync(waiting, "w2", false, Ct);
        Assert.True(await _store.AppendAsync(Append(again!, 2, 0) with { Change = new RunChange { Status = RunStatus.Queued, Steps = 3, Now = Now.AddDays(2) } }, Ct));
        Assert.Equal(again! with { Status = RunStatus.Queued, Owner = null, WakeAt = Now.AddDays(2), Steps = 3 }, await ReadAsync(owned));
    }

    [Fact]
    public async Task Whoever_gave_a_run_back_writes_no_more()
    {
        var owned = await OwnAsync("run_1");
        await _store.AppendAsync(Append(owned, 1, 1) with { Change = Waits() }, Ct);
        var waiting = await ReadAsync(owned);

        Assert.False(await _store.AppendAsync(Append(owned, 2, 1), Ct));
        Assert.False(await _store.AppendAsync(Append(owned, 2, 1) with { Change = Ends() }, Ct));
        Assert.False(await _store.AddChunksAsync(Acme, owned.Id, 1, [new RunChunk(1, 1, Now, "{}")], Ct));

        Assert.Equal(waiting, await ReadAsync(owned));
        Assert.Equal(2, (await JournalAsync(owned)).Length);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 0)]
    [InlineData(1, 2)]
    [InlineData(1, 100)]
    public async Task An_append_of_another_epoch_or_place_changes_nothing(long epoch, long seq)
    {
        var owned = await OwnAsync("run_1");
        await _store.PostAsync(Acme, owned.Id, Signal("s1"), Ct);

        Assert.False(await _store.AppendAsync(Append(owned with { Epoch = epoch }, seq, 2, "other") with { Change = Ends(), Folded = ["s1"] }, Ct));
        Assert.False(await _store.AppendAsync(Append(owned with { Epoch = epoch }, seq, 0) with { Change = Ends(), Folded = ["s1"] }, Ct));

        Assert.Equal(owned, await ReadAsync(owned));
        Assert.Single(await JournalAsync(owned));
        Assert.Single(await _store.InboxAsync(Acme, owned.Id, Ct));
    }

    [Fact]
    public async Task An_owner_that_was_overtaken_appends_nothing()
    {
        var owned = await OwnAsync("run_1");
        Assert.True(await _store.AppendAsync(Append(owned, 1, 1), Ct));
        var taken = await _store.AcquireAsync(await ReadAsync(owned), "w2", true, Ct);

        Assert.False(await _store.AppendAsync(Append(owned, 2, 1, "stale"), Ct));
        Assert.False(await _store.AppendAsync(Append(owned, 2, 0) with { Change = Ends() }, Ct));
        Assert.True(await _store.AppendAsync(Append(taken!, 2, 1), Ct));
        Assert.False(await _store.AppendAsync(Append(owned, 2, 1, "stale"), Ct));
        Assert.False(await _store.AppendAsync(Append(owned, 3, 1, "stale"), Ct));

        Assert.Equal(taken! with { NextSeq = 3 }, await ReadAsync(owned));
        Assert.Equal([0L, 1, 2], (await JournalAsync(owned)).Select(entry => entry.Epoch));
    }

    [Fact]
    public async Task The_same_append_again_is_true_and_changes_nothing()
    {
        var owned = await OwnAsync("run_1");
        await _store.PostAsync(Acme, owned.Id, Signal("s1"), Ct);
        var first = Append(owned, 1, 3) with { Folded = ["s1"], Change = new RunChange { Status = RunStatus.Running, Steps = 1 } };
        Assert.True(await _store.AppendAsync(first, Ct));
        Assert.True(await _store.AppendAsync(first, Ct));
        Assert.Equal(4, (await ReadAsync(owned)).NextSeq);

        // It stays true, whoever went on.
        Assert.True(await _store.AppendAsync(Append(owned, 4, 2) with { Change = new RunChange { Status = RunStatus.Running, Steps = 5 } }, Ct));
        var taken = await _store.AcquireAsync(await ReadAsync(owned), "w2", true, Ct);
        Assert.True(await _store.AppendAsync(first, Ct));
        var last = Append(taken!, 6, 1) with { Change = Ends() };
        Assert.True(await _store.AppendAsync(last, Ct));
        var ended = await ReadAsync(owned);
        Assert.True(await _store.AppendAsync(first, Ct));
        Assert.True(await _store.AppendAsync(last, Ct));

        Assert.Equal(ended, await ReadAsync(owned));
        Assert.Equal(7, (await JournalAsync(owned)).Length);
        Assert.Empty(await _store.InboxAsync(Acme, owned.Id, Ct));
    }

    [Fact]
    public async Task An_append_that_is_there_only_in_part_or_otherwise_is_another()
    {
        var owned = await OwnAsync("run_1");
        var entries = Append(owned, 1, 3).Entries;
        Assert.True(await _store.AppendAsync(Append(owned, 1, [.. entries]), Ct));
        var head = await ReadAsync(owned);

        foreach (var other in new[]
        {
            Append(owned, 1, 4), Append(owned, 3, 2), Append(owned, 1, 3, "other"),
            Append(owned, 1, [entries[0], entries[1], entries[2] with { Body = entries[2].Body + " " }]), Append(owned, 1, [entries[0] with { Kind = "model.failed" }]),
            Append(owned, 1, [entries[0] with { At = entries[0].At.AddMilliseconds(1) }]), Append(owned with { Epoch = 2 }, 1, 3), Append(owned, 0, 1),
        })
        {
            Assert.False(await _store.AppendAsync(other, Ct));
        }

        Assert.Equal(head, await ReadAsync(owned));
        Assert.Equal(4, (await JournalAsync(owned)).Length);
    }

    [Fact]
    public async Task Giving_a_run_back_again_does_not_undo_what_came_since()
    {
        var owned = await OwnAsync("run_1");
        var back = Append(owned, 1, 1) with { Change = Waits(Now.AddDays(1)) };
        Assert.True(await _store.AppendAsync(back, Ct));
        await _store.PostAsync(Acme, owned.Id, Cancel, Ct);
        var due = await ReadAsync(owned);
        Assert.Equal(Now, due.WakeAt);

        Assert.True(await _store.AppendAsync(back, Ct));

        Assert.Equal(due, await ReadAsync(owned));
        var taken = await _store.AcquireAsync(due, "w2", false, Ct);
        Assert.True(await _store.AppendAsync(back, Ct));
        Assert.Equal(taken, await ReadAsync(owned));
    }

    [Fact]
    public async Task The_same_change_of_the_head_alone_may_come_again()
    {
        var owned = await OwnAsync("run_1");
        foreach (var change in new[] { new RunChange { Status = RunStatus.Running, Steps = 4 }, Waits(Now.AddDays(1)) })
        {
            var append = Append(owned, 1, 0) with { Change = change };
            Assert.True(await _store.AppendAsync(append, Ct));
            var head = await ReadAsync(owned);
            Assert.True(await _store.AppendAsync(append, Ct));
            Assert.Equal(head, await ReadAsync(owned));
        }

        var taken = await _store.AcquireAsync(await ReadAsync(owned), "w2", false, Ct);
        var end = Append(taken!, 1, 0) with { Change = Ends(RunStatus.Failed) with { Error = "e" } };
        Assert.True(await _store.AppendAsync(end, Ct));
        Assert.True(await _store.AppendAsync(end, Ct));
        Assert.False(await _store.AppendAsync(end with { Change = Ends(RunStatus.Completed) }, Ct));
    }

    [Fact(Timeout = 120_000)]
    public async Task Of_appends_to_one_place_at_once_one_is_there()
    {
        var owned = await OwnAsync("run_1");
        for (var seq = 1L; seq <= 10; seq++)
        {
            var place = seq;
            var appended = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => _store.AppendAsync(Append(owned, place, 1, $"writer {i}"), Ct))));

            var winner = Assert.Single(Enumerable.Range(0, 8), i => appended[i]);
            Assert.Equal(Append(owned, seq, 1, $"writer {winner}").Entries[0], (await JournalAsync(owned))[^1]);
            Assert.Equal(seq + 1, (await ReadAsync(owned)).NextSeq);
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task The_same_append_many_times_at_once_is_there_once_and_true_to_all()
    {
        var owned = await OwnAsync("run_1");
        await _store.PostAsync(Acme, owned.Id, Signal("s1"), Ct);
        var append = Append(owned, 1, 5) with { Folded = ["s1"], Change = Ends() };

        Assert.DoesNotContain(false, await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => _store.AppendAsync(append, Ct)))));

        Assert.Equal(6, (await JournalAsync(owned)).Length);
    }

    [Fact]
    public async Task What_no_owner_may_write_is_refused_whatever_the_store_holds()
    {
        var owned = await OwnAsync("run_1");
        await _store.PostAsync(Acme, owned.Id, Signal("s1"), Ct);
        foreach (var append in new[]
        {
            Append(owned, 1, RunAppend.MostEntries + 1), Append(owned, 1, [.. Append(owned, 2, 1).Entries]), Append(owned, 1, Entry(1)),
            Append(owned, 1, 1) with { Folded = [.. Enumerable.Range(0, RunAppend.MostFolded + 1).Select(i => $"s{i}")] }, Append(owned, 1, 1) with { Folded = ["s1", "s1"] },
            Append(owned, 1, 1) with { Change = Ends() with { EndedAt = null } },
            Append(owned, 1, [.. Append(owned, 1, 11).Entries.Select(entry => entry with { Body = new string('x', 280_000) })]),
        })
        {
            await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.AppendAsync(append, Ct));
        }

        Assert.Equal(owned, await ReadAsync(owned));
        Assert.Single(await JournalAsync(owned));
        Assert.Single(await _store.InboxAsync(Acme, owned.Id, Ct));
    }
}
