using Penstock.Agents;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

public abstract partial class RunStoreContract
{
    [Fact]
    public async Task An_inbox_is_in_the_order_in_which_its_items_came()
    {
        var run = await CreateAsync(Run("run_1"));
        InboxItem[] items = [Signal("z"), Signal("a", Now.AddDays(-1)), new("approval:call_1", "approval", Now, "{}"), Signal("m"), Cancel];

        foreach (var item in items) Assert.Equal(Posted.Added, await _store.PostAsync(Acme, run.Id, item, Ct));

        Assert.Equal(items, await _store.InboxAsync(Acme, run.Id, Ct));
        Assert.Empty(await _store.InboxAsync(Acme, new RunId("run_2"), Ct));
    }

    [Fact]
    public async Task An_item_comes_once()
    {
        var run = await CreateAsync(Run("run_1"));
        await _store.PostAsync(Acme, run.Id, Signal("s1"), Ct);

        Assert.Equal(Posted.Again, await _store.PostAsync(Acme, run.Id, Signal("s1"), Ct));
        Assert.Equal(Posted.Again, await _store.PostAsync(Acme, run.Id, new InboxItem("s1", "cancel", Now.AddDays(1), "{}"), Ct));

        Assert.Equal([Signal("s1")], await _store.InboxAsync(Acme, run.Id, Ct));
        Assert.False((await ReadAsync(run)).CancelRequested);
        await CreateAsync(Run("run_2"));
        Assert.Equal(Posted.Added, await _store.PostAsync(Acme, new RunId("run_2"), Signal("s1"), Ct));
    }

    [Fact(Timeout = 120_000)]
    public async Task Of_the_same_item_many_times_at_once_one_is_added()
    {
        var run = await CreateAsync(Run("run_1"));

        var posted = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(() => _store.PostAsync(Acme, run.Id, Signal("s1"), Ct))));

        Assert.Single(posted, Posted.Added);
        Assert.Equal(31, posted.Count(one => one == Posted.Again));
        Assert.Single(await _store.InboxAsync(Acme, run.Id, Ct));
    }

    [Fact(Timeout = 120_000)]
    public async Task Different_items_at_once_are_all_there()
    {
        var run = await OwnAsync("run_1");

        var posted = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => _store.PostAsync(Acme, run.Id, i == 7 ? Cancel : Signal($"s{i}"), Ct))));

        Assert.All(posted, one => Assert.Equal(Posted.Added, one));
        Assert.Equal(40, (await _store.InboxAsync(Acme, run.Id, Ct)).Select(item => item.Id).Distinct().Count());
        Assert.True((await ReadAsync(run)).CancelRequested);
    }

    [Fact]
    public async Task Nothing_is_posted_to_a_run_that_is_not_there_or_has_ended()
    {
        Assert.Equal(Posted.NotFound, await _store.PostAsync(Acme, new RunId("run_1"), Signal("s1"), Ct));
        var owned = await OwnAsync("run_1");
        Assert.Equal(Posted.Added, await _store.PostAsync(Acme, owned.Id, Signal("s1"), Ct));
        await _store.AppendAsync(Append(owned, 1, 1) with { Change = Ends() }, Ct);
        var ended = await ReadAsync(owned);

        Assert.Equal(Posted.Ended, await _store.PostAsync(Acme, owned.Id, Signal("s2"), Ct));
        Assert.Equal(Posted.Ended, await _store.PostAsync(Acme, owned.Id, Cancel, Ct));
        // Whoever asks again, because no answer came, is told that it was heard.
        Assert.Equal(Posted.Again, await _store.PostAsync(Acme, owned.Id, Signal("s1"), Ct));

        Assert.Equal(ended, await ReadAsync(owned));
        Assert.Equal([Signal("s1")], await _store.InboxAsync(Acme, owned.Id, Ct));
    }

    [Fact]
    public async Task What_is_folded_leaves_the_inbox_and_stays_known()
    {
        var owned = await OwnAsync("run_1");
        foreach (var id in new[] { "a", "b", "c", "d" }) await _store.PostAsync(Acme, owned.Id, Signal(id), Ct);

        Assert.True(await _store.AppendAsync(Append(owned, 1, 2) with { Folded = ["c", "a"] }, Ct));

        Assert.Equal([Signal("b"), Signal("d")], await _store.InboxAsync(Acme, owned.Id, Ct));
        Assert.Equal(Posted.Again, await _store.PostAsync(Acme, owned.Id, Signal("a"), Ct));
        Assert.Equal(Posted.Added, await _store.PostAsync(Acme, owned.Id, Signal("0"), Ct));
        Assert.Equal(["b", "d", "0"], (await _store.InboxAsync(Acme, owned.Id, Ct)).Select(item => item.Id));
        Assert.True(await _store.AppendAsync(Append(owned, 3, 0) with { Folded = ["b", "d", "0"] }, Ct));
        Assert.True(await _store.AppendAsync(Append(owned, 3, 0) with { Folded = ["b", "d", "0"] }, Ct));
        Assert.Empty(await _store.InboxAsync(Acme, owned.Id, Ct));
        Assert.Equal(Posted.Again, await _store.PostAsync(Acme, owned.Id, Signal("0"), Ct));
    }

    [Fact]
    public async Task As_many_as_an_append_holds_are_folded_at_once()
    {
        var owned = await OwnAsync("run_1");
        var ids = Enumerable.Range(0, RunAppend.MostFolded).Select(i => $"s{i}").ToArray();
        foreach (var id in ids) await _store.PostAsync(Acme, owned.Id, Signal(id), Ct);

        Assert.True(await _store.AppendAsync(Append(owned, 1, RunAppend.MostEntries) with { Folded = ids, Change = Waits() }, Ct));

        Assert.Empty(await _store.InboxAsync(Acme, owned.Id, Ct));
        Assert.Equal(1 + RunAppend.MostEntries, (await JournalAsync(owned)).Length);
        Assert.Null((await ReadAsync(owned)).WakeAt);
    }

    [Fact]
    public async Task What_is_not_in_the_inbox_is_not_folded()
    {
        var owned = await OwnAsync("run_1");
        await _store.PostAsync(Acme, owned.Id, Signal("a"), Ct);
        await _store.PostAsync(Acme, owned.Id, Signal("b"), Ct);
        Assert.True(await _store.AppendAsync(Append(owned, 1, 1) with { Folded = ["a"] }, Ct));
        var head = await ReadAsync(owned);

        Assert.False(await _store.AppendAsync(Append(owned, 2, 1) with { Folded = ["b", "never"] }, Ct));
        Assert.False(await _store.AppendAsync(Append(owned, 2, 1) with { Folded = ["b", "a"], Change = Ends() }, Ct));

        Assert.Equal(head, await ReadAsync(owned));
        Assert.Equal([Signal("b")], await _store.InboxAsync(Acme, owned.Id, Ct));
        Assert.Equal(2, (await JournalAsync(owned)).Length);
    }

    [Fact]
    public async Task An_item_makes_a_run_that_waits_due()
    {
        var owned = await OwnAsync("run_1");
        await _store.AppendAsync(Append(owned, 1, 1) with { Change = Waits() }, Ct);
        Assert.Empty(await _store.OpenAsync(Now.AddYears(1), 10, Ct));
        var waiting = await ReadAsync(owned);

        await _store.PostAsync(Acme, owned.Id, Signal("s1", Now.AddSeconds(5)), Ct);

        Assert.Equal(waiting with { WakeAt = Now.AddSeconds(5) }, await ReadAsync(owned));
        Assert.Equal("run_1", Ids(await _store.OpenAsync(Now.AddSeconds(5), 10, Ct)));
        Assert.Empty(await _store.OpenAsync(Now.AddSeconds(4), 10, Ct));

        // It is never due later for it.
        await _store.PostAsync(Acme, owned.Id, Signal("s2", Now.AddSeconds(9)), Ct);
        Assert.Equal(Now.AddSeconds(5), (await ReadAsync(owned)).WakeAt);
        await _store.PostAsync(Acme, owned.Id, Signal("s3", Now.AddSeconds(3)), Ct);
        Assert.Equal(Now.AddSeconds(3), (await ReadAsync(owned)).WakeAt);
    }

    [Fact]
    public async Task An_item_moves_no_run_that_does_not_wait()
    {
        var owned = await OwnAsync("run_1");
        var queued = await CreateAsync(Run("run_2") with { WakeAt = Now.AddDays(1) });

        await _store.PostAsync(Acme, owned.Id, Signal("s1", Now.AddDays(-9)), Ct);
        await _store.PostAsync(Acme, queued.Id, Signal("s1", Now.AddDays(-9)), Ct);

        Assert.Equal(owned, await ReadAsync(owned));
        Assert.Equal(queued, await ReadAsync(queued));
    }

    [Fact]
    public async Task A_run_that_goes_to_wait_with_items_unread_is_due_at_once()
    {
        var owned = await OwnAsync("run_1");
        await _store.PostAsync(Acme, owned.Id, Signal("a"), Ct);
        await _store.PostAsync(Acme, owned.Id, Signal("b"), Ct);

        Assert.True(await _store.AppendAsync(Append(owned, 1, 1) with { Folded = ["a"], Change = Waits(Now.AddDays(1)) }, Ct));

        Assert.Equal(Now.AddMinutes(1), (await ReadAsync(owned)).WakeAt);
        var again = await _store.AcquireAsync(await ReadAsync(owned), "w2", false, Ct);
        Assert.True(await _store.AppendAsync(Append(again!, 2, 1) with { Folded = ["b"], Change = Waits(Now.AddDays(1)) }, Ct));
        Assert.Equal(Now.AddDays(1), (await ReadAsync(owned)).WakeAt);
    }

    [Fact]
    public async Task A_run_that_waits_for_nothing_but_items_is_due_where_there_are_some()
    {
        var owned = await OwnAsync("run_1");
        await _store.PostAsync(Acme, owned.Id, Signal("a"), Ct);

        Assert.True(await _store.AppendAsync(Append(owned, 1, 0) with { Change = Waits() }, Ct));

        Assert.Equal(Now.AddMinutes(1), (await ReadAsync(owned)).WakeAt);
    }

    [Fact(Timeout = 240_000)]
    public async Task An_item_that_comes_while_a_run_goes_to_wait_is_never_slept_through()
    {
        for (var i = 0; i < 20; i++)
        {
            var owned = await OwnAsync($"run_{i}");

            var posts = Enumerable.Range(0, 3).Select(n => Task.Run(() => _store.PostAsync(Acme, owned.Id, Signal($"s{n}"), Ct)));
            var appended = Task.Run(() => _store.AppendAsync(Append(owned, 1, 1) with { Change = Waits(Now.AddDays(1)) }, Ct));
            var posted = await Task.WhenAll(posts);

            Assert.True(await appended);
            Assert.All(posted, one => Assert.Equal(Posted.Added, one));
            var run = await ReadAsync(owned);
            Assert.Equal(RunStatus.Waiting, run.Status);
            Assert.True(run.WakeAt <= Now.AddMinutes(1), $"It is due at {run.WakeAt}.");
            Assert.Equal(3, (await _store.InboxAsync(Acme, owned.Id, Ct)).Count);
        }
    }

    [Fact(Timeout = 240_000)]
    public async Task An_item_that_comes_while_a_run_ends_is_there_or_refused()
    {
        for (var i = 0; i < 20; i++)
        {
            var owned = await OwnAsync($"run_{i}");

            var post = Task.Run(() => _store.PostAsync(Acme, owned.Id, Cancel, Ct));
            var appended = Task.Run(() => _store.AppendAsync(Append(owned, 1, 1) with { Change = Ends() }, Ct));

            Assert.True(await appended);
            var posted = await post;
            Assert.True(posted is Posted.Added or Posted.Ended);
            Assert.Equal(posted == Posted.Added, (await ReadAsync(owned)).CancelRequested);
            Assert.Equal(posted == Posted.Added ? 1 : 0, (await _store.InboxAsync(Acme, owned.Id, Ct)).Count);
            Assert.Equal(RunStatus.Completed, (await ReadAsync(owned)).Status);
        }
    }

    [Fact]
    public async Task A_cancel_is_shown_to_the_owner_with_its_next_beat()
    {
        var owned = await OwnAsync("run_1");
        Assert.False((await _store.RenewAsync(Acme, owned.Id, 1, Ct))!.CancelRequested);

        Assert.Equal(Posted.Added, await _store.PostAsync(Acme, owned.Id, Cancel, Ct));

        Assert.True((await _store.RenewAsync(Acme, owned.Id, 1, Ct))!.CancelRequested);
        await _store.AppendAsync(Append(owned, 1, 1) with { Folded = ["cancel"] }, Ct);
        Assert.True((await ReadAsync(owned)).CancelRequested);
        Assert.Equal(Posted.Again, await _store.PostAsync(Acme, owned.Id, Cancel, Ct));
    }

    [Fact]
    public async Task Hostile_items_come_back_as_they_went_in_and_are_folded_by_name()
    {
        var owned = await OwnAsync("run_1");
        InboxItem[] items = [.. HostileText.All.Where(text => text.Length < 500).Select(text => new InboxItem($"i{text}", $"k{text}", Now, text)), Signal("large") with { Body = new string('é', JournalEntry.LargestBody / 2) }];
        foreach (var item in items) Assert.Equal(Posted.Added, await _store.PostAsync(Acme, owned.Id, item, Ct));
        Assert.Equal(items, await _store.InboxAsync(Acme, owned.Id, Ct));

        Assert.True(await _store.AppendAsync(Append(owned, 1, 1) with { Folded = [.. items.Select(item => item.Id)] }, Ct));

        Assert.Empty(await _store.InboxAsync(Acme, owned.Id, Ct));
        foreach (var item in items) Assert.Equal(Posted.Again, await _store.PostAsync(Acme, owned.Id, item, Ct));
    }
}
