using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Gateway;
using Penstock.Jobs;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Jobs;

public sealed partial class JobTests : IAsyncLifetime
{
    private const string Config = """
        {"jobs": {"concurrency": 5, "maxAttempts": 3, "leaseSeconds": 30, "webhookSecret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
         "tools": {"fetch": {"allowHosts": ["127.0.0.1"]}, "http": {"pay": {"effect": "once", "description": "Pays.", "url": "https://example.com", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "input": {"type": "object"}}}}}
        """;

    private const string Ask = """{"request":{"path":"/v1/complete","body":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}}}""";

    private readonly TaskCompletionSource _gate = new();
    private readonly Lock _counting = new();
    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private IJobStore Store => _host.Services.GetRequiredService<IJobStore>();

    private IJobQueue Queue => _host.Services.GetRequiredService<IJobQueue>();

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync(config: Config, change: services => services.AddHostedService<JobWorker>());

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_job_is_accepted_at_once_and_answered_later_as_the_route_would_have()
    {
        var gate = new TaskCompletionSource();
        _host.Script.Chat = (_, ct) => After(gate.Task, ct);
        await _host.PostAsync("/v1/jobs", "{}");
        var since = Stopwatch.GetTimestamp();

        var accepted = await _host.PostAsync("/v1/jobs", Ask);

        Assert.True(Stopwatch.GetElapsedTime(since) < TimeSpan.FromMilliseconds(200), $"{Stopwatch.GetElapsedTime(since)}");
        Assert.True(accepted.Status == 202, accepted.Body);
        Assert.Equal($"/v1/jobs/{accepted.Text("id")}", accepted.Headers["Location"]);
        await StateAsync(accepted.Text("id")!, "running");
        gate.SetResult();
        var done = await StateAsync(accepted.Text("id")!, "completed");
        Assert.Equal((200, 1, "Hello"), (done.Json.GetProperty("status").GetInt32(), done.Json.GetProperty("attempts").GetInt32(), done.Text("result", "content")));
        var row = await _host.RowAsync();
        Assert.Equal(("/v1/complete", "root"), (row.Route, row.Key.Value));
        Assert.True(row.Cost > Money.Zero);
        Assert.Equal(row.Cost.Usd, done.Json.GetProperty("cost").GetDecimal());
    }

    [Theory]
    [InlineData("""{"request":{"path":"/v1/jobs","body":{}}}""", "request.path")]
    [InlineData("""{"request":{"path":"/v1/stream","body":{}}}""", "request.path")]
    [InlineData("""{"request":{"path":"/v1/tools/../keys","body":{}}}""", "request.path")]
    [InlineData("""{"request":{"path":"/v1/complete","body":[]}}""", "request.body")]
    [InlineData("""{"request":{"path":"/v1/complete","body":{"stream":true}}}""", "request.body.stream")]
    [InlineData("""{"request":{"path":"/v1/complete","body":{}},"webhook":"file:///etc/passwd"}""", "webhook")]
    [InlineData("""{"request":{"path":"/v1/complete","body":{}},"keepHours":0}""", "keepHours")]
    [InlineData("""{"request":{"path":"/v1/complete","body":{}},"retries":1}""", "retries")]
    public async Task What_no_job_can_be_is_refused_by_name(string body, string field)
    {
        var refused = await _host.PostAsync("/v1/jobs", body);

        Assert.Equal((400, field), (refused.Status, refused.Text("field")));
    }

    [Fact]
    public async Task A_key_submits_what_it_may_call()
    {
        var key = await _host.AddKeyAsync("embedder", Scopes.Embed);

        Assert.Equal((403, "missing_scope"), await CodeAsync(await _host.PostAsync("/v1/jobs", Ask, key)));
        Assert.Equal(202, (await _host.PostAsync("/v1/jobs", """{"request":{"path":"/v1/embed","body":{"model":"text-embedding-3-small","input":"a"}}}""", key)).Status);
    }

    [Fact]
    public async Task A_job_runs_with_the_rights_its_key_has_then()
    {
        var key = await _host.AddKeyAsync("gone");
        await FillAsync();
        var job = await SubmitAsync(key: key);
        Assert.True(await _host.Keys.RevokeAsync(TenantId.Default, new KeyId("gone"), _host.Time.GetUtcNow(), Ct));
        _host.Services.GetRequiredService<KeyRing>().Forget(new KeyId("gone"));

        Open();

        var failed = await StateAsync(job, "failed");
        Assert.Equal("invalid_api_key", failed.Text("error", "code"));
        Assert.Equal(401, failed.Json.GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task A_job_whose_answer_is_stored_is_not_called_again()
    {
        var job = await SubmitAsync();
        await StateAsync(job, "completed");

        for (var i = 0; i < 3; i++) await Queue.SendAsync(new JobMessage(job, "default", "request"), TimeSpan.Zero, Ct);

        await EmptyAsync();
        Assert.Single(_host.Script.Calls);
    }

    [Fact]
    public async Task Messages_that_come_twice_at_once_are_one_call()
    {
        await FillAsync();
        var job = await SubmitAsync();
        for (var i = 0; i < 4; i++) await Queue.SendAsync(new JobMessage(job, "default", "request"), TimeSpan.Zero, Ct);

        Open();
        await StateAsync(job, "completed");

        await GatewayHost.UntilAsync(async () => { _host.Advance(TimeSpan.FromSeconds(31)); return (await Queue.ReceiveAsync(1, TimeSpan.FromSeconds(1), TimeSpan.Zero, Ct)).Count == 0; });
        Assert.Equal(5 + 1, _host.Script.Calls.Count);
    }

    [Fact]
    public async Task What_fails_for_a_passing_reason_is_tried_again_until_it_is_dead_and_an_admin_sends_it_on()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Overloaded, "The vendor said no.", 529));
        var job = await SubmitAsync();

        var dead = await AdvancingAsync(job, "dead");

        Assert.Equal((3, "provider_overloaded"), (dead.Json.GetProperty("attempts").GetInt32(), dead.Text("error", "code")));
        Assert.Equal(3, _host.Script.Calls.Count);
        var shown = await _host.GetAsync("/v1/admin/jobs/dead");
        Assert.Equal(job, Assert.Single(shown.Json.GetProperty("jobs").EnumerateArray()).GetProperty("id").GetString());
        Assert.Contains("provider_overloaded", Assert.Single(shown.Json.GetProperty("letters").EnumerateArray()).GetProperty("reason").GetString(), StringComparison.Ordinal);

        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5)));
        Assert.Equal("queued", (await _host.PostAsync($"/v1/admin/jobs/{job}/redrive", "")).Text("state"));
        Assert.Equal(1, (await StateAsync(job, "completed")).Json.GetProperty("attempts").GetInt32());
        Assert.Equal((409, "job_not_dead"), await CodeAsync(await _host.PostAsync($"/v1/admin/jobs/{job}/redrive", "")));
        // The letter is left, and nothing is left to do for it.
        Assert.Equal(0, (await _host.PostAsync("/v1/admin/jobs/redrive", "")).Json.GetProperty("redriven").GetInt32());
        Assert.Empty((await _host.GetAsync("/v1/admin/jobs/dead")).Json.GetProperty("letters").EnumerateArray());
    }

    [Fact]
    public async Task What_would_be_refused_again_fails_at_once()
    {
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Rejected, "The vendor said no.", 400));

        var failed = await StateAsync(await SubmitAsync(), "failed");

        Assert.Equal((400, "provider_rejected", 1), (failed.Json.GetProperty("status").GetInt32(), failed.Text("error", "code"), failed.Json.GetProperty("attempts").GetInt32()));
    }

    [Fact]
    public async Task A_limit_that_is_met_costs_no_attempt()
    {
        var told = 0;
        _host.Script.Chat = (_, _) => Interlocked.Increment(ref told) <= 6
            ? Frames.Then(new ProviderException(ProviderFault.Limited, "Slowly.", 429))
            : Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5)));

        var done = await AdvancingAsync(await SubmitAsync(), "completed");

        Assert.Equal(1, done.Json.GetProperty("attempts").GetInt32());
    }

    [Fact]
    public async Task A_job_that_is_cancelled_is_not_called_or_not_any_more()
    {
        await FillAsync();
        var waiting = await SubmitAsync();
        Assert.Equal("cancelled", (await _host.PostAsync($"/v1/jobs/{waiting}/cancel", "")).Text("state"));
        Open();
        await EmptyAsync();
        Assert.Equal(5, _host.Script.Calls.Count);

        _host.Script.Chat = (_, ct) => Frames.Hang(ct);
        var running = await SubmitAsync();
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
        Assert.Equal("cancelled", (await _host.PostAsync($"/v1/jobs/{running}/cancel", "")).Text("state"));

        await GatewayHost.UntilAsync(() => _host.Script.Open == 0, "the call ended");
        await EmptyAsync();
        Assert.Equal("cancelled", (await _host.GetAsync($"/v1/jobs/{running}")).Text("state"));
        Assert.Equal(6, _host.Script.Calls.Count);
        Assert.Equal("cancelled", (await _host.PostAsync($"/v1/jobs/{running}/cancel", "")).Text("state"));
    }

    [Fact]
    public async Task Never_more_are_called_at_once_than_may_be()
    {
        var (now, most) = (0, 0);
        _host.Script.Chat = (_, _) => CountedAsync();
        var jobs = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => SubmitAsync()));

        foreach (var job in jobs) await StateAsync(job, "completed");

        Assert.Equal(5, most);

        async IAsyncEnumerable<ProviderFrame> CountedAsync()
        {
            lock (_counting) most = Math.Max(most, ++now);
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Ct);
            lock (_counting) now--;
            yield return Frames.Text("Hello");
            yield return Frames.End(TokenCounts.Of(10, 5));
        }
    }
}
