using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class RunEndpointsTests : IAsyncLifetime
{
    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private IRunStore Store => _host.Services.GetRequiredService<IRunStore>();

    public async ValueTask InitializeAsync() => _host = await AgentHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_run_that_does_not_end_in_time_is_answered_with_its_id_and_its_place()
    {
        var first = await _host.PostAsync("/v1/agents/run", """{"type":"helper","input":"a","wait":0}""");
        var second = await _host.PostAsync("/v1/agents/run", """{"type":"helper","input":{"topic":"b"},"wait":0.01,"conversation":"c","user":"u"}""");

        Assert.Equal((202, "queued", 1), (first.Status, first.Text("status"), first.Json.GetProperty("position").GetInt32()));
        Assert.Equal(2, second.Json.GetProperty("position").GetInt32());
        Assert.Equal($"/v1/agents/runs/{second.Text("id")}", second.Headers["Location"]);
        var head = await Store.GetAsync(TenantId.Default, new RunId(second.Text("id")!), Ct);
        Assert.Equal(("c", "u", "root", 1L, RunStatus.Queued), (head!.Conversation, head.EndUser, head.Key.Value, head.NextSeq, head.Status));
        Assert.Equal(head.CreatedAt, head.WakeAt);
    }

    [Fact]
    public async Task A_run_that_ends_in_time_is_answered_whole()
    {
        var asking = _host.PostAsync("/v1/agents/run", """{"type":"helper","input":"what is 2+2","wait":50}""");
        var run = await QueuedAsync();
        var owner = await ScriptedOwner.OfAsync(_host, run);
        await owner.StepAsync("call_1");
        await owner.EndAsync(output: """{"answer":4}""");

        var answer = await asking;

        Assert.True(answer.Status == 200, answer.Body);
        Assert.Equal(("completed", 4), (answer.Text("status"), answer.Json.GetProperty("output").GetProperty("answer").GetInt32()));
        var steps = answer.Json.GetProperty("steps").EnumerateArray().ToList();
        Assert.Equal(["model:1", "tool:call_1"], steps.Select(step => step.GetProperty("id").GetString()));
        Assert.Equal("model:1", steps[1].GetProperty("parent").GetString());
        Assert.Equal("2+2", steps[1].GetProperty("arguments").GetProperty("expression").GetString());
        Assert.Equal((15, 0.0015m), (answer.Json.GetProperty("usage").GetProperty("totalTokens").GetInt32(), answer.Json.GetProperty("cost").GetDecimal()));
    }

    [Fact]
    public async Task A_client_that_leaves_ends_its_waiting_and_not_the_run()
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        using var client = _host.Connect(GatewayHost.OperatorKey);
        var asking = client.PostAsync("/v1/agents/run", new StringContent("""{"type":"helper","input":"a","wait":50}"""), gone.Token);
        var run = await QueuedAsync();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);

        await GatewayHost.UntilAsync(() => _host.Log.Lines.Any(line => line.ToString().Contains("499", StringComparison.Ordinal)));
        Assert.Equal((RunStatus.Queued, false), ((await Store.GetAsync(TenantId.Default, new RunId(run), Ct))!.Status, (await Store.GetAsync(TenantId.Default, new RunId(run), Ct))!.CancelRequested));
    }

    [Fact]
    public async Task A_named_start_is_one_run_however_often_it_comes()
    {
        var body = """{"type":"helper","input":"a","wait":0}""";
        var first = await _host.SendAsync(HttpMethod.Post, "/v1/agents/run", body, headers: ("Idempotency-Key", "k1"));
        var second = await _host.SendAsync(HttpMethod.Post, "/v1/agents/run", body, headers: ("Idempotency-Key", "k1"));
        var other = await _host.SendAsync(HttpMethod.Post, "/v1/agents/run", """{"type":"helper","input":"b","wait":0}""", headers: ("Idempotency-Key", "k1"));

        Assert.Equal((202, 202, 422), (first.Status, second.Status, other.Status));
        Assert.Equal((first.Body, "true"), (second.Body, second.Headers["idempotency-replayed"]));
        Assert.Single(await Store.ListAsync(TenantId.Default, new RunQuery { Limit = 10 }, Ct));
    }

    [Theory]
    [InlineData("""{"type":"nobody","input":"a"}""", 404, "agent_not_found", "There is no agent 'nobody'")]
    [InlineData("""{"type":"helper"}""", 400, "invalid_request", "'input' is required")]
    [InlineData("""{"type":"helper","input":5}""", 400, "invalid_request", "'input' must be a text or an object")]
    [InlineData("""{"type":"helper","input":"a","tool":[]}""", 400, "invalid_request", "'tool' is not a field")]
    [InlineData("""{"type":"helper","input":"a","wait":56}""", 400, "invalid_request", "'wait' must be a number from 0 to 55")]
    [InlineData("""{"type":"helper","input":"a","wait":-1}""", 400, "invalid_request", "'wait'")]
    [InlineData("""{"type":"strict","input":{"topic":5}}""", 400, "invalid_request", "/topic")]
    [InlineData("""{"type":"strict","input":{}}""", 400, "invalid_request", "topic")]
    [InlineData("""{"type":"helper","input":"a","tools":["nothing"]}""", 404, "tool_not_found", "There is no tool 'nothing'")]
    [InlineData("""{"type":"helper","input":"a","tools":["http_fetch"]}""", 400, "invalid_request", "which has calculator, s*")]
    [InlineData("""{"type":"helper","input":"a","limits":{"usd":0.51}}""", 400, "invalid_request", "'limits.usd' must be a number from 0 to 0.5")]
    [InlineData("""{"type":"helper","input":"a","limits":{"steps":11}}""", 400, "invalid_request", "'limits.steps'")]
    [InlineData("""{"type":"helper","input":"a","limits":{"hope":1}}""", 400, "invalid_request", "'limits.hope' is not a field")]
    [InlineData("""{"type":"helper","input":"a","model":"no-such-model-anywhere"}""", 404, "model_not_found", "no-such-model-anywhere")]
    [InlineData("""{"type":"helper","input":{"documents":[{"text":"a","docId":"x"},{"text":"b","docId":"x"}]}}""", 400, "invalid_request", "'input.documents[1]'")]
    [InlineData("""{"type":"helper","input":{"documents":[""]}}""", 400, "invalid_request", "must not be empty")]
    [InlineData("""{"type":"helper","input":{"documents":"a"}}""", 400, "invalid_request", "must be an array")]
    [InlineData("""{"type":"helper","input":{"a":"\ud800"}}""", 400, "invalid_request", "half of a surrogate pair")]
    [InlineData("""{"type":"helper","input":"a","conversation":"a\u0000b"}""", 400, "invalid_request", "'conversation' must have no control character")]
    public async Task What_cannot_be_started_is_refused_by_name(string body, int status, string code, string says)
    {
        var answer = await _host.PostAsync("/v1/agents/run", body);

        Assert.True((status, code) == (answer.Status, answer.Text("code")), answer.Body);
        Assert.Contains(says, answer.Text("detail"), StringComparison.Ordinal);
        Assert.Empty(await Store.ListAsync(TenantId.Default, new RunQuery { Limit = 10 }, Ct));
    }

    [Fact]
    public async Task Documents_are_entries_of_their_own_and_leave_the_input()
    {
        var run = await _host.RunAsync("""{"type":"strict","input":{"topic":"fish","documents":["one",{"docId":"d","title":"T","uri":"u:1","text":"two"}]},"tools":["calculator","search"],"limits":{"usd":0.1,"steps":3},"wait":0}""");

        var entries = await Store.JournalAsync(TenantId.Default, new RunId(run), 0, 10, Ct);

        Assert.Equal(["run.started", "run.document", "run.document"], entries.Select(entry => entry.Kind));
        var started = JsonDocument.Parse(entries[0].Body).RootElement;
        Assert.Equal("""{"topic":"fish"}""", started.GetProperty("input").GetRawText());
        Assert.Equal("""["calculator","search"]""", started.GetProperty("tools").GetRawText());
        Assert.Equal((0.1m, 3, 300), (started.GetProperty("limits").GetProperty("usd").GetDecimal(), started.GetProperty("limits").GetProperty("steps").GetInt32(), started.GetProperty("limits").GetProperty("wallSeconds").GetInt32()));
        Assert.Contains(AgentHost.Instructions, started.GetProperty("definition").GetProperty("instructions").GetString(), StringComparison.Ordinal);
        Assert.Equal("""{"docId":"document-1","text":"one"}""", entries[1].Body);
        Assert.Equal("""{"docId":"d","title":"T","uri":"u:1","text":"two"}""", entries[2].Body);
        Assert.Equal(Money.FromUsd(0.1m), (await Store.GetAsync(TenantId.Default, new RunId(run), Ct))!.Limit);
    }

    [Fact]
    public async Task What_is_too_large_is_refused_with_what_would_do()
    {
        var large = new string('x', JournalEntry.LargestBody);
        var input = await _host.PostAsync("/v1/agents/run", $$"""{"type":"helper","input":"{{large}}"}""");
        var document = await _host.PostAsync("/v1/agents/run", $$$"""{"type":"helper","input":{"documents":["a","{{{large}}}"]}}""");
        var many = await _host.PostAsync("/v1/agents/run", $$$"""{"type":"helper","input":{"documents":[{{{string.Join(',', Enumerable.Repeat("\"a\"", 201))}}}]}}""");
        var most = await _host.PostAsync("/v1/agents/run", $$$"""{"type":"helper","wait":0,"input":{"documents":[{{{string.Join(',', Enumerable.Repeat($"\"{large[..299_900]}\"", 20))}}}]}}""");

        Assert.Contains("input.documents", input.Text("detail"), StringComparison.Ordinal);
        Assert.Contains("'input.documents[1]' has more than 300000 bytes", document.Text("detail"), StringComparison.Ordinal);
        Assert.Contains("at most 200", many.Text("detail"), StringComparison.Ordinal);
        Assert.True(most.Status == 202, most.Body);
    }

    [Fact]
    public async Task Guard_rules_are_applied_before_anything_is_journaled()
    {
        const string Card = "4111 1111 1111 1111";
        var key = await _host.AddKeyAsync("guarded", Scopes.RunAgents | Scopes.Complete, record => record with { Guards = """{"card":"mask"}""" });

        var run = await _host.PostAsync("/v1/agents/run", $$$"""{"type":"helper","input":{"topic":"{{{Card}}}","documents":["{{{Card}}}"]},"user":"{{{Card}}}","wait":0}""", key);
        Assert.True(run.Status == 202, run.Body);
        await _host.PostAsync($"/v1/agents/runs/{run.Text("id")}/signal", $$"""{"name":"paid","payload":"{{Card}}"}""", key);
        await _host.PostAsync("/v1/agents/memory?user=ann", $$"""{"text":"pays with {{Card}}"}""", key);

        var id = new RunId(run.Text("id")!);
        var stored = string.Join('\n', (await Store.JournalAsync(TenantId.Default, id, 1, 10, Ct)).Select(entry => entry.Body).Concat((await Store.InboxAsync(TenantId.Default, id, Ct)).Select(item => item.Body)))
            + (await Store.GetAsync(TenantId.Default, id, Ct))!.EndUser + (await Store.JournalAsync(TenantId.Default, id, 0, 1, Ct))[0].Body + (await _host.GetAsync("/v1/agents/memory?user=ann", key)).Body;
        Assert.DoesNotContain("4111", stored, StringComparison.Ordinal);
        Assert.Equal(5, stored.Split("[CARD]").Length - 1);
    }

    [Fact]
    public async Task A_run_is_its_projects_and_its_tenants_admins()
    {
        var mine = await _host.AgentKeyAsync("mine", "red");
        var run = await _host.RunAsync(key: mine);
        var peer = await _host.AgentKeyAsync("peer", "red");
        var (stranger, abroad) = (await _host.AgentKeyAsync("stranger", "blue"), await _host.AgentKeyAsync("abroad", "red", "other", Scopes.RunAgents | Scopes.Admin));
        var admin = await _host.AgentKeyAsync("admin", "green", scopes: Scopes.RunAgents | Scopes.Admin);
        var without = await _host.AgentKeyAsync("without", "red", scopes: Scopes.Complete | Scopes.Admin);

        foreach (var (key, status, listed) in new[] { (mine, 200, 1), (peer, 200, 1), (admin, 200, 1), (stranger, 404, 0), (abroad, 404, 0) })
        {
            Assert.Equal(status, (await _host.GetAsync($"/v1/agents/runs/{run}", key)).Status);
            Assert.Equal(listed, (await _host.GetAsync("/v1/agents/runs", key)).Json.GetProperty("runs").GetArrayLength());
            if (status == 404)
            {
                Assert.Equal(404, (await _host.GetAsync($"/v1/agents/runs/{run}/events", key)).Status);
                foreach (var (path, body) in Steering) Assert.Equal((path, 404), (path, (await _host.PostAsync($"/v1/agents/runs/{run}/{path}", body, key)).Status));
            }
        }

        foreach (var (path, body) in Steering) Assert.Equal((path, 403), (path, (await _host.PostAsync($"/v1/agents/runs/{run}/{path}", body, without)).Status));
        Assert.Equal((403, 403, 403), ((await _host.GetAsync($"/v1/agents/runs/{run}", without)).Status, (await _host.GetAsync("/v1/agents/runs", without)).Status, (await _host.PostAsync("/v1/agents/run", """{"type":"helper","input":"a"}""", without)).Status));
        Assert.Equal((401, 401), ((await _host.GetAsync($"/v1/agents/runs/{run}", null)).Status, (await _host.PostAsync("/v1/agents/stream", "{}", null)).Status));
    }

    private static readonly (string Path, string Body)[] Steering =
        [("cancel", "{}"), ("approvals/c", """{"approved":true}"""), ("outcomes/c", """{"done":false}"""), ("signal", """{"name":"n"}"""), ("fork", """{"from":1}"""), ("redrive", "")];

    [Fact]
    public async Task The_list_is_newest_first_and_is_paged_and_filtered()
    {
        var runs = new List<string>();
        for (var i = 0; i < 7; i++) runs.Add(await _host.RunAsync(i % 2 == 0 ? """{"type":"helper","input":"a","wait":0}""" : """{"type":"strict","input":{"topic":"a"},"wait":0}"""));
        await (await ScriptedOwner.OfAsync(_host, runs[3])).EndAsync();

        var seen = new List<string>();
        for (var cursor = ""; ;)
        {
            var page = (await _host.GetAsync($"/v1/agents/runs?limit=3{cursor}")).Json;
            seen.AddRange(page.GetProperty("runs").EnumerateArray().Select(run => run.GetProperty("id").GetString()!));
            if (!page.TryGetProperty("cursor", out var next)) break;
            cursor = "&cursor=" + next.GetString();
        }

        // Those of one millisecond stand in the order of their ids.
        var expected = await Store.ListAsync(TenantId.Default, new RunQuery { Limit = 100 }, Ct);
        Assert.Equal(expected.Select(run => run.Id.Value), seen);
        Assert.Equal(runs.Order(), seen.Order());
        Assert.Equal([runs[3]], Ids(await _host.GetAsync("/v1/agents/runs?status=completed")));
        Assert.Equal(3, Ids(await _host.GetAsync("/v1/agents/runs?type=strict")).Count);
        foreach (var query in new[] { "status=gone", "limit=0", "limit=201", "limit=a", "cursor=a", "cursor=1-run_zz", "cursor=99999999999999999-run_000000000000000000000000", "kind=a", "limit=1&limit=2" })
            Assert.Equal((query, 400), (query, (await _host.GetAsync("/v1/agents/runs?" + query)).Status));
    }

    [Fact]
    public async Task A_run_shows_what_it_waits_for_and_the_runs_below_it()
    {
        var run = await _host.RunAsync();
        var owner = await ScriptedOwner.OfAsync(_host, run);
        await owner.AppendAsync(
            (JournalKinds.ModelIntent, """{"op":1,"attempt":1,"model":"m"}"""),
            (JournalKinds.ModelResult, """{"op":1,"text":"","calls":[{"id":"a/b","name":"mail","arguments":{"to":"x"}},{"id":"c","name":"helper","arguments":{}}],"cost":0,"inputTokens":1,"outputTokens":1}"""),
            (JournalKinds.ChildStarted, """{"call":"c","run":"run_000000000000000000000001","agent":"helper"}"""));
        await owner.ParkAsync("approval", (JournalKinds.ApprovalRequested, """{"call":"a/b","name":"mail","arguments":{"to":"x"},"expiresAt":"2999-01-01T00:00:00Z"}"""));
        var parent = (await Store.GetAsync(TenantId.Default, new RunId(run), Ct))!;
        var child = parent with { Id = new RunId("run_000000000000000000000001"), Parent = parent.Id, Path = $"{run}/run_000000000000000000000001", Status = RunStatus.Queued, Epoch = 0, Owner = null, NextSeq = 1, WaitsFor = null, WakeAt = parent.CreatedAt };
        Assert.True(await Store.CreateAsync(child, [new JournalEntry(0, JournalKinds.Started, parent.CreatedAt, 0, """{"definition":{},"input":"x"}""")], Ct));

        var answer = await _host.GetAsync($"/v1/agents/runs/{run}");

        Assert.True(answer.Status == 200, answer.Body);
        Assert.Equal(("waiting", "approval"), (answer.Text("status"), answer.Text("waitsFor")));
        var waiting = answer.Json.GetProperty("waiting").EnumerateArray().ToList();
        Assert.Equal(["child", "approval"], waiting.Select(one => one.GetProperty("kind").GetString()));
        Assert.Equal(("a/b", $"/v1/agents/runs/{run}/approvals/a%2Fb", "2999-01-01T00:00:00+00:00"), (waiting[1].GetProperty("call").GetString(), waiting[1].GetProperty("answerAt").GetString(), waiting[1].GetProperty("expiresAt").GetString()));
        Assert.Equal("run_000000000000000000000001", answer.Json.GetProperty("children")[0].GetProperty("id").GetString());
        Assert.False(answer.Json.TryGetProperty("output", out _));
        Assert.DoesNotContain(AgentHost.Instructions, answer.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run_1")]
    [InlineData("run_00000000000000000000000g")]
    [InlineData("RUN_000000000000000000000000")]
    [InlineData("run_000000000000000000000000%0a")]
    [InlineData("..%2F..%2Fetc")]
    [InlineData("'; DROP TABLE agent_runs; --")]
    public async Task No_id_of_anything_else_is_found(string id)
    {
        foreach (var path in new[] { "", "/events" }) Assert.Equal(404, (await _host.GetAsync($"/v1/agents/runs/{id}{path}")).Status);
        foreach (var (path, body) in Steering) Assert.Equal(404, (await _host.PostAsync($"/v1/agents/runs/{id}/{path}", body)).Status);
    }

    private static List<string> Ids(Answer answer) => [.. answer.Json.GetProperty("runs").EnumerateArray().Select(run => run.GetProperty("id").GetString()!)];

    private async Task<string> QueuedAsync()
    {
        IReadOnlyList<RunRecord> found = [];
        await GatewayHost.UntilAsync(async () => (found = await Store.ListAsync(TenantId.Default, new RunQuery { Limit = 1 }, Ct)).Count > 0);
        return found[0].Id.Value;
    }
}
