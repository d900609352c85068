using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class RunStreamTests : IAsyncLifetime
{
    private const int Cuts = 1_000;

    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await AgentHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Events_are_the_journal_and_the_growing_answers_in_order()
    {
        var run = await _host.EndedRunAsync(1);

        var answer = await _host.GetAsync($"/v1/agents/runs/{run}/events");

        Assert.Equal((200, "text/event-stream; charset=utf-8", run), (answer.Status, answer.Headers["Content-Type"], answer.Headers["x-penstock-run"]));
        var events = EventText.Parse(answer.Body);
        Assert.Equal(["0.0 run.started", "1.0 model.intent", "1.1 model.delta", "1.2 model.delta", "1.3 model.delta", "2.0 model.result", "3.0 tool.intent", "4.0 tool.result", "5.0 run.ended"], events.Select(one => $"{one.Id} {one.Kind}"));
        Assert.All(events, one => Assert.Equal(one.Id.Split('.')[0], JsonDocument.Parse(one.Data).RootElement.GetProperty("seq").GetRawText()));
        Assert.Equal("I will ask", string.Concat(events.Where(one => one.Kind == "model.delta").Select(one => JsonDocument.Parse(one.Data).RootElement.GetProperty("text").GetString())));
    }

    [Fact]
    public async Task The_start_shows_which_definition_and_not_what_stands_in_it()
    {
        var run = await _host.RunAsync("""{"type":"helper","input":{"topic":"x","documents":["a secret text"]},"wait":0}""");
        await (await ScriptedOwner.OfAsync(_host, run)).EndAsync();

        var answer = await _host.GetAsync($"/v1/agents/runs/{run}/events");

        var started = JsonDocument.Parse(EventText.Parse(answer.Body)[0].Data).RootElement;
        Assert.Equal(["name", "version", "hash"], started.GetProperty("definition").EnumerateObject().Select(member => member.Name));
        Assert.Equal((run, "x"), (started.GetProperty("run").GetString(), started.GetProperty("input").GetProperty("topic").GetString()));
        Assert.DoesNotContain(AgentHost.Instructions[..20], answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("a secret text", answer.Body, StringComparison.Ordinal);
        Assert.Contains("\"characters\":13", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_thousand_cut_streams_are_joined_the_bytes_of_an_uncut_one()
    {
        var run = await _host.EndedRunAsync();
        var whole = Encoding.UTF8.GetBytes((await _host.GetAsync($"/v1/agents/runs/{run}/events")).Body);
        var dice = new SeededSource(7);
        var cuts = 0;
        while (cuts < Cuts)
        {
            var joined = new List<byte>();
            string? last = null;
            // Where the cuts fall is a matter of bytes: within an id, within a character, between two events.
            for (var left = dice.Below(5) + 1; left > 0; left--, cuts++)
            {
                var (bytes, id) = EventText.Received(await ReadAsync(run, last, dice.Below(whole.Length / 3)));
                joined.AddRange(bytes);
                last = id ?? last;
            }

            joined.AddRange(await ReadAsync(run, last, int.MaxValue));
            Assert.True(whole.AsSpan().SequenceEqual(joined.ToArray()), $"differs after cut {cuts}");
        }
    }

    [Fact]
    public async Task A_stream_that_is_read_while_it_is_written_is_the_same()
    {
        var run = await _host.RunAsync();
        var owner = await ScriptedOwner.OfAsync(_host, run);
        var dice = new SeededSource(9);
        var watching = Enumerable.Range(0, 8).Select(i => WatchAsync(run, i % 2 == 0 ? null : new SeededSource((ulong)i))).ToArray();
        for (var step = 0; step < 60; step++)
        {
            await owner.AppendAsync((JournalKinds.ModelIntent, $$"""{"op":{{owner.Next}},"attempt":1,"model":"m"}"""));
            for (var (piece, most) = (1, dice.Below(400)); piece <= most; piece += 50) await owner.GrowAsync(piece, [.. Enumerable.Range(0, Math.Min(50, most - piece + 1)).Select(i => $"{step}:{piece + i} ")]);
            await owner.AppendAsync([.. Enumerable.Range(0, dice.Below(19) + 1).Select(i => (JournalKinds.Signal, $$"""{"id":"s","name":"{{i}}","payload":null}"""))]);
        }

        await owner.EndAsync();
        var whole = (await _host.GetAsync($"/v1/agents/runs/{run}/events")).Body;
        foreach (var watched in await Task.WhenAll(watching)) Assert.Equal(whole, Encoding.UTF8.GetString(watched));
        var ids = EventText.Parse(whole).Select(one => RunCursor.Parse(one.Id, "id")).ToList();
        Assert.Equal(ids.Order(), ids);
        Assert.Equal(ids.Count, ids.Distinct().Count());
        Assert.True(ids.Count > 3_000, $"{ids.Count} events");
    }

    [Fact]
    public async Task A_client_that_comes_back_after_the_end_is_told_to_stay_away()
    {
        var run = await _host.EndedRunAsync(1);

        Assert.Equal(204, (await EventsAsync(run, "", "5.0")).Status);
        Assert.Equal(204, (await _host.GetAsync($"/v1/agents/runs/{run}/events?after=5.0")).Status);
        Assert.Equal(["5.0"], EventText.Parse((await EventsAsync(run, "", "4.0")).Body).Select(one => one.Id));
        // The header says where the client is; the address says where it was.
        Assert.Equal(["5.0"], EventText.Parse((await EventsAsync(run, "?after=1.0", "4.0")).Body).Select(one => one.Id));
        Assert.Equal(["1.3", "2.0"], EventText.Parse((await EventsAsync(run, "?after=1.2", null)).Body).Take(2).Select(one => one.Id));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("1.")]
    [InlineData(".1")]
    [InlineData("a.b")]
    [InlineData("-1.0")]
    [InlineData("1.0.0")]
    [InlineData(" 1.0")]
    [InlineData("99999999999999999999.0")]
    [InlineData("1.99999999999")]
    [InlineData("6.0")]
    [InlineData("9223372036854775807.0")]
    public async Task A_cursor_that_is_no_event_of_the_run_is_refused(string cursor)
    {
        var run = await _host.EndedRunAsync(1);

        var query = await _host.GetAsync($"/v1/agents/runs/{run}/events?after={Uri.EscapeDataString(cursor)}");

        Assert.Equal((400, "after"), (query.Status, query.Text("field")));
        if (cursor[0] != ' ') Assert.Equal((400, "Last-Event-ID"), ((await EventsAsync(run, "", cursor)).Status, (await EventsAsync(run, "", cursor)).Text("field")));
    }

    [Fact]
    public async Task A_dead_run_that_is_sent_on_goes_on_in_the_same_stream()
    {
        var run = await _host.RunAsync();
        await (await ScriptedOwner.OfAsync(_host, run)).EndAsync(RunStatus.Dead);
        var first = (await _host.GetAsync($"/v1/agents/runs/{run}/events")).Body;
        Assert.Equal(202, (await _host.PostAsync($"/v1/agents/runs/{run}/redrive", "")).Status);

        var watching = EventsAsync(run, "", "1.0");
        await (await ScriptedOwner.OfAsync(_host, run)).EndAsync();

        var whole = (await _host.GetAsync($"/v1/agents/runs/{run}/events")).Body;
        Assert.Equal(whole, first + (await watching).Body);
    }

    [Fact]
    public async Task A_run_that_is_started_as_a_stream_is_told_from_its_start_to_its_end()
    {
        using var client = _host.Connect(GatewayHost.OperatorKey);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/agents/stream") { Content = new StringContent("""{"type":"helper","input":"a"}""") };
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
        var run = response.Headers.GetValues("x-penstock-run").Single();
        var owner = await ScriptedOwner.OfAsync(_host, run);
        await owner.StepAsync("c");
        await owner.EndAsync();

        Assert.Equal((await _host.GetAsync($"/v1/agents/runs/{run}/events")).Body, await response.Content.ReadAsStringAsync(Ct));
    }

    [Fact]
    public async Task A_silence_is_filled_and_nothing_of_it_is_an_event()
    {
        await using var host = await AgentHost.StartAsync(new ManualTime());
        var run = await host.RunAsync();
        using var client = host.Connect(GatewayHost.OperatorKey);
        using var response = await client.GetAsync($"/v1/agents/runs/{run}/events", HttpCompletionOption.ResponseHeadersRead, Ct);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(Ct));
        var text = new StringBuilder();
        var reading = Task.Run(async () =>
        {
            while (await lines.ReadLineAsync(Ct) is { } line) lock (text) text.Append(line).Append('\n');
        }, Ct);
        string Seen()
        {
            lock (text) return text.ToString();
        }

        await GatewayHost.UntilAsync(() => Seen().Contains("run.started", StringComparison.Ordinal));
        await GatewayHost.UntilAsync(() =>
        {
            host.Advance(TimeSpan.FromMilliseconds(250));
            return Seen().Contains(": ping\n\n", StringComparison.Ordinal);
        });
        Assert.True(host.Time.GetUtcNow() - new ManualTime().GetUtcNow() >= TimeSpan.FromSeconds(15));
        await (await ScriptedOwner.OfAsync(host, run)).EndAsync();
        await reading;

        Assert.Equal(["0.0", "1.0"], EventText.Parse(Seen()).Select(one => one.Id));
    }

    [Fact]
    public async Task A_server_that_stops_lets_its_watchers_go_at_once()
    {
        var run = await _host.RunAsync();
        using var client = _host.Connect(GatewayHost.OperatorKey);
        using var response = await client.GetAsync($"/v1/agents/runs/{run}/events", HttpCompletionOption.ResponseHeadersRead, Ct);
        var waiting = _host.PostAsync("/v1/agents/run", """{"type":"helper","input":"a","wait":50}""");
        await GatewayHost.UntilAsync(async () => (await _host.GetAsync("/v1/agents/runs")).Json.GetProperty("runs").GetArrayLength() == 2);

        _host.StartDrain();

        Assert.DoesNotContain("run.ended", await response.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        Assert.Equal(202, (await waiting).Status);
    }

    [Fact]
    public void A_body_that_was_written_over_several_lines_is_one_line()
    {
        var run = new RunRecord { Tenant = TenantId.Default, Id = new RunId("run_1"), Project = ProjectId.Default, Key = new KeyId("k"), Agent = "a", Version = "1", Hash = "h", Path = "run_1", Limit = Money.Zero, CreatedAt = DateTimeOffset.UnixEpoch };

        var one = RunEvent.Of(run, new JournalEntry(3, JournalKinds.Signal, DateTimeOffset.UnixEpoch, 1, " {\n  \"name\": \"a\\nb\",\r\n \"payload\": [1,\n 2]\n} "));
        var empty = RunEvent.Of(run, new JournalEntry(3, JournalKinds.Signal, DateTimeOffset.UnixEpoch, 1, "{}"));

        Assert.Equal("""{"seq":3,"at":"1970-01-01T00:00:00.000Z","name": "a\nb",   "payload": [1,  2]}""", one.Data);
        Assert.Equal("""{"seq":3,"at":"1970-01-01T00:00:00.000Z"}""", empty.Data);
    }

    private Task<Answer> EventsAsync(string run, string query, string? last) =>
        last is null ? _host.GetAsync($"/v1/agents/runs/{run}/events{query}") : _host.SendAsync(HttpMethod.Get, $"/v1/agents/runs/{run}/events{query}", null, GatewayHost.OperatorKey, ("Last-Event-ID", last));

    /// <summary>Reads to the end; with dice, by connections that are cut.</summary>
    private async Task<byte[]> WatchAsync(string run, SeededSource? dice)
    {
        var joined = new List<byte>();
        string? last = null;
        for (var cut = 0; dice is not null && cut < 40; cut++)
        {
            var (bytes, id) = EventText.Received(await ReadAsync(run, last, dice.Below(20_000) + 1));
            joined.AddRange(bytes);
            last = id ?? last;
        }

        joined.AddRange(await ReadAsync(run, last, int.MaxValue));
        return [.. joined];
    }

    /// <summary>At most so many bytes, and then the connection is cut.</summary>
    private async Task<byte[]> ReadAsync(string run, string? last, int most)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/agents/runs/{run}/events");
        if (last is not null) request.Headers.Add("Last-Event-ID", last);
        using var response = await _host.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        await using var body = await response.Content.ReadAsStreamAsync(Ct);
        var bytes = new List<byte>();
        var buffer = new byte[8192];
        while (bytes.Count < most && await body.ReadAsync(buffer.AsMemory(0, Math.Min(buffer.Length, most - bytes.Count)), Ct) is > 0 and var read) bytes.AddRange(buffer.AsSpan(0, read));
        return [.. bytes];
    }
}
