using Penstock.Agents;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IMemoryStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract class MemoryStoreContract : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 11, 25, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly TenantId Acme = new("acme");
    private static readonly ThreadId Thread = new(Acme, ProjectId.Default, "c-1");
    private static readonly MemoryOwner Ada = new(Acme, ProjectId.Default, "ada");
    private static readonly string[] Separators = ["#", "/", "|", ":", "\0", "\u001f", "%", "~"];

    private IMemoryStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>An empty store; called once.</summary>
    protected abstract ValueTask<IMemoryStore> OpenAsync();

    /// <summary>What a process that starts again would have: the same data, and nothing that was in memory.</summary>
    protected abstract ValueTask<IMemoryStore> ReopenAsync();

    protected abstract ValueTask CloseAsync();

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Messages_come_back_oldest_first_and_the_latest_where_there_are_more()
    {
        Assert.Empty(await MessagesAsync());
        for (var i = 0; i < 7; i++) Assert.True(await _store.AddMessagesAsync(Thread, new RunId($"run_{9 - i}"), Exchange(i), Ct));

        Assert.Equal(Enumerable.Range(0, 7).SelectMany(Exchange), await MessagesAsync());
        Assert.Equal([Exchange(5)[1], .. Exchange(6)], await MessagesAsync(3));
        Assert.Empty(await MessagesAsync(0));
    }

    [Fact]
    public async Task The_order_is_that_of_the_calls_whatever_the_times_say()
    {
        await _store.AddMessagesAsync(Thread, new RunId("run_1"), [new("user", "first", Now.AddDays(1))], Ct);
        await _store.AddMessagesAsync(Thread, new RunId("run_2"), [new("user", "second", Now)], Ct);

        Assert.Equal(["first", "second"], (await MessagesAsync()).Select(message => message.Text));
    }

    [Fact]
    public async Task What_a_run_said_is_added_once()
    {
        Assert.True(await _store.AddMessagesAsync(Thread, new RunId("run_1"), Exchange(1), Ct));
        Assert.True(await _store.AddMessagesAsync(Thread, new RunId("run_2"), Exchange(2), Ct));

        Assert.False(await _store.AddMessagesAsync(Thread, new RunId("run_1"), Exchange(1), Ct));
        Assert.False(await _store.AddMessagesAsync(Thread, new RunId("run_1"), Exchange(3), Ct));

        Assert.Equal([.. Exchange(1), .. Exchange(2)], await MessagesAsync());
        Assert.True(await _store.AddMessagesAsync(Thread with { Conversation = "c-2" }, new RunId("run_1"), Exchange(1), Ct));
    }

    [Fact(Timeout = 120_000)]
    public async Task What_many_runs_say_at_once_is_all_there_and_each_in_one_piece()
    {
        var added = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => Task.Run(() => _store.AddMessagesAsync(Thread, new RunId($"run_{i / 2}"), Exchange(i / 2), Ct))));

        Assert.Equal(12, added.Count(one => one));
        var messages = await MessagesAsync();
        Assert.Equal(24, messages.Count);
        Assert.Equal(Enumerable.Range(0, 12), messages.Chunk(2).Select(pair => Assert.Single(Enumerable.Range(0, 12), i => pair.SequenceEqual(Exchange(i)))).Order());
    }

    [Fact]
    public async Task A_thread_is_forgotten_and_begins_anew()
    {
        await _store.AddMessagesAsync(Thread, new RunId("run_1"), Exchange(1), Ct);
        await _store.AddMessagesAsync(Thread, new RunId("run_2"), Exchange(2), Ct);
        var other = Thread with { Conversation = "c-11" };
        await _store.AddMessagesAsync(other, new RunId("run_1"), Exchange(1), Ct);

        Assert.Equal(4, await _store.ForgetThreadAsync(Thread, Ct));
        Assert.Equal(0, await _store.ForgetThreadAsync(Thread, Ct));

        Assert.Empty(await MessagesAsync());
        Assert.Equal(Exchange(1), await _store.MessagesAsync(other, 100, Ct));
        Assert.True(await _store.AddMessagesAsync(Thread, new RunId("run_3"), Exchange(3), Ct));
        Assert.Equal(Exchange(3), await MessagesAsync());
    }

    [Fact]
    public async Task A_long_thread_is_forgotten_wholly()
    {
        for (var i = 0; i < 40; i++) await _store.AddMessagesAsync(Thread, new RunId($"run_{i}"), [.. Exchange(i), .. Exchange(i)], Ct);

        Assert.Equal(160, (await MessagesAsync(1_000)).Count);
        Assert.Equal(160, await _store.ForgetThreadAsync(Thread, Ct));
        Assert.Empty(await MessagesAsync());
    }

    [Fact]
    public async Task Facts_come_back_newest_first()
    {
        Assert.Empty(await FactsAsync());
        MemoryFact[] facts = [Fact("a", 2), Fact("b", 3) with { Run = null }, Fact("c", 1), Fact("d", 2)];
        foreach (var fact in facts) await _store.PutFactAsync(fact, Ct);

        Assert.Equal([facts[1], facts[3], facts[0], facts[2]], await FactsAsync());
        Assert.Equal([facts[1], facts[3]], await FactsAsync(2));
    }

    [Fact]
    public async Task A_fact_of_the_same_id_replaces_the_one_before()
    {
        await _store.PutFactAsync(Fact("a", 1), Ct);
        await _store.PutFactAsync(Fact("b", 2), Ct);
        var changed = new MemoryFact(Ada, "a", "prefers tea", Now.AddDays(9), null);

        await _store.PutFactAsync(changed, Ct);
        Assert.Equal([changed, Fact("b", 2)], await FactsAsync());

        // To an earlier place as well.
        await _store.PutFactAsync(changed with { At = Now }, Ct);
        Assert.Equal([Fact("b", 2), changed with { At = Now }], await FactsAsync());
    }

    [Fact]
    public async Task Facts_are_forgotten_one_by_one_and_all_at_once()
    {
        for (var i = 0; i < 40; i++) await _store.PutFactAsync(Fact($"f{i:00}", i), Ct);
        var bob = Ada with { User = "ada2" };
        await _store.PutFactAsync(Fact("f00", 1) with { Owner = bob }, Ct);

        Assert.True(await _store.ForgetFactAsync(Ada, "f00", Ct));
        Assert.False(await _store.ForgetFactAsync(Ada, "f00", Ct));
        Assert.Equal(39, (await FactsAsync()).Count);
        Assert.Equal(39, await _store.ForgetAllAsync(Ada, Ct));
        Assert.Equal(0, await _store.ForgetAllAsync(Ada, Ct));

        Assert.Empty(await FactsAsync());
        Assert.Single(await _store.FactsAsync(bob, 10, Ct));
    }

    [Fact]
    public async Task Nothing_crosses_a_tenant_or_a_project()
    {
        await _store.AddMessagesAsync(Thread, new RunId("run_1"), Exchange(1), Ct);
        await _store.PutFactAsync(Fact("a", 1), Ct);

        foreach (var (tenant, project) in new[] { (new TenantId("rival"), ProjectId.Default), (Acme, new ProjectId("other")) })
        {
            var (thread, owner) = (Thread with { Tenant = tenant, Project = project }, Ada with { Tenant = tenant, Project = project });
            Assert.Empty(await _store.MessagesAsync(thread, 10, Ct));
            Assert.Empty(await _store.FactsAsync(owner, 10, Ct));
            Assert.Equal(0, await _store.ForgetThreadAsync(thread, Ct));
            Assert.False(await _store.ForgetFactAsync(owner, "a", Ct));
            Assert.Equal(0, await _store.ForgetAllAsync(owner, Ct));
            Assert.True(await _store.AddMessagesAsync(thread, new RunId("run_1"), Exchange(5), Ct));
            await _store.PutFactAsync(Fact("a", 5) with { Owner = owner }, Ct);
        }

        Assert.Equal(Exchange(1), await MessagesAsync());
        Assert.Equal([Fact("a", 1)], await FactsAsync());
    }

    [Fact]
    public async Task Names_that_run_together_are_kept_apart()
    {
        foreach (var between in Separators)
        {
            var (one, two) = (new ProjectId("a"), new ProjectId($"a{between}b"));
            await _store.AddMessagesAsync(new ThreadId(Acme, one, $"b{between}c"), new RunId("run_1"), Exchange(1), Ct);
            await _store.PutFactAsync(new MemoryFact(new MemoryOwner(Acme, one, $"b{between}c"), "a", "one", Now, null), Ct);

            Assert.Empty(await _store.MessagesAsync(new ThreadId(Acme, two, "c"), 10, Ct));
            Assert.Empty(await _store.FactsAsync(new MemoryOwner(Acme, two, "c"), 10, Ct));
            Assert.Equal(0, await _store.ForgetAllAsync(new MemoryOwner(Acme, two, "c"), Ct));
            Assert.Single(await _store.FactsAsync(new MemoryOwner(Acme, one, $"b{between}c"), 10, Ct));
        }
    }

    [Fact]
    public async Task Hostile_texts_and_names_come_back_as_they_went_in()
    {
        var texts = HostileText.All;
        foreach (var name in texts.Where(text => text.Length < 200))
        {
            var (thread, owner) = (new ThreadId(Acme, new ProjectId($"p{name}"), $"c{name}"), new MemoryOwner(Acme, new ProjectId($"p{name}"), $"u{name}"));
            var messages = texts.Select(text => new ThreadMessage("user", text, Now)).ToArray();
            Assert.True(await _store.AddMessagesAsync(thread, new RunId($"r{name}"), messages, Ct));
            var fact = new MemoryFact(owner, $"f{name}", name, Now, new RunId($"r{name}"));
            await _store.PutFactAsync(fact, Ct);

            Assert.Equal(messages, await _store.MessagesAsync(thread, 100, Ct));
            Assert.Equal([fact], await _store.FactsAsync(owner, 100, Ct));
            Assert.True(await _store.ForgetFactAsync(owner, fact.Id, Ct));
        }
    }

    [Fact]
    public async Task Text_that_is_not_valid_is_refused_and_nothing_is_stored()
    {
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.AddMessagesAsync(Thread, new RunId("run_1"), [.. Exchange(1), new("user", HostileText.Invalid, Now)], Ct));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _store.PutFactAsync(Fact("a", 1) with { Text = HostileText.Invalid }, Ct));

        Assert.Empty(await MessagesAsync());
        Assert.Empty(await FactsAsync());
        Assert.True(await _store.AddMessagesAsync(Thread, new RunId("run_1"), Exchange(1), Ct));
    }

    [Fact]
    public async Task Large_texts_come_back()
    {
        ThreadMessage[] messages = [new("user", new string('x', 300_000), Now), new("assistant", string.Concat(Enumerable.Repeat("€", 100_000)), Now)];
        Assert.True(await _store.AddMessagesAsync(Thread, new RunId("run_1"), messages, Ct));
        await _store.AddMessagesAsync(Thread, new RunId("run_2"), messages, Ct);

        Assert.Equal([.. messages, .. messages], await MessagesAsync());
    }

    [Fact]
    public async Task Times_are_kept_to_the_millisecond()
    {
        var odd = Now.AddTicks(4_567).ToOffset(TimeSpan.FromHours(9));
        await _store.AddMessagesAsync(Thread, new RunId("run_1"), [new("user", "text", odd)], Ct);
        await _store.PutFactAsync(Fact("a", 0) with { At = odd }, Ct);

        Assert.Equal(Now, (await MessagesAsync()).Single().At);
        Assert.Equal(Now, (await FactsAsync()).Single().At);
    }

    [Fact]
    public async Task What_was_remembered_is_there_for_a_process_that_starts_again()
    {
        await _store.AddMessagesAsync(Thread, new RunId("run_1"), Exchange(1), Ct);
        await _store.PutFactAsync(Fact("a", 1), Ct);

        _store = await ReopenAsync();

        Assert.False(await _store.AddMessagesAsync(Thread, new RunId("run_1"), Exchange(1), Ct));
        Assert.Equal(Exchange(1), await MessagesAsync());
        Assert.Equal([Fact("a", 1)], await FactsAsync());
    }

    private Task<IReadOnlyList<ThreadMessage>> MessagesAsync(int limit = 100) => _store.MessagesAsync(Thread, limit, Ct);

    private Task<IReadOnlyList<MemoryFact>> FactsAsync(int limit = 100) => _store.FactsAsync(Ada, limit, Ct);

    private static ThreadMessage[] Exchange(int number) =>
        [new("user", $"question {number}", Now.AddSeconds(number)), new("assistant", $"answer {number}", Now.AddSeconds(number).AddMilliseconds(1))];

    private static MemoryFact Fact(string id, int seconds) => new(Ada, id, $"fact {id}", Now.AddSeconds(seconds), new RunId("run_1"));
}
