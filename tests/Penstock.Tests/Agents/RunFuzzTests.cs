using System.Net.WebSockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

/// <summary>Damaged bodies, ids, cursors and messages: each is answered, none is a failure of ours.</summary>
public sealed class RunFuzzTests : IAsyncLifetime
{
    private const int Each = 400;

    private static readonly string[] Odd = ["", "null", "0", "-1", "1e999", "9007199254740993", "true", "[]", "{}", "[[[[[[]]]]]]", "\"\"", "\"\\u0000\"", "\"\\ud800\"", "\"é🐟\"", "\"..%2f..\"", "\"run_000000000000000000000000\"", "1.5", "\"" + new string('a', 3000) + "\""];

    private GatewayHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await AgentHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("/v1/agents/run", """{"type":"helper","input":{"topic":"x","documents":["a",{"docId":"d","title":"t","uri":"u","text":"b"}]},"tools":["calculator"],"model":"gpt-4o-mini","limits":{"usd":0.1,"steps":3,"wallSeconds":9,"parallelTools":2,"toolCalls":5,"children":1,"depth":1,"outputTokens":9},"conversation":"c","user":"u","wait":0}""")]
    [InlineData("/v1/agents/runs/RUN/cancel", """{"reason":"enough"}""")]
    [InlineData("/v1/agents/runs/RUN/approvals/c1", """{"approved":true,"reason":"yes"}""")]
    [InlineData("/v1/agents/runs/RUN/outcomes/c2", """{"done":true,"output":{"a":[1,2]},"reason":"seen"}""")]
    [InlineData("/v1/agents/runs/RUN/signal", """{"name":"paid","payload":{"a":[1,2]},"id":"s1"}""")]
    [InlineData("/v1/agents/runs/RUN/fork", """{"from":1}""")]
    [InlineData("/v1/agents/runs/RUN/redrive", "{}")]
    [InlineData("/v1/agents/memory?user=ann", """{"text":"likes fish","id":"f1"}""")]
    public async Task Damaged_bodies_are_answered(string route, string valid)
    {
        var path = route.Replace("RUN", await WaitingAsync(), StringComparison.Ordinal);
        var dice = new Random(route.Length);
        var statuses = new HashSet<int>();
        foreach (var batch in Enumerable.Range(0, Each).Select(_ => Damaged(valid, dice)).Chunk(16))
        {
            foreach (var answer in await Task.WhenAll(batch.Select(body => _host.PostAsync(path, body)))) Judge(answer, statuses);
        }

        Assert.True(statuses.Count > 1, string.Join(", ", statuses));
        NoBug();
    }

    [Fact]
    public async Task Damaged_addresses_are_answered()
    {
        var run = await WaitingAsync();
        var dice = new Random(5);
        string[] values = ["0.0", "1.1", "999.0", "a", "-1", "1e9", "%00", "%2F", "queued", "QUEUED", "💧", "1-run_000000000000000000000000", "9223372036854775807.2147483647", new string('9', 400), "'", "a&a=b"];
        string[] names = ["after", "limit", "cursor", "status", "type", "user", "x", ""];
        var statuses = new HashSet<int>();
        for (var i = 0; i < Each; i++)
        {
            var id = dice.Next(3) == 0 ? run : Uri.EscapeDataString(Odd[dice.Next(Odd.Length)]);
            var path = new[] { $"/v1/agents/runs/{id}", "/v1/agents/runs", "/v1/agents/memory", $"/v1/agents/threads/{(id.Length == 0 ? "x" : id)}" }[dice.Next(4)];
            Judge(await _host.GetAsync($"{path}?{names[dice.Next(names.Length)]}={values[dice.Next(values.Length)]}"), statuses);
        }

        Assert.Superset(new HashSet<int> { 200, 400, 404 }, statuses);
        NoBug();
    }

    [Fact]
    public async Task Damaged_messages_are_answered_and_the_socket_lives_on()
    {
        var run = await WaitingAsync();
        var dice = new Random(6);
        string[] valid =
        [
            $$"""{"id":1,"type":"subscribe","run":"{{run}}","after":"0.0"}""", $$"""{"id":1,"type":"unsubscribe","run":"{{run}}"}""", """{"id":"a","type":"start","request":{"type":"helper","input":"x"},"idempotencyKey":"k","subscribe":false}""",
            """{"id":2,"type":"complete","request":{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}}""", $$"""{"id":2,"type":"cancel","run":"{{run}}","reason":"r"}""", $$"""{"id":2,"type":"approve","run":"{{run}}","call":"c1","approved":true}""", """{"id":3,"type":"ping"}""",
        ];
        await using var client = await SocketClient.ReadyAsync(_host);
        var types = new HashSet<string>();
        var reading = Task.Run(async () =>
        {
            while (await client.ReadAsync() is var message && !(message.GetProperty("type").GetString() == "pong" && message.TryGetProperty("id", out var id) && id.ToString() == "the end"))
            {
                types.Add(message.GetProperty("type").GetString()!);
                if (message.TryGetProperty("status", out var status)) Assert.True(status.GetInt32() < 500, message.GetRawText() + Bugs());
            }
        }, Ct);
        for (var i = 0; i < 3 * Each; i++)
        {
            // A text that is no UTF-8 ends the connection by the protocol itself (1007); only bytes may be any.
            var (bytes, binary) = (Encoding.UTF8.GetBytes(Damaged(valid[dice.Next(valid.Length)], dice)), dice.Next(10) == 0);
            if (binary && bytes.Length > 0) bytes[dice.Next(bytes.Length)] = (byte)dice.Next(256);
            await client.Socket.SendAsync(bytes, binary ? WebSocketMessageType.Binary : WebSocketMessageType.Text, true, Ct);
        }

        await client.SendAsync("""{"id":"the end","type":"ping"}""");
        await reading;

        Assert.Superset(new HashSet<string> { "error", "subscribed", "event", "answer", "pong" }, types);
        NoBug();
    }

    private static void Judge(Answer answer, HashSet<int> statuses)
    {
        Assert.True(answer.Status is >= 200 and < 500, answer.Body);
        if (answer.Status >= 400 && answer.Body.Length > 0) Assert.NotEqual("internal_error", answer.Text("code"));
        statuses.Add(answer.Status);
    }

    private void NoBug() => Assert.Empty(Bugs());

    private string Bugs() => string.Join('\n', _host.Log.Own.Where(line => line.Level >= LogLevel.Error));

    private async Task<string> WaitingAsync()
    {
        var run = await _host.RunAsync();
        await (await ScriptedOwner.OfAsync(_host, run)).ParkAsync("approval",
            (JournalKinds.ModelIntent, """{"op":1,"attempt":1,"model":"m"}"""),
            (JournalKinds.ModelResult, """{"op":1,"text":"","calls":[{"id":"c1","name":"t","arguments":"{}"},{"id":"c2","name":"t","arguments":"{}"}],"cost":0}"""),
            (JournalKinds.ApprovalRequested, """{"call":"c1","name":"t","arguments":"{}","expiresAt":"2999-01-01T00:00:00Z"}"""),
            (JournalKinds.ToolIntent, """{"call":"c2","name":"t","effect":"once","attempt":1,"key":"k"}"""),
            (JournalKinds.ToolUnknown, """{"call":"c2","name":"t","attempt":1,"expiresAt":"2999-01-01T00:00:00Z"}"""));
        return run;
    }

    /// <summary>One thing changed: a value, a name, or what stands anywhere.</summary>
    private static string Damaged(string valid, Random dice)
    {
        var at = dice.Next(valid.Length);
        switch (dice.Next(6))
        {
            case 0:
                return valid;
            case 1:
                return valid[..at];
            case 2:
                return valid.Remove(at, Math.Min(dice.Next(1, 5), valid.Length - at));
            case 3:
                return valid.Insert(at, Odd[dice.Next(Odd.Length)]);
            default:
                // A value in the place of another.
                var colons = Enumerable.Range(0, valid.Length).Where(i => valid[i] == ':').ToList();
                if (colons.Count == 0) return Odd[dice.Next(Odd.Length)];
                var from = colons[dice.Next(colons.Count)] + 1;
                var to = valid.IndexOfAny([',', '}', ']'], from);
                return valid[..from] + Odd[dice.Next(Odd.Length)] + valid[to..];
        }
    }
}
