using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Configuration;
using Penstock.Http;
using Penstock.Jobs;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Contracts;

/// <summary>
/// Jobs over a queue that says things twice and forgets what it is told, and a store: each has its effect once, none is lost, poison is buried. The workers are the
/// product's; only the route that they call is the test's, and counts. <c>PENSTOCK_QUEUE_MESSAGES</c> says how many (bench/queue.sh: 10,000).
/// </summary>
public abstract class JobEffectsContract : IAsyncLifetime
{
    private const int MaxAttempts = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(9);

    private readonly ConcurrentDictionary<string, int> _effects = new();
    private int _atOnce;
    private int _mostAtOnce;
    private bool _cured;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Jobs where nobody says how many.</summary>
    protected virtual int Few => 400;

    private int Many => int.TryParse(Environment.GetEnvironmentVariable("PENSTOCK_QUEUE_MESSAGES"), NumberStyles.None, CultureInfo.InvariantCulture, out var many) ? many : Few;

    protected abstract ValueTask<(IJobQueue Queue, IJobStore Store)> OpenAsync();

    protected abstract ValueTask CloseAsync();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Each_job_has_its_effect_once_though_messages_come_twice_and_acknowledgements_are_lost()
    {
        var (inner, store) = await OpenAsync();
        var queue = new FaultyJobQueue(inner, duplicates: 0.2, losses: 0.2, seed: 4711);
        var clock = new JobClock(TimeProvider.System);
        var since = TimeProvider.System.GetTimestamp();
        await Parallel.ForAsync(0, Many, Ct, async (i, ct) =>
        {
            var job = Job(i, clock.Now);
            Assert.True(await store.AddAsync(job, Encoding.UTF8.GetBytes($$"""{"n":{{i}}}"""), ct));
            await queue.SendAsync(JobEnds.Work(job), TimeSpan.Zero, ct);
        });

        using var drain = new Drain(TimeProvider.System, TimeSpan.FromSeconds(30));
        using var workers = Workers(queue, store, clock, drain);
        await workers.StartAsync(Ct);
        await UntilAsync(() => _effects.Count == Many, "every job was called");
        await UntilAsync(() => EndedAsync(store), "every job has ended");
        drain.Start();
        await workers.StopAsync(Ct);

        var poison = Enumerable.Range(0, Many).Where(IsPoison).Select(Name).ToList();
        Assert.All(_effects.Where(effect => !IsPoison(Number(effect.Key))), effect => Assert.Equal(1, effect.Value));
        Assert.All(poison, id => Assert.Equal(MaxAttempts, _effects[id]));
        Assert.InRange(_mostAtOnce, 2, 5);
        Assert.InRange(queue.Duplicated, Many / 10, Many);
        Assert.InRange(queue.Lost, Many / 10, Many);
        Assert.Equal(poison, await DeadAsync(inner, poison.Count));
        TestContext.Current.SendDiagnosticMessage($"{Many} jobs, {queue.Duplicated} sent twice, {queue.Lost} acknowledgements lost, {poison.Count} poison, {TimeProvider.System.GetElapsedTime(since).TotalSeconds:0.0} s");

        await RedriveAsync(inner, store, clock, poison);
    }

    /// <summary>What was poison is cured, sent back, and done.</summary>
    private async Task RedriveAsync(IJobQueue queue, IJobStore store, JobClock clock, List<string> poison)
    {
        _cured = true;
        using var drain = new Drain(TimeProvider.System, TimeSpan.FromSeconds(30));
        using var workers = Workers(queue, store, clock, drain);
        var jobs = new Jobs.Jobs(store, queue, null!, Section(), Parts(clock));
        await UntilAsync(
            async () =>
            {
                await jobs.RedriveAsync(100, Ct);
                return (await store.ListAsync(Tenant(0), new JobQuery { State = JobState.Dead, Limit = 1 }, Ct)).Count == 0;
            },
            "the dead were sent back");
        await workers.StartAsync(Ct);
        await UntilAsync(() => EndedAsync(store), "those sent back have ended");
        drain.Start();
        await workers.StopAsync(Ct);

        Assert.All(poison, id => Assert.Equal(MaxAttempts + 1, _effects[id]));
        Assert.Empty(await queue.ListDeadAsync(10, Ct));
    }

    private JobWorker Workers(IJobQueue queue, IJobStore store, JobClock clock, Drain drain)
    {
        var section = Section();
        var route = new RouteEndpoint(CallAsync, RoutePatternFactory.Parse("/v1/complete"), 0, new EndpointMetadataCollection(new HttpMethodMetadata([HttpMethods.Post])), null);
        // A job with an authority of its own asks for no key, and one that calls no tool for no tools.
        var calls = new JobCalls(new DefaultEndpointDataSource(route), new JobCallers(null!), null!, new IdSource(), TimeProvider.System, NullLogger<JobCalls>.Instance);
        var runner = new JobRunner(store, queue, calls, section, Parts(clock), NullLogger<JobRunner>.Instance);
        var hooks = new JobHooks(store, queue, null!, section, clock, NullLogger<JobHooks>.Instance);
        return new JobWorker(queue, runner, hooks, section, drain, NullLogger<JobWorker>.Instance);
    }

    private async Task CallAsync(HttpContext http)
    {
        var now = Interlocked.Increment(ref _atOnce);
        lock (_effects) _mostAtOnce = Math.Max(_mostAtOnce, now);
        try
        {
            var id = http.Request.Headers["Idempotency-Key"].ToString();
            _effects.AddOrUpdate(id, 1, static (_, times) => times + 1);
            await Task.Yield();
            if (IsPoison(Number(id)) && !_cured) throw new RefusedException(new Refusal(RefusalKind.Unavailable, "sick", "No."));
            await Json.WriteAsync(http, StatusCodes.Status200OK, static json => json.WriteBoolean("done", true));
        }
        finally
        {
            Interlocked.Decrement(ref _atOnce);
        }
    }

    private static async Task<bool> EndedAsync(IJobStore store)
    {
        foreach (var tenant in Enumerable.Range(0, 7).Select(Tenant))
        {
            foreach (var state in new[] { JobState.Queued, JobState.Running })
            {
                if ((await store.ListAsync(tenant, new JobQuery { State = state, Limit = 1 }, Ct)).Count > 0) return false;
            }
        }

        return true;
    }

    private static async Task<IEnumerable<string>> DeadAsync(IJobQueue queue, int expected)
    {
        var dead = new HashSet<string>();
        for (var look = 0; look < 20 && dead.Count < expected; look++) dead.UnionWith((await queue.ListDeadAsync(100, Ct)).Select(letter => letter.Message.Id));
        return dead.Order();
    }

    private static JobSection Section()
    {
        var section = new JobSection();
        var read = new ConfigRead(JsonView.Parse(Encoding.UTF8.GetBytes($$"""{"jobs": {"concurrency": 5, "maxAttempts": {{MaxAttempts}}, "leaseSeconds": 2, "backoffSeconds": 0} }""")));
        section.Read(read)();
        Assert.Empty(read.Errors);
        return section;
    }

    private static JobRunnerParts Parts(JobClock clock) => new(new RunningJobs(), clock, new IdSource());

    private static JobRecord Job(int number, DateTimeOffset now) => new()
    {
        Tenant = Tenant(number),
        Id = new JobId(Name(number)),
        Key = new KeyId("k1"),
        Project = ProjectId.Default,
        Authority = """{"scopes":1,"models":[],"tools":[]}""",
        Path = "/v1/complete",
        CreatedAt = now,
        UpdatedAt = now,
        Keep = TimeSpan.FromHours(1),
    };

    /// <summary>One in a hundred, all of one tenant, so that one look finds them.</summary>
    private static bool IsPoison(int number) => number % 140 == 7;

    private static TenantId Tenant(int number) => new(string.Create(CultureInfo.InvariantCulture, $"tenant-{number % 7}"));

    private static string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"job_{number:x24}");

    private static int Number(string id) => int.Parse(id.AsSpan(4), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static Task UntilAsync(Func<bool> holds, string what) => UntilAsync(() => Task.FromResult(holds()), what);

    private static async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        var since = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(since) > Patience) Assert.Fail($"Waited {Patience} in vain until {what}.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Ct);
        }
    }
}
