using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class RunSteeringTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private IRunStore Store => _host.Services.GetRequiredService<IRunStore>();

    public async ValueTask InitializeAsync() => _host = await AgentHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_cancel_is_asked_for_once_however_often_it_comes_and_not_of_what_has_ended()
    {
        var run = await _host.RunAsync();
        var first = await Tell(run, "cancel", """{"reason":"enough"}""");
        var again = await Tell(run, "cancel", "");

        Assert.Equal((202, 202), (first.Status, again.Status));
        Assert.True(first.Json.GetProperty("cancelRequested").GetBoolean());
        Assert.Equal(["""{"by":"root","reason":"enough"}"""], (await InboxAsync(run)).Select(item => item.Body));

        await (await ScriptedOwner.OfAsync(_host, run)).EndAsync(RunStatus.Cancelled);
        var late = await Tell(run, "cancel", "{}");
        Assert.Equal((409, "run_ended"), (late.Status, late.Text("code")));
    }

    [Fact]
    public async Task An_approval_counts_once_and_only_while_it_is_waited_for()
    {
        var run = await _host.RunAsync();
        var owner = await ScriptedOwner.OfAsync(_host, run);
        await owner.ParkAsync("approval", Requested("c1", "2999-01-01T00:00:00Z"), Requested("late", "2001-01-01T00:00:00Z"), Requested("told", "2999-01-01T00:00:00Z"), (JournalKinds.ApprovalDecided, """{"call":"told","approved":false}"""));

        var denied = await Tell(run, "approvals/c1", """{"approved":false,"reason":"not today"}""");
        var approved = await Tell(run, "approvals/c1", """{"approved":true}""");

        Assert.Equal((202, 409, "already_decided"), (denied.Status, approved.Status, approved.Text("code")));
        Assert.Equal("""{"call":"c1","approved":false,"by":"root","reason":"not today"}""", Assert.Single(await InboxAsync(run)).Body);
        Assert.Equal("approval_expired", (await Tell(run, "approvals/late", """{"approved":true}""")).Text("code"));
        Assert.Equal("already_decided", (await Tell(run, "approvals/told", """{"approved":true}""")).Text("code"));
        Assert.Equal((404, "call_not_found"), ((await Tell(run, "approvals/c2", """{"approved":true}""")).Status, (await Tell(run, "approvals/c2", """{"approved":true}""")).Text("code")));
        Assert.Equal("'approved' is required.", (await Tell(run, "approvals/c1", "")).Text("detail"));
    }

    [Fact]
    public async Task Two_who_approve_at_once_are_one_approval()
    {
        var run = await _host.RunAsync();
        await (await ScriptedOwner.OfAsync(_host, run)).ParkAsync("approval", Requested("c1", "2999-01-01T00:00:00Z"));

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Tell(run, "approvals/c1", i % 2 == 0 ? """{"approved":true}""" : """{"approved":false}""")));

        Assert.Equal(1, answers.Count(answer => answer.Status == 202));
        Assert.Equal(19, answers.Count(answer => answer.Status == 409));
        Assert.Single(await InboxAsync(run));
    }

    [Fact]
    public async Task An_outcome_is_told_only_of_a_call_that_is_asked_about()
    {
        var run = await _host.RunAsync();
        await (await ScriptedOwner.OfAsync(_host, run)).ParkAsync("outcome",
            (JournalKinds.ToolIntent, """{"call":"c1","name":"mail","effect":"once","attempt":1,"key":"k"}"""),
            (JournalKinds.ToolUnknown, """{"call":"c1","name":"mail","attempt":1,"expiresAt":"2999-01-01T00:00:00Z"}"""));

        Assert.Equal(404, (await Tell(run, "outcomes/c2", """{"done":true}""")).Status);
        Assert.Equal(400, (await Tell(run, "outcomes/c1", """{"done":false,"output":1}""")).Status);
        Assert.Equal(202, (await Tell(run, "outcomes/c1", """{"done":true,"output":{"id":7}}""")).Status);
        Assert.Equal(409, (await Tell(run, "outcomes/c1", """{"done":false}""")).Status);
        Assert.Equal("""{"call":"c1","done":true,"output":{"id":7},"by":"root"}""", Assert.Single(await InboxAsync(run)).Body);
    }

    [Fact]
    public async Task A_call_that_is_made_again_and_is_lost_again_is_asked_about_again()
    {
        var run = await _host.RunAsync();
        var (intent, unknown) = ((JournalKinds.ToolIntent, """{"call":"c1","name":"mail","effect":"once","attempt":1,"key":"k"}"""), (JournalKinds.ToolUnknown, """{"call":"c1","name":"mail","attempt":1,"expiresAt":"2999-01-01T00:00:00Z"}"""));
        await (await ScriptedOwner.OfAsync(_host, run)).ParkAsync("outcome", intent, unknown);
        Assert.Equal(202, (await Tell(run, "outcomes/c1", """{"done":false}""")).Status);
        var told = Assert.Single(await InboxAsync(run));
        var next = await ScriptedOwner.OfAsync(_host, run);
        await next.AppendAsync(null, [told.Id], (JournalKinds.OutcomeDecided, told.Body));
        await next.ParkAsync("outcome", intent, unknown);

        Assert.Equal(202, (await Tell(run, "outcomes/c1", """{"done":true}""")).Status);
        Assert.Equal(409, (await Tell(run, "outcomes/c1", """{"done":false}""")).Status);
    }

    [Fact]
    public async Task A_signal_comes_once_by_its_id_and_takes_nobodys_place()
    {
        var run = await _host.RunAsync();
        await (await ScriptedOwner.OfAsync(_host, run)).ParkAsync("approval", Requested("c1", "2999-01-01T00:00:00Z"));

        var first = await Tell(run, "signal", """{"name":"paid","payload":{"n":1},"id":"approval:c1"}""");
        var again = await Tell(run, "signal", """{"name":"paid","payload":{"n":2},"id":"approval:c1"}""");
        var other = await Tell(run, "signal", """{"name":"paid"}""");
        var approval = await Tell(run, "approvals/c1", """{"approved":true}""");

        Assert.Equal((true, false, true), (first.Json.GetProperty("added").GetBoolean(), again.Json.GetProperty("added").GetBoolean(), other.Json.GetProperty("added").GetBoolean()));
        Assert.Equal(202, approval.Status);
        Assert.Equal("""{"id":"approval:c1","name":"paid","payload":{"n":1}}""", (await InboxAsync(run))[0].Body);
        Assert.Equal(400, (await Tell(run, "signal", $$"""{"name":"n","payload":"{{new string('x', 70_000)}}"}""")).Status);
    }

    [Fact]
    public async Task A_fork_begins_with_what_was_known_and_with_nobodys_costs()
    {
        var run = await _host.EndedRunAsync(3);
        var steps = (await _host.GetAsync($"/v1/agents/runs/{run}")).Json.GetProperty("steps").EnumerateArray().Where(step => step.GetProperty("kind").GetString() == "model").Select(step => step.GetProperty("seq").GetInt64()).ToList();

        var fork = await Tell(run, "fork", $$"""{"from":{{steps[1]}}}""");

        Assert.True(fork.Status == 201, fork.Body);
        var copied = await Store.JournalAsync(TenantId.Default, new RunId(fork.Text("id")!), 0, 100, Ct);
        var origin = await Store.JournalAsync(TenantId.Default, new RunId(run), 0, (int)steps[1], Ct);
        Assert.Equal(origin.Skip(1).Select(entry => (entry.Seq, entry.Kind, entry.Body)), copied.Skip(1).Select(entry => (entry.Seq, entry.Kind, entry.Body)));
        var head = await Store.GetAsync(TenantId.Default, new RunId(fork.Text("id")!), Ct);
        Assert.All(copied, entry => Assert.Equal((0, head!.CreatedAt), (entry.Epoch, entry.At)));
        Assert.Equal($$"""{"run":"{{run}}","from":{{steps[1]}}}""", JsonDocument.Parse(copied[0].Body).RootElement.GetProperty("fork").GetRawText());
        Assert.Equal(0, (await _host.GetAsync($"/v1/agents/runs/{fork.Text("id")}")).Json.GetProperty("cost").GetDecimal());
        foreach (var wrong in new[] { 0, steps[1] + 1, steps[1] - 1, 9_999 }) Assert.Equal((wrong, 400), (wrong, (await Tell(run, "fork", $$"""{"from":{{wrong}}}""")).Status));
    }

    [Fact]
    public async Task There_is_no_fork_where_a_call_has_no_result_or_was_tried_before()
    {
        var run = await _host.RunAsync();
        await (await ScriptedOwner.OfAsync(_host, run)).AppendAsync(
            (JournalKinds.ModelIntent, """{"op":1,"attempt":1,"model":"m"}"""),
            (JournalKinds.ModelFailed, """{"op":1,"attempt":1,"code":"x","message":"m","retry":true}"""),
            (JournalKinds.ModelIntent, """{"op":1,"attempt":2,"model":"m"}"""),
            (JournalKinds.ModelResult, """{"op":1,"text":"","calls":[{"id":"c","name":"t","arguments":{}}],"cost":0}"""),
            (JournalKinds.ModelIntent, """{"op":5,"attempt":1,"model":"m"}"""));

        Assert.Equal((201, 400, 400), ((await Tell(run, "fork", """{"from":1}""")).Status, (await Tell(run, "fork", """{"from":3}""")).Status, (await Tell(run, "fork", """{"from":5}""")).Status));
    }

    [Fact]
    public async Task Only_a_dead_run_is_sent_on()
    {
        var run = await _host.RunAsync();
        var early = await Tell(run, "redrive", "");
        await (await ScriptedOwner.OfAsync(_host, run)).EndAsync(RunStatus.Dead);
        var sent = await Tell(run, "redrive", "{}");
        var again = await Tell(run, "redrive", "{}");

        Assert.Equal((409, "run_not_dead", 202, "queued", 409), (early.Status, early.Text("code"), sent.Status, sent.Text("status"), again.Status));
        Assert.Equal((InboxKinds.Redriven, """{"by":"root"}"""), ((await InboxAsync(run))[0].Kind, (await InboxAsync(run))[0].Body));
    }

    [Fact]
    public async Task What_is_told_wakes_who_waits_for_it()
    {
        var signals = _host.Services.GetRequiredService<RunSignals>();
        var run = await _host.RunAsync();
        var (work, changed) = (signals.NextWork, signals.Next(new RunId(run)));

        await Tell(run, "signal", """{"name":"n"}""");

        Assert.True(work.IsCompletedSuccessfully && changed.IsCompletedSuccessfully);
    }

    private static (string, string) Requested(string call, string expires) => (JournalKinds.ApprovalRequested, $$"""{"call":"{{call}}","name":"mail","arguments":{},"expiresAt":"{{expires}}"}""");

    private Task<Answer> Tell(string run, string what, string body) => _host.PostAsync($"/v1/agents/runs/{run}/{what}", body);

    private Task<IReadOnlyList<InboxItem>> InboxAsync(string run) => Store.InboxAsync(TenantId.Default, new RunId(run), Ct);
}
