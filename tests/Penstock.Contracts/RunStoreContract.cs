using Penstock.Agents;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IRunStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract partial class RunStoreContract : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 11, 25, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly TenantId Acme = new("acme");
    private static readonly TenantId Rival = new("rival");

    private IRunStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>An empty store; called once.</summary>
    protected abstract ValueTask<IRunStore> OpenAsync();

    /// <summary>What a process that starts again would have: the same data, and nothing that was in memory.</summary>
    protected abstract ValueTask<IRunStore> ReopenAsync();

    protected abstract ValueTask CloseAsync();

    /// <summary>One process has the whole store, and releases what those before it had.</summary>
    protected virtual bool OwnedByOneProcess => false;

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_run_comes_back_as_it_was_created()
    {
        var run = Full("run_1");

        Assert.True(await _store.CreateAsync(run, Entries(0, 3), Ct));

        Assert.Equal(run with { NextSeq = 3 }, await _store.GetAsync(Acme, run.Id, Ct));
        Assert.Equal(Entries(0, 3), await JournalAsync(run));
    }

    [Fact]
    public async Task What_a_run_does_not_have_is_null()
    {
        var run = Run("run_1") with { WakeAt = null };

        Assert.True(await _store.CreateAsync(run, [], Ct));

        Assert.Equal(run, await _store.GetAsync(Acme, run.Id, Ct));
        Assert.Null(await _store.GetAsync(Acme, new RunId("run_2"), Ct));
        Assert.Empty(await JournalAsync(run));
    }

    [Fact]
    public async Task A_run_may_begin_with_more_entries_than_an_append_holds()
    {
        var run = await CreateAsync(Run("run_1"), 230);

        Assert.Equal(230, run.NextSeq);
        Assert.Equal(Entries(0, 230), await JournalAsync(run));
    }

    [Fact]
    public async Task A_run_is_created_once_and_never_changed_by_another()
    {
        var first = await CreateAsync(Full("run_1"), 2);

        Assert.False(await _store.CreateAsync(Run("run_1") with { Agent = "other" }, Entries(0, 40, "other"), Ct));

        Assert.Equal(first, await _store.GetAsync(Acme, first.Id, Ct));
        Assert.Equal(Entries(0, 2), await JournalAsync(first));
    }

    [Fact]
    public async Task Of_many_creators_at_once_one_wins_and_the_journal_is_wholly_its_own()
    {
        var created = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => Task.Run(() =>
            _store.CreateAsync(Run("run_1") with { Agent = $"agent-{i}" }, Entries(0, 1 + i % 5, $"agent-{i}"), Ct))));

        var winner = Assert.Single(Enumerable.Range(0, 24), i => created[i]);
        var run = await _store.GetAsync(Acme, new RunId("run_1"), Ct);
        Assert.Equal(($"agent-{winner}", 1 + winner % 5), (run!.Agent, (int)run.NextSeq));
        Assert.Equal(Entries(0, 1 + winner % 5, $"agent-{winner}"), await JournalAsync(run));
    }

    [Fact]
    public async Task Entries_that_are_no_beginning_of_a_journal_are_refused()
    {
        foreach (var entries in new[] { Entries(1, 2), [.. Entries(0, 2), .. Entries(3, 1)], [.. Entries(0, 1), .. Entries(0, 1)], [TooLarge(0)] })
        {
            await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.CreateAsync(Run("run_1"), entries, Ct));
        }

        Assert.Null(await _store.GetAsync(Acme, new RunId("run_1"), Ct));
    }

    [Fact]
    public async Task Hostile_texts_come_back_as_they_went_in()
    {
        var texts = HostileText.All;
        for (var i = 0; i < texts.Count; i++)
        {
            var text = texts[i];
            var run = Full($"run_{i}") with { Project = new ProjectId($"p{Short(text)}"), Agent = $"a{Short(text)}", Version = text, Hash = text, Conversation = text, EndUser = text, Path = text, Error = text, WaitsFor = text };
            var entry = new JournalEntry(0, $"k{Short(text)}", Now, 0, text);
            Assert.True(await _store.CreateAsync(run, [entry], Ct));

            Assert.Equal(run with { NextSeq = 1 }, await _store.GetAsync(Acme, run.Id, Ct));
            Assert.Equal([entry], await JournalAsync(run));
        }

        Assert.Equal(texts.Count, (await _store.ListAsync(Acme, new RunQuery { Limit = 1_000 }, Ct)).Count);
    }

    [Fact]
    public async Task Hostile_ids_name_only_themselves()
    {
        var ids = HostileText.All.Where(text => text.Length is > 0 and < 500).ToList();
        foreach (var id in ids) await CreateAsync(Run(id) with { Tenant = new TenantId($"t-{id}"), Agent = "a" + id, WakeAt = null });

        foreach (var id in ids)
        {
            var tenant = new TenantId($"t-{id}");
            Assert.Equal("a" + id, (await _store.GetAsync(tenant, new RunId(id), Ct))?.Agent);
            Assert.Equal(id, Assert.Single(await _store.ListAsync(tenant, new RunQuery { Limit = 10 }, Ct)).Id.Value);
            Assert.Single(await _store.JournalAsync(tenant, new RunId(id), 0, 10, Ct));
        }
    }

    [Fact]
    public async Task Ids_that_run_together_are_kept_apart()
    {
        foreach (var between in new[] { "#", "/", "|", ":", "\0", "\u001f", "%", "~" })
        {
            var (one, two) = (Run($"b{between}c") with { Tenant = new TenantId("a") }, Run("c") with { Tenant = new TenantId($"a{between}b") });
            await CreateAsync(one, 1);
            await CreateAsync(two, 2);

            Assert.Single(await _store.JournalAsync(one.Tenant, one.Id, 0, 10, Ct));
            Assert.Equal(2, (await _store.JournalAsync(two.Tenant, two.Id, 0, 10, Ct)).Count);
            Assert.Equal(1, (await _store.GetAsync(one.Tenant, one.Id, Ct))!.NextSeq);
        }
    }

    [Fact]
    public async Task Text_that_is_not_valid_is_refused_and_nothing_is_stored()
    {
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.CreateAsync(Run("run_1") with { EndUser = HostileText.Invalid }, Entries(0, 1), Ct));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.CreateAsync(Run("run_1"), [Entry(0) with { Body = HostileText.Invalid }], Ct));
        Assert.Null(await _store.GetAsync(Acme, new RunId("run_1"), Ct));

        var run = await OwnAsync("run_1");
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.AppendAsync(Append(run, 1, Entry(1) with { Epoch = 1 }, Entry(2) with { Epoch = 1, Body = HostileText.Invalid }), Ct));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.PostAsync(Acme, run.Id, new InboxItem("i", "signal", Now, HostileText.Invalid), Ct));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.AddChunksAsync(Acme, run.Id, 1, [new RunChunk(1, 1, Now, HostileText.Invalid)], Ct));
        Assert.Equal(run, await _store.GetAsync(Acme, run.Id, Ct));
        Assert.Single(await JournalAsync(run));
    }

    [Fact]
    public async Task Bodies_of_the_largest_size_come_back_and_larger_ones_are_refused()
    {
        string[] largest = [new('x', JournalEntry.LargestBody), string.Concat(Enumerable.Repeat("🦀", JournalEntry.LargestBody / 4)), string.Concat(Enumerable.Repeat("€", JournalEntry.LargestBody / 3)), new('\u0001', JournalEntry.LargestBody)];
        var first = largest.Select((body, i) => Entry(i) with { Body = body }).ToArray();
        var run = Run("run_1");
        Assert.True(await _store.CreateAsync(run, first, Ct));
        Assert.Equal(first, await JournalAsync(run));
        run = await _store.AcquireAsync((await _store.GetAsync(Acme, run.Id, Ct))!, "w1", false, Ct);

        // As large as an append can be.
        var many = Enumerable.Range(0, RunAppend.MostEntries).Select(i => Entry(4 + i) with { Epoch = 1, Body = new string((char)('a' + i), RunAppend.LargestBodies / RunAppend.MostEntries) }).ToArray();
        Assert.True(await _store.AppendAsync(Append(run!, 4, many), Ct));
        Assert.True(await _store.AppendAsync(Append(run!, 4, many), Ct));
        Assert.Equal(many, (await JournalAsync(run!))[4..]);

        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.AppendAsync(Append(run!, 29, TooLarge(29) with { Epoch = 1 }), Ct));
        Assert.Equal(29, (await _store.GetAsync(Acme, run!.Id, Ct))!.NextSeq);
    }

    [Fact]
    public async Task Times_are_kept_to_the_millisecond_wherever_they_are_from()
    {
        var odd = Now.AddTicks(4_567).ToOffset(TimeSpan.FromHours(9));
        var run = Run("run_1") with { CreatedAt = odd, WakeAt = odd.AddDays(-1) };
        await _store.CreateAsync(run, [Entry(0) with { At = odd }], Ct);

        var kept = (await _store.GetAsync(Acme, run.Id, Ct))!;

        Assert.Equal((Now, Now.AddDays(-1)), (kept.CreatedAt, kept.WakeAt));
        Assert.Equal(Now, (await JournalAsync(run)).Single().At);
        // What is read can be given back as the cursor it is.
        Assert.Empty(await _store.ListAsync(Acme, new RunQuery { Limit = 10, After = (kept.CreatedAt, kept.Id) }, Ct));
    }

    [Fact]
    public async Task A_journal_is_read_in_pieces()
    {
        var run = await CreateAsync(Run("run_1"), 10);
        await CreateAsync(Run("run_10"), 4);

        Assert.Equal(Entries(3, 4), await _store.JournalAsync(Acme, run.Id, 3, 4, Ct));
        Assert.Equal(Entries(8, 2), await _store.JournalAsync(Acme, run.Id, 8, 100, Ct));
        Assert.Empty(await _store.JournalAsync(Acme, run.Id, 10, 100, Ct));
        Assert.Empty(await _store.JournalAsync(Acme, new RunId("run_"), 0, 100, Ct));
    }

    [Fact]
    public async Task A_long_journal_is_in_the_order_of_its_numbers()
    {
        var run = await OwnAsync("run_1");
        for (var seq = 1L; seq < 1_101; seq += RunAppend.MostEntries) Assert.True(await _store.AppendAsync(Append(run, seq, RunAppend.MostEntries), Ct));

        Assert.Equal(Enumerable.Range(0, 1_101).Select(seq => (long)seq), (await JournalAsync(run)).Select(entry => entry.Seq));
        Assert.Equal(1_101, (await _store.GetAsync(Acme, run.Id, Ct))!.NextSeq);
    }

    [Fact]
    public async Task What_was_written_is_there_for_a_process_that_starts_again()
    {
        var run = await OwnAsync("run_1");
        await _store.AppendAsync(Append(run, 1, 3), Ct);
        await _store.PostAsync(Acme, run.Id, Signal("s1"), Ct);
        await _store.PostAsync(Acme, run.Id, Signal("s2"), Ct);
        await _store.AppendAsync(Append(run, 4, 1) with { Folded = ["s1"] }, Ct);
        await _store.AddChunksAsync(Acme, run.Id, 1, [new RunChunk(5, 1, Now, "{}")], Ct);
        run = (await _store.GetAsync(Acme, run.Id, Ct))!;
        var journal = await JournalAsync(run);

        _store = await ReopenAsync();

        Assert.Equal(run, await _store.GetAsync(Acme, run.Id, Ct));
        Assert.Equal(journal, await JournalAsync(run));
        Assert.Equal([Signal("s2")], await _store.InboxAsync(Acme, run.Id, Ct));
        Assert.Equal(Posted.Again, await _store.PostAsync(Acme, run.Id, Signal("s1"), Ct));
        Assert.Single(await _store.ChunksAsync(Acme, run.Id, 0, 0, 10, 10, Ct));
        Assert.True(await _store.AppendAsync(Append(run, 5, 1), Ct));
    }

    [Fact]
    public async Task Nothing_crosses_a_tenant()
    {
        var run = await OwnAsync("run_1");
        await _store.PostAsync(Acme, run.Id, Signal("s1"), Ct);
        await _store.AddChunksAsync(Acme, run.Id, 1, [new RunChunk(1, 1, Now, "{}")], Ct);
        await CreateAsync(Run("child") with { Parent = run.Id });
        run = (await _store.GetAsync(Acme, run.Id, Ct))!;

        Assert.Null(await _store.GetAsync(Rival, run.Id, Ct));
        Assert.Empty(await _store.ListAsync(Rival, new RunQuery { Limit = 10 }, Ct));
        Assert.Empty(await _store.ChildrenAsync(Rival, run.Id, Ct));
        Assert.Null(await _store.AcquireAsync(run with { Tenant = Rival }, "w9", true, Ct));
        Assert.Null(await _store.RenewAsync(Rival, run.Id, 1, Ct));
        Assert.False(await _store.AppendAsync(Append(run, 1, 1) with { Tenant = Rival }, Ct));
        Assert.False(await _store.AppendAsync(Append(run, 1, 0) with { Tenant = Rival, Change = Ends() }, Ct));
        Assert.Empty(await _store.JournalAsync(Rival, run.Id, 0, 10, Ct));
        Assert.Equal(Posted.NotFound, await _store.PostAsync(Rival, run.Id, Cancel, Ct));
        Assert.Empty(await _store.InboxAsync(Rival, run.Id, Ct));
        Assert.False(await _store.AddChunksAsync(Rival, run.Id, 1, [new RunChunk(1, 2, Now, "{}")], Ct));
        Assert.Empty(await _store.ChunksAsync(Rival, run.Id, 0, 0, 10, 10, Ct));
        Assert.False(await _store.RedriveAsync(Rival, run.Id, Now, Ct));
        Assert.Equal(run, await _store.GetAsync(Acme, run.Id, Ct));
        Assert.Single(await JournalAsync(run));
    }

    [Fact]
    public async Task The_same_id_in_two_tenants_is_two_runs()
    {
        var ours = await OwnAsync("run_1");
        var theirs = await CreateAsync(Run("run_1") with { Tenant = Rival, Agent = "theirs", WakeAt = Now.AddDays(1) }, 2);

        Assert.True(await _store.AppendAsync(Append(ours, 1, 5) with { Change = Ends() }, Ct));

        Assert.Equal(theirs, await _store.GetAsync(Rival, theirs.Id, Ct));
        Assert.Equal(2, (await _store.JournalAsync(Rival, theirs.Id, 0, 10, Ct)).Count);
        Assert.Equal(Posted.Added, await _store.PostAsync(Rival, theirs.Id, Cancel, Ct));
        Assert.Equal(Posted.Ended, await _store.PostAsync(Acme, ours.Id, Cancel, Ct));
    }

    private async Task<JournalEntry[]> JournalAsync(RunRecord run) => [.. await _store.JournalAsync(run.Tenant, run.Id, 0, 10_000, Ct)];

    private async Task<RunRecord> ReadAsync(RunRecord run) => (await _store.GetAsync(run.Tenant, run.Id, Ct))!;

    private async Task<RunRecord> CreateAsync(RunRecord run, int entries = 1)
    {
        Assert.True(await _store.CreateAsync(run, Entries(0, entries), Ct));
        return await ReadAsync(run);
    }

    /// <summary>A run with one entry that worker <c>w1</c> has in epoch 1.</summary>
    private async Task<RunRecord> OwnAsync(string id)
    {
        var owned = await _store.AcquireAsync(await CreateAsync(Run(id)), "w1", false, Ct);
        Assert.NotNull(owned);
        return owned;
    }

    private static RunRecord Run(string id) => new()
    {
        Tenant = Acme,
        Id = new RunId(id),
        Project = ProjectId.Default,
        Key = new KeyId("key-1"),
        Agent = "research",
        Version = "1.0.0",
        Hash = "hash",
        Path = id,
        Limit = new Money(500_000_000),
        CreatedAt = Now,
        WakeAt = Now,
    };

    /// <summary>With a value of its own in each place that can have one.</summary>
    private static RunRecord Full(string id) => Run(id) with
    {
        Project = new ProjectId("p"),
        Key = new KeyId("k"),
        Conversation = "c",
        EndUser = "u",
        Parent = new RunId("run_0"),
        Path = $"run_0/{id}",
        Limit = new Money(long.MaxValue),
        CreatedAt = Now.AddMilliseconds(1),
        Status = RunStatus.Waiting,
        EndedAt = Now.AddMilliseconds(2),
        Error = "error",
        WaitsFor = "approval",
        WakeAt = Now.AddMilliseconds(3),
        Epoch = 4,
        Owner = "owner",
        Beat = 5,
        Steps = 6,
        Crashes = 7,
        CancelRequested = true,
    };

    private static JournalEntry Entry(long seq, string text = "text") => new(seq, "model.result", Now.AddMilliseconds(seq), 0, $$"""{"text":"{{text}} {{seq}}"}""");

    private static JournalEntry[] Entries(long from, int count, string text = "text") => [.. Enumerable.Range(0, count).Select(i => Entry(from + i, text))];

    private static JournalEntry TooLarge(long seq) => Entry(seq) with { Body = new string('x', JournalEntry.LargestBody - 1) + "é" };

    private static RunAppend Append(RunRecord run, long seq, params JournalEntry[] entries) =>
        new() { Tenant = run.Tenant, Run = run.Id, Epoch = run.Epoch, Seq = seq, Entries = entries };

    private static RunAppend Append(RunRecord run, long seq, int count, string text = "text") =>
        Append(run, seq, [.. Entries(seq, count, text).Select(entry => entry with { Epoch = run.Epoch })]);

    private static RunChange Ends(RunStatus status = RunStatus.Completed, DateTimeOffset? at = null) => new() { Status = status, EndedAt = at ?? Now, Steps = 1, Now = at ?? Now };

    private static RunChange Waits(DateTimeOffset? until = null) => new() { Status = RunStatus.Waiting, WakeAt = until, WaitsFor = "approval", Steps = 2, Now = Now.AddMinutes(1) };

    private static InboxItem Signal(string id, DateTimeOffset? at = null) => new(id, "signal", at ?? Now, """{"name":"n"}""");

    private static InboxItem Cancel => new("cancel", "cancel", Now, """{"by":"key-1"}""");

    private static string Short(string text) => text.Length < 200 ? text : text[..200];
}
