using System.Globalization;
using Penstock.Jobs;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

/// <summary>What every <see cref="IJobStore"/> does. An adapter's tests derive from this and say how to open an empty store.</summary>
public abstract class JobStoreContract : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly TenantId Acme = new("acme");
    private static readonly byte[] Request = """{"prompt":"ü"}"""u8.ToArray();

    private IJobStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected abstract ValueTask<IJobStore> OpenAsync();

    protected abstract ValueTask CloseAsync();

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_job_is_found_as_it_was_added()
    {
        var plain = Job(1);
        var full = Job(2) with
        {
            Authority = """{"scopes":1}""",
            Webhook = "https://example.com/hook?a=b",
            Hook = JobHook.Pending,
            State = JobState.Dead,
            Attempts = 3,
            Owner = "worker_1",
            LeaseUntil = Now.AddSeconds(60),
            EndedAt = Now.AddSeconds(30),
            KeepUntil = Now.AddHours(72),
            Status = 503,
            ContentType = "application/json",
            ErrorCode = "provider_failed",
            Error = "It answered \"503\": ü",
            Cost = new Money(123_456_789),
        };

        Assert.True(await _store.AddAsync(plain, Request, Ct));
        Assert.True(await _store.AddAsync(full, Request, Ct));

        Assert.Equal(plain, await _store.GetAsync(Acme, plain.Id, Ct));
        Assert.Equal(full, await _store.GetAsync(Acme, full.Id, Ct));
        Assert.Equal(Request, (await _store.RequestAsync(Acme, plain.Id, Ct))!.Value.ToArray());
        Assert.Null(await _store.ResultAsync(Acme, plain.Id, Ct));
    }

    [Fact]
    public async Task An_id_is_taken_once()
    {
        Assert.True(await _store.AddAsync(Job(1), Request, Ct));
        Assert.False(await _store.AddAsync(Job(1) with { Path = "/ai" }, "{}"u8.ToArray(), Ct));

        Assert.Equal("/v1/complete", (await _store.GetAsync(Acme, Id(1), Ct))!.Path);
        Assert.Equal(Request, (await _store.RequestAsync(Acme, Id(1), Ct))!.Value.ToArray());
    }

    [Fact]
    public async Task No_tenant_sees_anothers()
    {
        var rival = new TenantId("rival");
        await _store.AddAsync(Job(1), Request, Ct);

        Assert.Null(await _store.GetAsync(rival, Id(1), Ct));
        Assert.Null(await _store.RequestAsync(rival, Id(1), Ct));
        Assert.Empty(await _store.ListAsync(rival, new JobQuery { Limit = 10 }, Ct));
        Assert.False(await _store.ChangeAsync(Job(1) with { Tenant = rival, Attempts = 1 }, null, Ct));
        Assert.True(await _store.AddAsync(Job(1) with { Tenant = rival }, Request, Ct));
    }

    [Fact]
    public async Task A_change_is_made_from_the_version_it_names_and_from_no_other()
    {
        var job = Job(1);
        await _store.AddAsync(job, Request, Ct);
        var running = job with { State = JobState.Running, Owner = "worker_a", LeaseUntil = Now.AddSeconds(60), Attempts = 1, UpdatedAt = Now.AddSeconds(1) };

        Assert.True(await _store.ChangeAsync(running, null, Ct));
        Assert.False(await _store.ChangeAsync(running with { Owner = "worker_b" }, null, Ct));
        Assert.False(await _store.ChangeAsync(running with { Version = 7 }, null, Ct));

        Assert.Equal(running with { Version = 1 }, await _store.GetAsync(Acme, job.Id, Ct));
        Assert.False(await _store.ChangeAsync(Job(2), null, Ct));
        Assert.Null(await _store.GetAsync(Acme, Id(2), Ct));
    }

    [Fact]
    public async Task Of_changes_at_once_one_is_made()
    {
        await _store.AddAsync(Job(1), Request, Ct);

        var made = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => _store.ChangeAsync(Job(1) with { State = JobState.Running, Owner = $"worker_{i}" }, null, Ct)));

        Assert.Single(made, won => won);
        var job = await _store.GetAsync(Acme, Id(1), Ct);
        Assert.Equal((1L, $"worker_{Array.IndexOf(made, true)}"), (job!.Version, job.Owner));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(17)]
    [InlineData(900_001)]
    public async Task An_answer_is_kept_with_its_change_and_what_was_asked_stays(int size)
    {
        var source = new SeededSource((ulong)size);
        byte[] answer = [.. Enumerable.Range(0, size).Select(_ => (byte)source.NextBits())];
        await _store.AddAsync(Job(1), answer, Ct);
        var ended = Job(1) with { State = JobState.Completed, EndedAt = Now, KeepUntil = Now.AddHours(1), Status = 200, ContentType = "application/json" };

        Assert.True(await _store.ChangeAsync(ended, answer, Ct));
        Assert.False(await _store.ChangeAsync(ended with { Owner = "late" }, "late"u8.ToArray(), Ct));
        Assert.True(await _store.ChangeAsync(ended with { Version = 1, Hook = JobHook.Delivered }, null, Ct));

        Assert.Equal(answer, (await _store.ResultAsync(Acme, Id(1), Ct))!.Value.ToArray());
        Assert.Equal(answer, (await _store.RequestAsync(Acme, Id(1), Ct))!.Value.ToArray());
        Assert.Equal(ended with { Version = 2, Hook = JobHook.Delivered }, await _store.GetAsync(Acme, Id(1), Ct));
    }

    [Fact]
    public async Task What_is_taken_back_is_gone()
    {
        await _store.AddAsync(Job(1) with { State = JobState.Dead, EndedAt = Now, KeepUntil = Now.AddHours(1), Status = 503, ErrorCode = "x", Error = "y" }, Request, Ct);

        Assert.True(await _store.ChangeAsync(Job(1), null, Ct));

        Assert.Equal(Job(1) with { Version = 1 }, await _store.GetAsync(Acme, Id(1), Ct));
        Assert.Equal(0, await _store.DropAsync(Now.AddDays(30), Ct));
    }

    [Fact]
    public async Task Lists_are_newest_first_page_by_page()
    {
        // Two a millisecond, so that a page ends between equals.
        for (var i = 0; i < 10; i++) await _store.AddAsync(Job(i) with { CreatedAt = Now.AddMilliseconds(i / 2), State = i % 3 == 0 ? JobState.Dead : JobState.Queued, Project = new ProjectId(i < 5 ? "p" : "q") }, Request, Ct);

        Assert.Equal(Enumerable.Range(0, 10).Reverse(), await NumbersAsync(new JobQuery { Limit = 3 }));
        Assert.Equal([9, 6, 3, 0], await NumbersAsync(new JobQuery { Limit = 1, State = JobState.Dead }));
        Assert.Equal([4, 3, 2, 1, 0], await NumbersAsync(new JobQuery { Limit = 2, Project = new ProjectId("p") }));
        Assert.Equal([3, 0], await NumbersAsync(new JobQuery { Limit = 2, Project = new ProjectId("p"), State = JobState.Dead }));
    }

    [Fact]
    public async Task What_has_not_ended_and_was_not_touched_is_stale()
    {
        await _store.AddAsync(Job(1), Request, Ct);
        await _store.AddAsync(Job(2) with { Tenant = new TenantId("rival"), State = JobState.Running, UpdatedAt = Now.AddSeconds(-5) }, Request, Ct);
        await _store.AddAsync(Job(3) with { State = JobState.Completed }, Request, Ct);
        await _store.AddAsync(Job(4) with { State = JobState.Completed, Hook = JobHook.Pending, UpdatedAt = Now.AddSeconds(5) }, Request, Ct);
        await _store.AddAsync(Job(5) with { State = JobState.Completed, Hook = JobHook.Delivered }, Request, Ct);
        await _store.AddAsync(Job(6) with { UpdatedAt = Now.AddHours(1) }, Request, Ct);

        Assert.Equal([Id(2), Id(1), Id(4)], (await _store.StaleAsync(Now.AddMinutes(1), 10, Ct)).Select(job => job.Id));
        Assert.Equal([Id(2)], (await _store.StaleAsync(Now.AddMinutes(1), 1, Ct)).Select(job => job.Id));
        Assert.Empty(await _store.StaleAsync(Now.AddSeconds(-5), 10, Ct));

        Assert.True(await _store.ChangeAsync(Job(1) with { UpdatedAt = Now.AddHours(1) }, null, Ct));
        Assert.True(await _store.ChangeAsync(Job(4) with { State = JobState.Completed, Hook = JobHook.Failed, UpdatedAt = Now.AddSeconds(5) }, null, Ct));
        Assert.Equal([Id(2)], (await _store.StaleAsync(Now.AddMinutes(1), 10, Ct)).Select(job => job.Id));
    }

    [Fact]
    public async Task What_is_past_its_time_is_dropped_and_nothing_else()
    {
        await _store.AddAsync(Job(1), new byte[900_001], Ct);
        await _store.AddAsync(Job(2), Request, Ct);
        await _store.AddAsync(Job(3) with { State = JobState.Dead, KeepUntil = Now.AddHours(2) }, Request, Ct);
        Assert.True(await _store.ChangeAsync(Job(1) with { State = JobState.Completed, KeepUntil = Now.AddHours(1) }, new byte[900_001], Ct));

        Assert.Equal(0, await DropAsync(Now.AddMinutes(59)));
        Assert.Equal(1, await DropAsync(Now.AddHours(1)));

        Assert.Null(await _store.GetAsync(Acme, Id(1), Ct));
        Assert.Null(await _store.RequestAsync(Acme, Id(1), Ct));
        Assert.Null(await _store.ResultAsync(Acme, Id(1), Ct));
        Assert.Equal(1, await DropAsync(Now.AddDays(3)));
        Assert.Equal([2], await NumbersAsync(new JobQuery { Limit = 10 }));
    }

    private static JobId Id(int number) => new(string.Create(CultureInfo.InvariantCulture, $"job_{number:x24}"));

    private static JobRecord Job(int number) => new()
    {
        Tenant = Acme,
        Id = Id(number),
        Key = new KeyId("k1"),
        Project = new ProjectId("p"),
        Path = "/v1/complete",
        CreatedAt = Now,
        UpdatedAt = Now,
        Keep = TimeSpan.FromHours(72),
    };

    private async Task<int> DropAsync(DateTimeOffset now)
    {
        var dropped = 0;
        while (await _store.DropAsync(now, Ct) is > 0 and var some) dropped += some;
        return dropped;
    }

    private async Task<List<int>> NumbersAsync(JobQuery query)
    {
        var found = new List<int>();
        while (true)
        {
            var page = await _store.ListAsync(Acme, query, Ct);
            Assert.InRange(page.Count, 0, query.Limit);
            found.AddRange(page.Select(job => int.Parse(job.Id.Value.AsSpan(4), NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
            if (page.Count < query.Limit) return found;
            query = query with { After = (page[^1].CreatedAt, page[^1].Id) };
        }
    }
}
