using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Agents;
using Penstock.Gateway;
using Penstock.Jobs;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Alerts;
using Penstock.Tests.Gateway;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Jobs;

/// <summary>Workers and servers that die or stop, and who is told of an end.</summary>
public sealed partial class JobTests
{
    [Fact]
    public async Task A_server_that_stops_gives_back_what_it_cannot_end()
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct);
        var running = await SubmitAsync();
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);

        _host.StartDrain();
        _host.Advance(TimeSpan.FromSeconds(31));

        await GatewayHost.UntilAsync(() => _host.Script.Open == 0, "the call was cut");
        await GatewayHost.UntilAsync(async () => (await RecordAsync(running)).State == JobState.Queued);
        Assert.Equal((0, (string?)null), ((await RecordAsync(running)).Attempts, (await RecordAsync(running)).Owner));
        Assert.Equal(running, Assert.Single(await Queue.ReceiveAsync(10, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(1), Ct)).Message.Id);
    }

    [Fact]
    public async Task A_worker_that_shows_life_keeps_its_job_and_one_that_died_loses_it()
    {
        _host.Script.Chat = (_, ct) => Frames.Hang(ct);
        var alive = await SubmitAsync();
        await GatewayHost.UntilAsync(() => _host.Script.Open == 1);
        var version = (await RecordAsync(alive)).Version;
        for (var i = 0; i < 9; i++)
        {
            _host.Advance(TimeSpan.FromSeconds(10));
            await GatewayHost.UntilAsync(async () => (await RecordAsync(alive)).Version > version);
            version = (await RecordAsync(alive)).Version;
        }

        Assert.Single(_host.Script.Calls);

        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5)));
        var died = await LeaveAsync("/v1/complete", """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}""");
        var done = await AdvancingAsync(died.Value, "completed");
        Assert.Equal(2, done.Json.GetProperty("attempts").GetInt32());
    }

    [Fact]
    public async Task A_job_that_workers_die_of_is_left_alone()
    {
        var died = await LeaveAsync("/v1/complete", "{}", attempts: 3);

        var dead = await AdvancingAsync(died.Value, "dead");

        Assert.Equal("worker_lost", dead.Text("error", "code"));
        Assert.Empty(_host.Script.Calls);
    }

    [Fact]
    public async Task A_tool_that_must_not_be_called_twice_is_not()
    {
        await _host.AddKeyAsync("payer", Scopes.CallTools, key => key with { Tools = ["pay"] });
        var died = await LeaveAsync("/v1/tools/pay", "{}", key: "payer");

        var failed = await AdvancingAsync(died.Value, "failed");

        Assert.Equal("outcome_unknown", failed.Text("error", "code"));
    }

    [Fact]
    public async Task Lists_go_page_by_page_and_show_what_the_key_sees()
    {
        var other = await _host.AddKeyAsync("other", change: key => key with { Project = new ProjectId("elsewhere") });
        var mine = await SubmitAsync(key: other);
        var jobs = new List<string>();
        for (var i = 0; i < 4; i++) jobs.Add(await SubmitAsync());

        var page = await _host.GetAsync("/v1/jobs?limit=3");
        var rest = await _host.GetAsync($"/v1/jobs?limit=3&cursor={page.Text("cursor")}");

        Assert.Equal([mine, .. jobs], Ids(page).Concat(Ids(rest)).Order(StringComparer.Ordinal).OrderBy(id => id == mine ? -1 : jobs.IndexOf(id)));
        Assert.False(rest.Json.TryGetProperty("cursor", out _));
        Assert.Equal([mine], Ids(await _host.GetAsync("/v1/jobs", other)));
        Assert.Equal((404, "job_not_found"), await CodeAsync(await _host.GetAsync($"/v1/jobs/{jobs[0]}", other)));
        Assert.Equal((404, "job_not_found"), await CodeAsync(await _host.SendAsync(HttpMethod.Post, $"/v1/jobs/{jobs[0]}/cancel", "", other)));
        Assert.Equal(403, (await _host.GetAsync("/v1/admin/jobs/dead", other)).Status);
        Assert.Equal(403, (await _host.PostAsync("/v1/admin/jobs/redrive", "", other)).Status);
        Assert.Equal(400, (await _host.GetAsync("/v1/jobs?cursor=x")).Status);
        Assert.Equal(400, (await _host.GetAsync("/v1/jobs?state=lost")).Status);
    }

    [Fact]
    public async Task A_run_is_started_once_however_often_its_job_is_called()
    {
        var job = await SubmitAsync("""{"request":{"path":"/v1/agents/run","body":{"type":"research","input":"a","wait":0}}}""");

        await GatewayHost.UntilAsync(async () => (await RecordAsync(job)) is { State: JobState.Running, Owner: null });
        var version = (await RecordAsync(job)).Version;
        await GatewayHost.UntilAsync(async () => { _host.Advance(TimeSpan.FromSeconds(5)); return (await RecordAsync(job)).Version > version + 4; });

        var runs = await _host.Services.GetRequiredService<IRunStore>().ListAsync(TenantId.Default, new RunQuery { Limit = 10 }, Ct);
        Assert.Equal("run_" + job[4..], Assert.Single(runs).Id.Value);
    }

    [Fact]
    public async Task Who_is_told_of_the_end_is_told_with_a_signature_of_their_own()
    {
        await using var receiver = await Receiver.StartAsync(Ct);
        receiver.Answer = http => Receiver.Status(receiver.Seen.Count < 3 ? 503 : 204)(http);
        var job = await SubmitAsync(Ask[..^1] + $$""","webhook":"{{receiver.Url("/hook")}}"}""");

        await StateAsync(job, "completed");
        await GatewayHost.UntilAsync(async () => { _host.Advance(TimeSpan.FromSeconds(5)); return (await _host.GetAsync($"/v1/jobs/{job}")).Text("webhook", "delivery") == "delivered"; });

        Assert.Equal(3, receiver.Seen.Count);
        Assert.Single(receiver.Seen.Select(seen => seen.Headers["webhook-id"]).Distinct());
        var told = receiver.Seen[^1];
        Assert.Equal(("job.completed", job), (told.Json.GetProperty("type").GetString(), told.Json.GetProperty("data").GetProperty("id").GetString()));
        Assert.False(told.Json.GetProperty("data").TryGetProperty("result", out _));
        var secret = Convert.FromBase64String((await _host.GetAsync("/v1/jobs/webhook-secret")).Text("secret")!["whsec_".Length..]);
        var signed = HMACSHA256.HashData(secret, (byte[])[.. Encoding.UTF8.GetBytes($"{told.Headers["webhook-id"]}.{told.Headers["webhook-timestamp"]}."), .. told.Body]);
        Assert.Equal("v1," + Convert.ToBase64String(signed), told.Headers["webhook-signature"]);
        var other = await _host.AddKeyAsync("other");
        Assert.NotEqual((await _host.GetAsync("/v1/jobs/webhook-secret")).Body, (await _host.GetAsync("/v1/jobs/webhook-secret", other)).Body);
    }

    [Fact]
    public async Task Nobody_inside_is_told()
    {
        await using var receiver = await Receiver.StartAsync(Ct);
        var job = await SubmitAsync(Ask[..^1] + $$""","webhook":"{{receiver.Url("/hook").ToString().Replace("127.0.0.1", "localhost", StringComparison.Ordinal)}}"}""");

        await GatewayHost.UntilAsync(async () => (await _host.GetAsync($"/v1/jobs/{job}")).Text("webhook", "delivery") == "failed");

        Assert.Empty(receiver.Seen);
    }

    [Fact]
    public async Task What_is_past_its_time_is_dropped_and_what_was_forgotten_is_sent_again()
    {
        var job = await SubmitAsync();
        await StateAsync(job, "completed");
        var forgotten = Job(new JobId("job_" + new string('a', 24)), "/v1/complete");
        await Store.AddAsync(forgotten, """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}"""u8.ToArray(), Ct);
        _host.Advance(TimeSpan.FromHours(73));
        using var sweeper = new JobSweeper(Store, Queue, new JobClock(_host.Time), NullLogger<JobSweeper>.Instance);

        await sweeper.StartAsync(Ct);

        await StateAsync(forgotten.Id.Value, "completed");
        await GatewayHost.UntilAsync(async () => (await _host.GetAsync($"/v1/jobs/{job}")).Status == 404);
        await sweeper.StopAsync(Ct);
    }

    [Fact]
    public async Task What_a_guard_rule_masks_is_stored_nowhere()
    {
        var key = await _host.AddKeyAsync("guarded", change: record => record with { Guards = """{"card": "mask"}""" });

        var job = await SubmitAsync(Ask.Replace("hello", "4111 1111 1111 1111", StringComparison.Ordinal), key);

        Assert.Contains("[CARD]", Encoding.UTF8.GetString((await Store.RequestAsync(TenantId.Default, new JobId(job), Ct))!.Value.Span), StringComparison.Ordinal);
        await StateAsync(job, "completed");
        Assert.DoesNotContain("4111", Encoding.UTF8.GetString(Assert.Single(_host.Script.Calls).Call.Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answers_are_as_they_are_described()
    {
        var described = await Description.OfAsync(_host);
        _host.Script.Chat = (_, _) => Frames.Then(new ProviderException(ProviderFault.Overloaded, "The vendor said no.", 529));
        var accepted = await _host.PostAsync("/v1/jobs", Ask);
        described.Fits("post", "/v1/jobs", accepted, 202);
        described.Fits("get", "/v1/jobs/{id}", await _host.GetAsync($"/v1/jobs/{accepted.Text("id")}"));
        await AdvancingAsync(accepted.Text("id")!, "dead");
        described.Fits("get", "/v1/admin/jobs/dead", await _host.GetAsync("/v1/admin/jobs/dead?limit=1"));
        described.Fits("post", "/v1/admin/jobs/{id}/redrive", await _host.PostAsync($"/v1/admin/jobs/{accepted.Text("id")}/redrive", ""));
        described.Fits("post", "/v1/jobs/{id}/cancel", await _host.PostAsync($"/v1/jobs/{accepted.Text("id")}/cancel", ""));
        described.Fits("post", "/v1/admin/jobs/redrive", await _host.PostAsync("/v1/admin/jobs/redrive?most=3", ""));
        described.Fits("get", "/v1/jobs/webhook-secret", await _host.GetAsync("/v1/jobs/webhook-secret"));
        _host.Script.Chat = (_, _) => Frames.Of(Frames.Text("Hello"), Frames.End(TokenCounts.Of(10, 5)));
        var told = await SubmitAsync(Ask[..^1] + """,  "webhook": "http://localhost:9/"}""");
        described.Fits("get", "/v1/jobs/{id}", await StateAsync(told, "completed"));
        described.Fits("get", "/v1/jobs", await _host.GetAsync("/v1/jobs?limit=1"));
    }
}
