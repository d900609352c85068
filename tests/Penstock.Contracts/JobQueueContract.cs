using System.Collections.Concurrent;
using System.Globalization;
using Penstock.Jobs;
using Xunit;

namespace Penstock.Contracts;

/// <summary>
/// What every <see cref="IJobQueue"/> does. An adapter's tests derive from this and say how to open an empty queue. A queue may give a message more often than
/// the tests ask for, and out of its order; times are whole seconds, so that one whose clock nobody can move is waited for.
/// </summary>
public abstract class JobQueueContract : IAsyncLifetime
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(5);

    /// <summary>How often nothing must come in a row before a test takes it that nothing is there.</summary>
    private const int Looks = 3;

    private IJobQueue _queue = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Whether the queue lets tenants take turns message by message; some do so only once one of them is slow.</summary>
    protected virtual bool TakesTurns => true;

    /// <summary>Messages in the tests of many.</summary>
    protected virtual int Many => 500;

    protected abstract ValueTask<IJobQueue> OpenAsync();

    protected abstract ValueTask CloseAsync();

    /// <summary>Lets so much time pass on the queue's clock.</summary>
    protected abstract Task PassAsync(TimeSpan time);

    public async ValueTask InitializeAsync() => _queue = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task What_is_sent_is_received_as_it_was()
    {
        var message = new JobMessage("job_1", "täg:acme \"#1\"", "request");
        await _queue.SendAsync(message, TimeSpan.Zero, Ct);

        var job = await OneAsync(Long);

        Assert.Equal(message, job.Message);
        Assert.Equal(1, job.Attempt);
    }

    [Fact]
    public async Task An_empty_queue_gives_nothing()
    {
        Assert.Empty(await _queue.ReceiveAsync(10, Long, TimeSpan.Zero, Ct));
        Assert.Empty(await _queue.ListDeadAsync(10, Ct));
        Assert.Equal(0, await _queue.RedriveAsync(10, Yes, Ct));
    }

    [Fact]
    public async Task What_is_received_is_hidden_and_comes_back_when_its_time_is_over_with_one_attempt_more()
    {
        await SendAsync("a");
        var first = await OneAsync(Short);
        await NothingAsync();

        await PassAsync(Short);

        var second = await OneAsync(Long);
        Assert.Equal("a", second.Message.Id);
        Assert.Equal(2, second.Attempt);
        Assert.NotEqual(first.Receipt, second.Receipt);
    }

    [Fact]
    public async Task Who_works_longer_keeps_it_hidden()
    {
        await SendAsync("a");
        var job = await OneAsync(Short);

        Assert.True(await _queue.ExtendAsync(job.Receipt, Long, Ct));
        await PassAsync(Short);

        await NothingAsync();
    }

    [Fact]
    public async Task What_is_given_back_is_there_at_once()
    {
        await SendAsync("a");
        var job = await OneAsync(Long);

        Assert.True(await _queue.ExtendAsync(job.Receipt, TimeSpan.Zero, Ct));

        Assert.Equal(2, (await OneAsync(Long)).Attempt);
    }

    [Fact]
    public async Task An_old_receipt_prolongs_nothing()
    {
        await SendAsync("a");
        var old = await OneAsync(Short);
        await PassAsync(Short);
        var mine = await OneAsync(Long);

        Assert.False(await _queue.ExtendAsync(old.Receipt, TimeSpan.Zero, Ct));
        await NothingAsync();
        Assert.True(await _queue.ExtendAsync(mine.Receipt, Long, Ct));
    }

    [Fact]
    public async Task What_is_done_is_gone()
    {
        await SendAsync("a");
        var job = await OneAsync(Short);

        await _queue.CompleteAsync(job.Receipt, Ct);
        await PassAsync(Short);

        await NothingAsync();
        Assert.False(await _queue.ExtendAsync(job.Receipt, TimeSpan.Zero, Ct));
        await _queue.CompleteAsync(job.Receipt, Ct);
    }

    [Fact]
    public async Task What_is_delayed_comes_when_its_time_is_there()
    {
        await _queue.SendAsync(Message("a"), Short, Ct);
        await _queue.SendAsync(Message("b"), Long, Ct);
        Assert.Empty(await _queue.ReceiveAsync(10, Long, TimeSpan.Zero, Ct));

        await PassAsync(Short);

        var job = await OneAsync(Long);
        Assert.Equal(("a", 1), (job.Message.Id, job.Attempt));
        await NothingAsync();
    }

    [Fact]
    public async Task What_is_sent_twice_is_given_twice()
    {
        await SendAsync("a");
        await SendAsync("a");

        var given = await DrainAsync();

        Assert.True(given.Count >= 2, $"{given.Count} were given.");
        Assert.All(given, job => Assert.Equal("a", job.Message.Id));
    }

    [Fact]
    public async Task Who_waits_gets_what_is_sent_meanwhile()
    {
        var waiting = _queue.ReceiveAsync(1, Long, TimeSpan.FromSeconds(20), Ct);
        await SendAsync("a");

        Assert.Equal("a", Assert.Single(await waiting.WaitAsync(TimeSpan.FromSeconds(19), Ct)).Message.Id);
    }

    [Fact]
    public async Task Who_waits_and_is_called_away_takes_nothing_with_them()
    {
        using var away = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var waiting = _queue.ReceiveAsync(1, Short, TimeSpan.FromSeconds(20), away.Token);
        await away.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        await SendAsync("a");

        Assert.Equal("a", (await OneAsync(Long)).Message.Id);
    }

    [Fact]
    public async Task No_more_are_given_than_asked_for()
    {
        for (var i = 0; i < 15; i++) await SendAsync(Name(i));

        Assert.InRange((await _queue.ReceiveAsync(10, Long, TimeSpan.FromSeconds(5), Ct)).Count, 1, 10);
        Assert.Single(await _queue.ReceiveAsync(1, Long, TimeSpan.FromSeconds(5), Ct));
    }

    [Fact]
    public async Task Tenants_take_turns()
    {
        Assert.SkipUnless(TakesTurns, "this queue lets tenants take turns only once one of them is slow");
        for (var i = 0; i < 50; i++) await SendAsync(Name(i), "many");
        await SendAsync("x", "few");
        await SendAsync("y", "few");

        var first = await _queue.ReceiveAsync(4, Long, TimeSpan.Zero, Ct);

        Assert.Equal(["few", "few", "many", "many"], first.Select(job => job.Message.Tenant).Order());
        // Their own are given in the order in which they were sent.
        Assert.Equal(["x", "y"], first.Where(job => job.Message.Tenant == "few").Select(job => job.Message.Id));
    }

    [Fact]
    public async Task What_is_buried_is_dead_with_its_reason_and_not_given()
    {
        await SendAsync("a");
        await _queue.BuryAsync(await OneAsync(Short), "it answered 500, \"five\" times: ü", Ct);
        await PassAsync(Short);

        await NothingAsync();
        for (var look = 0; look < 2; look++)
        {
            var dead = Assert.Single(await DeadAsync(1));
            Assert.Equal((Message("a"), "it answered 500, \"five\" times: ü", 1), (dead.Message, dead.Reason, dead.Attempts));
        }
    }

    [Fact]
    public async Task What_is_sent_back_is_given_with_its_attempts_counted_anew()
    {
        await SendAsync("a");
        await OneAsync(Short);
        await PassAsync(Short);
        await _queue.BuryAsync(await OneAsync(Long), "no", Ct);
        Assert.Equal(2, Assert.Single(await DeadAsync(1)).Attempts);
        var readmitted = new ConcurrentBag<JobMessage>();

        Assert.Equal(1, await RedriveAsync(1, (message, _) =>
        {
            readmitted.Add(message);
            return Task.FromResult(true);
        }));

        Assert.All(readmitted, message => Assert.Equal(Message("a"), message));
        Assert.NotEmpty(readmitted);
        var again = await OneAsync(Long);
        Assert.Equal(("a", 1), (again.Message.Id, again.Attempt));
        Assert.Empty(await _queue.ListDeadAsync(10, Ct));
    }

    [Fact]
    public async Task Only_so_many_are_sent_back_and_what_is_not_readmitted_is_dropped()
    {
        foreach (var id in new[] { "a", "b", "c" })
        {
            await SendAsync(id);
            await _queue.BuryAsync(await OneAsync(Long), "no", Ct);
        }

        Assert.Equal(3, (await DeadAsync(3)).Count);
        Assert.Equal(1, await RedriveAsync(1, Yes));
        Assert.Equal(2, (await DeadAsync(2)).Count);
        Assert.Equal(0, await _queue.RedriveAsync(10, (_, _) => Task.FromResult(false), Ct));

        Assert.Single((await DrainAsync()).DistinctBy(job => job.Message.Id));
        Assert.Empty(await _queue.ListDeadAsync(10, Ct));
    }

    [Fact]
    public async Task One_whose_readmission_fails_stays_dead()
    {
        await SendAsync("a");
        await _queue.BuryAsync(await OneAsync(Long), "no", Ct);
        await DeadAsync(1);

        await Assert.ThrowsAsync<InvalidOperationException>(() => RedriveAsync(1, (_, _) => throw new InvalidOperationException("no store")));

        await NothingAsync();
        Assert.Equal("a", Assert.Single(await DeadAsync(1)).Message.Id);
    }

    [Fact]
    public async Task Of_many_receivers_each_message_is_held_by_one_and_none_is_lost()
    {
        await Parallel.ForAsync(0, Many, Ct, async (i, ct) => await _queue.SendAsync(new JobMessage(Name(i), $"tenant-{i % 7}", "request"), TimeSpan.Zero, ct));
        var done = new ConcurrentDictionary<string, int>();
        var held = new ConcurrentDictionary<string, bool>();
        var twice = 0;

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async worker =>
        {
            for (var nothing = 0; nothing < Looks;)
            {
                var jobs = await _queue.ReceiveAsync(10, Long, TimeSpan.Zero, Ct);
                nothing = jobs.Count == 0 ? nothing + 1 : 0;
                foreach (var job in jobs)
                {
                    if (!held.TryAdd(job.Message.Id, true)) Interlocked.Increment(ref twice);
                    done.AddOrUpdate(job.Message.Id, 1, static (_, times) => times + 1);
                    await _queue.CompleteAsync(job.Receipt, Ct);
                    held.TryRemove(job.Message.Id, out _);
                }
            }
        }));

        Assert.Equal(Enumerable.Range(0, Many).Select(Name).Order(), done.Keys.Order());
        // At least once, and hardly ever more.
        Assert.InRange(done.Values.Sum(), Many, Many + (Many / 20));
        Assert.InRange(twice, 0, Many / 100);
        await NothingAsync();
    }

    [Fact]
    public async Task What_its_workers_let_go_is_done_by_others()
    {
        const int Few = 40;
        for (var i = 0; i < Few; i++) await SendAsync(Name(i));
        // Workers that take them and die.
        for (var taken = 0; taken < Few;)
        {
            var some = await _queue.ReceiveAsync(10, Short, TimeSpan.Zero, Ct);
            taken += some.Count;
        }

        await PassAsync(Short);

        var left = Enumerable.Range(0, Few).Select(Name).ToHashSet();
        for (var nothing = 0; nothing < Looks && left.Count > 0;)
        {
            var some = await _queue.ReceiveAsync(10, Long, TimeSpan.FromSeconds(1), Ct);
            nothing = some.Count == 0 ? nothing + 1 : 0;
            foreach (var job in some)
            {
                Assert.True(job.Attempt >= 2, $"'{job.Message.Id}' came as attempt {job.Attempt}.");
                left.Remove(job.Message.Id);
                await _queue.CompleteAsync(job.Receipt, Ct);
            }
        }

        Assert.Empty(left);
    }

    [Fact]
    public async Task Figures_that_no_queue_can_keep_are_refused()
    {
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => _queue.SendAsync(Message("a"), IJobQueue.LongestDelay + TimeSpan.FromSeconds(1), Ct));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => _queue.ReceiveAsync(11, Long, TimeSpan.Zero, Ct));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => _queue.ReceiveAsync(0, Long, TimeSpan.Zero, Ct));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => _queue.ReceiveAsync(1, TimeSpan.Zero, TimeSpan.Zero, Ct));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => _queue.ReceiveAsync(1, IJobQueue.LongestHidden + TimeSpan.FromSeconds(1), TimeSpan.Zero, Ct));
    }

    private static string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"job_{number:00000}");

    private static JobMessage Message(string id, string tenant = "acme") => new(id, tenant, "request");

    private static Task<bool> Yes(JobMessage message, CancellationToken ct) => Task.FromResult(true);

    private Task SendAsync(string id, string tenant = "acme") => _queue.SendAsync(Message(id, tenant), TimeSpan.Zero, Ct);

    private async Task<ReceivedJob> OneAsync(TimeSpan hidden)
    {
        for (var look = 0; look < 10; look++)
        {
            if (await _queue.ReceiveAsync(1, hidden, LookFor(look), Ct) is [var job]) return job;
        }

        Assert.Fail("No message came.");
        throw new InvalidOperationException();
    }

    /// <summary>A queue whose clock stands still would be waited for in vain.</summary>
    private static TimeSpan LookFor(int look) => look == 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(1);

    private async Task NothingAsync()
    {
        for (var look = 0; look < Looks; look++) Assert.Empty(await _queue.ReceiveAsync(10, Long, TimeSpan.Zero, Ct));
    }

    private async Task<List<ReceivedJob>> DrainAsync()
    {
        var all = new List<ReceivedJob>();
        for (var nothing = 0; nothing < Looks;)
        {
            var some = await _queue.ReceiveAsync(10, Long, TimeSpan.Zero, Ct);
            nothing = some.Count == 0 ? nothing + 1 : 0;
            all.AddRange(some);
        }

        return all;
    }

    /// <summary>Looks until there are so many, or often enough: a queue of many machines shows some of them at a look.</summary>
    private async Task<IReadOnlyList<DeadJob>> DeadAsync(int expected)
    {
        IReadOnlyList<DeadJob> dead = [];
        for (var look = 0; look < 10 && dead.Count != expected; look++) dead = await _queue.ListDeadAsync(100, Ct);
        return dead;
    }

    private async Task<int> RedriveAsync(int most, Func<JobMessage, CancellationToken, Task<bool>> readmit)
    {
        var sent = 0;
        for (var look = 0; look < 10 && sent == 0; look++) sent = await _queue.RedriveAsync(most, readmit, Ct);
        return sent;
    }
}
