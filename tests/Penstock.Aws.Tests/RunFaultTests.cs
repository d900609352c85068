using Penstock.Agents;
using Penstock.Aws.DynamoDb;
using Penstock.Aws.DynamoDb.Agents;
using Penstock.Contracts;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>Each fault alone, on writes of a run's owner that are there once all the same; and what others do between this node's reads and its writes.</summary>
public sealed class RunFaultTests(Emulator emulator) : IAsyncLifetime
{
    private static readonly TenantId Acme = new("acme");
    private static readonly RunId Id = new("run_1");
    private static readonly DateTimeOffset Now = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);

    private DynamoOptions _options = null!;
    private DynamoDatabase _database = null!;
    private DynamoRunStore _plain = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _options = emulator.NewOptions();
        _database = Emulator.Connect(_options);
        await _database.Tables.EnsureAsync(_database.Client, _database.Time, Ct);
        _plain = new DynamoRunStore(_database);
    }

    public ValueTask DisposeAsync()
    {
        _database.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(Fault.Throttled)]
    [InlineData(Fault.ThroughputExceeded)]
    [InlineData(Fault.Conflict)]
    [InlineData(Fault.AnswerLost)]
    [InlineData(Fault.ConnectionLost)]
    internal async Task An_append_is_there_once_and_true_whatever_happens_to_the_write(Fault fault)
    {
        var owned = await OwnAsync();
        await _plain.PostAsync(Acme, Id, Signal("s1"), Ct);
        var faults = FaultyHttp.First("TransactWriteItems", fault, 3);
        using var database = Emulator.Connect(_options, faults);

        Assert.True(await new DynamoRunStore(database).AppendAsync(Append(owned, 1, 3) with { Folded = ["s1"] }, Ct));

        Assert.Equal(3, faults.Made[fault]);
        await IsWholeAsync(4);
        Assert.Empty(await _plain.InboxAsync(Acme, Id, Ct));
    }

    [Fact]
    public async Task An_append_that_was_written_and_never_answered_is_true()
    {
        var owned = await OwnAsync();
        using var database = Emulator.Connect(_options, new FaultyHttp(operation => operation == "TransactWriteItems" ? Fault.AnswerLost : null));
        var store = new DynamoRunStore(database);

        Assert.True(await store.AppendAsync(Append(owned, 1, 2), Ct));
        Assert.True(await store.AppendAsync(Append(owned, 3, 0) with { Change = Ends() }, Ct));

        await IsWholeAsync(3);
        Assert.Equal(RunStatus.Completed, (await _plain.GetAsync(Acme, Id, Ct))!.Status);
    }

    [Fact]
    public async Task An_append_that_was_never_written_is_an_error_and_changes_nothing()
    {
        var owned = await OwnAsync();
        using var database = Emulator.Connect(_options, new FaultyHttp(operation => operation == "TransactWriteItems" ? Fault.Conflict : null));

        await Assert.ThrowsAsync<DynamoBusyException>(() => new DynamoRunStore(database).AppendAsync(Append(owned, 1, 2), Ct));

        Assert.Equal(owned, await _plain.GetAsync(Acme, Id, Ct));
        await IsWholeAsync(1);
    }

    [Fact]
    public async Task An_append_whose_answer_was_lost_is_true_though_another_took_the_run_and_went_on()
    {
        var owned = await OwnAsync();
        FaultyHttp faults = null!;
        var first = true;
        faults = new FaultyHttp(operation =>
        {
            if (operation != "TransactWriteItems" || !first) return null;
            first = false;
            faults.BeforeNextTransaction(async () =>
            {
                var taken = await _plain.AcquireAsync((await _plain.GetAsync(Acme, Id, Ct))!, "w2", true, Ct);
                Assert.True(await _plain.AppendAsync(Append(taken!, 3, 1), Ct));
            });
            return Fault.AnswerLost;
        });
        using var database = Emulator.Connect(_options, faults);
        var store = new DynamoRunStore(database);

        Assert.True(await store.AppendAsync(Append(owned, 1, 2), Ct));
        Assert.False(await store.AppendAsync(Append(owned, 3, 1), Ct));

        await IsWholeAsync(4);
    }

    [Fact]
    public async Task An_owner_that_is_overtaken_before_its_write_comes_changes_nothing()
    {
        var owned = await OwnAsync();
        var http = new FaultyHttp(_ => null);
        using var database = Emulator.Connect(_options, http);
        http.BeforeNextTransaction(async () => Assert.NotNull(await _plain.AcquireAsync(owned, "w2", true, Ct)));

        Assert.False(await new DynamoRunStore(database).AppendAsync(Append(owned, 1, 2) with { Change = Ends() }, Ct));

        Assert.Equal(("w2", RunStatus.Running), ((await _plain.GetAsync(Acme, Id, Ct))!.Owner, (await _plain.GetAsync(Acme, Id, Ct))!.Status));
        await IsWholeAsync(1);
    }

    [Fact]
    public async Task An_item_that_comes_between_a_look_at_the_inbox_and_the_wait_wakes_the_run()
    {
        var owned = await OwnAsync();
        var http = new FaultyHttp(_ => null);
        using var database = Emulator.Connect(_options, http);
        http.BeforeNextTransaction(async () => Assert.Equal(Posted.Added, await _plain.PostAsync(Acme, Id, Signal("s1"), Ct)));

        Assert.True(await new DynamoRunStore(database).AppendAsync(Append(owned, 1, 1) with { Change = Waits() }, Ct));

        Assert.Equal(Now.AddMinutes(1), (await _plain.GetAsync(Acme, Id, Ct))!.WakeAt);
        Assert.Single(await _plain.OpenAsync(Now.AddMinutes(1), 10, Ct));
    }

    [Fact]
    public async Task A_run_that_goes_to_wait_between_a_look_at_it_and_its_item_is_woken()
    {
        var owned = await OwnAsync();
        var http = new FaultyHttp(_ => null);
        using var database = Emulator.Connect(_options, http);
        http.BeforeNextTransaction(async () => Assert.True(await _plain.AppendAsync(Append(owned, 1, 1) with { Change = Waits() }, Ct)));

        Assert.Equal(Posted.Added, await new DynamoRunStore(database).PostAsync(Acme, Id, Signal("s1"), Ct));

        Assert.Equal(Now, (await _plain.GetAsync(Acme, Id, Ct))!.WakeAt);
    }

    [Fact]
    public async Task Items_that_two_nodes_add_at_once_are_both_counted_and_in_their_order()
    {
        var owned = await OwnAsync();
        var http = new FaultyHttp(_ => null);
        using var database = Emulator.Connect(_options, http);
        http.BeforeNextTransaction(async () => Assert.Equal(Posted.Added, await _plain.PostAsync(Acme, Id, Signal("z"), Ct)));

        Assert.Equal(Posted.Added, await new DynamoRunStore(database).PostAsync(Acme, Id, Signal("a"), Ct));

        Assert.Equal(["z", "a"], (await _plain.InboxAsync(Acme, Id, Ct)).Select(item => item.Id));
        Assert.True(await _plain.AppendAsync(Append(owned, 1, 1) with { Folded = ["z"], Change = Waits() }, Ct));
        Assert.Equal(Now.AddMinutes(1), (await _plain.GetAsync(Acme, Id, Ct))!.WakeAt);
    }

    [Theory]
    [InlineData(Fault.Conflict)]
    [InlineData(Fault.AnswerLost)]
    internal async Task An_item_is_added_once_and_said_to_be(Fault fault)
    {
        await OwnAsync();
        using var database = Emulator.Connect(_options, FaultyHttp.First("TransactWriteItems", fault, 2));
        var store = new DynamoRunStore(database);

        Assert.Equal(Posted.Added, await store.PostAsync(Acme, Id, Signal("s1"), Ct));
        Assert.Equal(Posted.Again, await store.PostAsync(Acme, Id, Signal("s1"), Ct));

        Assert.Single(await _plain.InboxAsync(Acme, Id, Ct));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(int.MaxValue)]
    public async Task A_run_is_made_acquired_renewed_posted_to_and_sent_on_once_though_answers_are_lost(int times)
    {
        FaultyHttp Lost(string operation) => FaultyHttp.First(operation, Fault.AnswerLost, times);
        async Task<T> On<T>(FaultyHttp http, Func<DynamoRunStore, Task<T>> ask)
        {
            using var database = Emulator.Connect(_options, http);
            return await ask(new DynamoRunStore(database));
        }

        Assert.True(await On(Lost("TransactWriteItems"), store => store.CreateAsync(Run, [Entry(0)], Ct)));
        var owned = await On(Lost("UpdateItem"), store => store.AcquireAsync(Run, "w1", true, Ct));
        Assert.Equal((1, "w1", 1), (owned!.Epoch, owned.Owner, owned.Crashes));
        Assert.Equal(1, (await On(Lost("UpdateItem"), store => store.RenewAsync(Acme, Id, 1, Ct)))!.Beat);
        Assert.Equal(Posted.Added, await On(Lost("TransactWriteItems"), store => store.PostAsync(Acme, Id, Signal("s1"), Ct)));
        Assert.True(await On(Lost("TransactWriteItems"), store => store.AppendAsync(Append(owned, 1, 0) with { Change = Ends(RunStatus.Dead) }, Ct)));
        Assert.True(await On(Lost("UpdateItem"), store => store.RedriveAsync(Acme, Id, Now, Ct)));

        var run = await _plain.GetAsync(Acme, Id, Ct);
        Assert.Equal((1, 1, RunStatus.Queued, 0), (run!.Epoch, run.Beat, run.Status, run.Crashes));
        Assert.Single(await _plain.InboxAsync(Acme, Id, Ct));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(int.MaxValue)]
    public async Task What_a_run_said_is_added_once_and_said_to_be_though_answers_are_lost(int times)
    {
        var thread = new ThreadId(Acme, ProjectId.Default, "c");
        using var database = Emulator.Connect(_options, FaultyHttp.First("TransactWriteItems", Fault.AnswerLost, times));

        Assert.True(await new DynamoMemoryStore(database).AddMessagesAsync(thread, Id, [new ThreadMessage("user", "hello", Now)], Ct));

        var plain = new DynamoMemoryStore(_database);
        Assert.False(await plain.AddMessagesAsync(thread, Id, [new ThreadMessage("user", "hello", Now)], Ct));
        Assert.Single(await plain.MessagesAsync(thread, 10, Ct));
    }

    [Theory]
    [InlineData(Fault.AnswerLost)]
    [InlineData(Fault.Throttled)]
    internal async Task A_run_with_many_entries_is_made_wholly(Fault fault)
    {
        var first = Enumerable.Range(0, 40).Select(i => Entry(i) with { Body = new string('x', 100_000) }).ToArray();
        var calls = 0;
        using var database = Emulator.Connect(_options, new FaultyHttp(operation => operation is "TransactWriteItems" or "PutItem" && ++calls % 3 == 1 ? fault : null));

        Assert.True(await new DynamoRunStore(database).CreateAsync(Run, first, Ct));

        Assert.Equal(first, await _plain.JournalAsync(Acme, Id, 0, 100, Ct));
        Assert.Equal(40, (await _plain.GetAsync(Acme, Id, Ct))!.NextSeq);
    }

    [Fact]
    public async Task What_a_maker_that_died_left_is_seen_by_nobody_and_swept()
    {
        var first = Enumerable.Range(0, 120).Select(i => Entry(i)).ToArray();
        using var dying = Emulator.Connect(_options, new FaultyHttp(operation => operation == "TransactWriteItems" ? Fault.Throttled : null));
        await Assert.ThrowsAsync<DynamoBusyException>(() => new DynamoRunStore(dying).CreateAsync(Run, first, Ct));

        Assert.Null(await _plain.GetAsync(Acme, Id, Ct));
        Assert.Empty(await _plain.JournalAsync(Acme, Id, 0, 1_000, Ct));
        Assert.Equal(121, await CountAsync());
        Assert.True(await _plain.CreateAsync(Run, first, Ct));
        await _plain.SweepAsync(Now, Now, null, Ct);
        Assert.Equal(121 + 122, await CountAsync());

        using var tomorrow = Emulator.Connect(_options, ahead: TimeSpan.FromHours(25));
        await new DynamoRunStore(tomorrow).SweepAsync(Now, Now, null, Ct);

        Assert.Equal(122, await CountAsync());
        Assert.Equal(first, await _plain.JournalAsync(Acme, Id, 0, 1_000, Ct));
    }

    [Fact]
    public async Task A_sweep_that_died_half_way_shows_nobody_a_part_and_is_finished_by_the_next()
    {
        var owned = await OwnAsync();
        await _plain.PostAsync(Acme, Id, Signal("s1"), Ct);
        await _plain.AddChunksAsync(Acme, Id, 1, [new RunChunk(1, 1, Now, "{}")], Ct);
        await _plain.AppendAsync(Append(owned, 1, 3) with { Change = Ends(RunStatus.Dead) }, Ct);
        var batches = 0;
        using var dying = Emulator.Connect(_options, new FaultyHttp(operation => operation == "BatchWriteItem" && ++batches > 1 ? Fault.Throttled : null));

        await Assert.ThrowsAsync<DynamoBusyException>(() => new DynamoRunStore(dying).SweepAsync(DateTimeOffset.UnixEpoch, Now.AddDays(1), null, Ct));

        Assert.Null(await _plain.GetAsync(Acme, Id, Ct));
        Assert.Empty(await _plain.ListAsync(Acme, new RunQuery { Limit = 10 }, Ct));
        Assert.False(await _plain.RedriveAsync(Acme, Id, Now, Ct));
        Assert.Equal(1, await _plain.SweepAsync(DateTimeOffset.UnixEpoch, Now.AddDays(1), null, Ct));
        Assert.Equal(0, await CountAsync());
    }

    private async Task<int> CountAsync() => (await _database.ScanAsync(_database.Tables.Runs, Ct)).Count;

    /// <summary>So many entries, in order and without a gap, and the head knows how many.</summary>
    private async Task IsWholeAsync(int entries)
    {
        Assert.Equal(Enumerable.Range(0, entries).Select(seq => (long)seq), (await _plain.JournalAsync(Acme, Id, 0, 1_000, Ct)).Select(entry => entry.Seq));
        Assert.Equal(entries, (await _plain.GetAsync(Acme, Id, Ct))!.NextSeq);
    }

    private async Task<RunRecord> OwnAsync()
    {
        Assert.True(await _plain.CreateAsync(Run, [Entry(0)], Ct));
        return (await _plain.AcquireAsync(Run, "w1", false, Ct))!;
    }

    private static RunRecord Run => new()
    {
        Tenant = Acme,
        Id = Id,
        Project = ProjectId.Default,
        Key = new KeyId("k1"),
        Agent = "research",
        Version = "1",
        Hash = "hash",
        Path = Id.Value,
        Limit = new Money(1),
        CreatedAt = Now,
        WakeAt = Now,
    };

    private static JournalEntry Entry(long seq) => new(seq, "model.result", Now, 0, $$"""{"op":{{seq}}}""");

    private static RunAppend Append(RunRecord run, long seq, int count) => new()
    {
        Tenant = Acme,
        Run = run.Id,
        Epoch = run.Epoch,
        Seq = seq,
        Entries = [.. Enumerable.Range(0, count).Select(i => Entry(seq + i) with { Epoch = run.Epoch })],
    };

    private static RunChange Ends(RunStatus status = RunStatus.Completed) => new() { Status = status, EndedAt = Now, Steps = 1, Now = Now };

    private static RunChange Waits() => new() { Status = RunStatus.Waiting, Steps = 1, Now = Now.AddMinutes(1) };

    private static InboxItem Signal(string id) => new(id, "signal", Now, "{}");
}

/// <summary>The whole suites, with a fault on every eighth call.</summary>
public sealed class FaultyRunStoreTests(Emulator emulator) : RunStoreContract
{
    private readonly OpenedTables _tables = new(emulator, FaultyHttp.Random(4, oneIn: 8));

    protected override bool LosesAnswers => true;

    protected override async ValueTask<IRunStore> OpenAsync() => new DynamoRunStore(await _tables.OpenAsync());

    protected override ValueTask<IRunStore> ReopenAsync() => ValueTask.FromResult<IRunStore>(new DynamoRunStore(_tables.Database));

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class FaultyMemoryStoreTests(Emulator emulator) : MemoryStoreContract
{
    private readonly OpenedTables _tables = new(emulator, FaultyHttp.Random(5, oneIn: 8));

    protected override async ValueTask<IMemoryStore> OpenAsync() => new DynamoMemoryStore(await _tables.OpenAsync());

    protected override ValueTask<IMemoryStore> ReopenAsync() => ValueTask.FromResult<IMemoryStore>(new DynamoMemoryStore(_tables.Database));

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}
