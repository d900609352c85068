using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents.Socket;

/// <summary>What one client asks for, message by message. Its subscriptions and its completions go on beside them.</summary>
internal sealed partial class SocketDesk(SocketSession session, SocketCalls calls, Runs runs, RunEvents events, SocketLife life, string key)
{
    private const int MostSubscriptions = 100;
    private const int MostCompletions = 32;

    private readonly ConcurrentDictionary<string, Going> _subscriptions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Going> _completions = new(StringComparer.Ordinal);

    /// <summary>Who the client is, as its key was last looked at.</summary>
    public required Caller Caller { get; set; }

    /// <summary>Whatever is wrong with a message is told, and the next one is read.</summary>
    public async Task TakeAsync(ReadOnlyMemory<byte> message, CancellationToken ct)
    {
        var http = calls.Make(key, ct);
        JsonElement? id = null;
        try
        {
            var body = JsonView.Parse(message);
            if (body.Optional("id") is { } given) id = IdOf(given);
            if (life.Begun.IsCancellationRequested) throw SocketLife.Stopping;
            await TakeAsync(http, body, id, ct);
        }
        catch (Exception e) when (e is RefusedException || !ct.IsCancellationRequested)
        {
            await session.RefuseAsync(id, calls.Explain(http, e), RequestScope.Of(http).Id, ct);
        }
    }

    /// <summary>Ends everything that goes on.</summary>
    public Task StopAsync()
    {
        var going = _subscriptions.Values.Concat(_completions.Values).ToList();
        foreach (var one in going) one.Stop.Cancel();
        return Task.WhenAll(going.Select(one => one.Task));
    }

    /// <summary>When every answer that is being made is at its end.</summary>
    public Task CompletionsAsync() => Task.WhenAll(_completions.Values.Select(completion => completion.Task));

    private Task TakeAsync(HttpContext http, JsonView body, JsonElement? id, CancellationToken ct) =>
        body.Required("type").OneOf("subscribe", "unsubscribe", "start", "complete", "cancel", "approve", "ping") switch
        {
            "subscribe" => SubscribeAsync(body, id, ct),
            "unsubscribe" => UnsubscribeAsync(body, id, ct),
            "start" => StartAsync(http, body, id, ct),
            "complete" => CompleteAsync(http, body, id, ct),
            "cancel" => CancelAsync(http, body, id, ct),
            "approve" => ApproveAsync(http, body, id, ct),
            _ => AnswerAsync("pong", id, null, ct),
        };

    private async Task StartAsync(HttpContext http, JsonView body, JsonElement? id, CancellationToken ct)
    {
        body.AllowOnly("id", "type", "request", "idempotencyKey", "subscribe");
        var request = body.Required("request");
        if (request.Kind != JsonValueKind.Object) throw request.Bad("must be the body of POST /v1/agents/run");
        var watch = body.Optional("subscribe")?.Flag() != false;
        if (watch) CheckRoom();
        // Its end is an event like any other; nobody waits for it here.
        var asked = JsonSplice.Apply(Encoding.UTF8.GetBytes(request.Raw()), [new("wait", "0")]);
        var answer = await CallAsync(http, new SocketCall("/v1/agents/run", asked) { Name = body.Optional("idempotencyKey")?.ShortText(255) }, ct);
        var run = answer.GetProperty("id").GetString()!;
        await AnswerAsync("started", id, json =>
        {
            json.WriteString("run", run);
            Write(json, answer);
        }, ct);
        if (watch) Subscribe(await FindAsync(run, ct), RunCursor.Start, ct);
    }

    /// <summary>Of a run where the message names one; else of the completion of the same id.</summary>
    private async Task CancelAsync(HttpContext http, JsonView body, JsonElement? id, CancellationToken ct)
    {
        body.AllowOnly("id", "type", "run", "reason");
        if (body.Optional("run") is null)
        {
            var name = Named(id).GetRawText();
            if (!_completions.TryGetValue(name, out var completion)) throw new RefusedException(new Refusal(RefusalKind.NotFound, "completion_not_found", $"No completion of the id {name} goes on here. To cancel a run, name it as 'run'."));
            await completion.Stop.CancelAsync();
            return;
        }

        await SteerAsync(http, body, id, "/v1/agents/runs/{id}/cancel", [new("id", RunNames.Label(body.Required("run")))], ["reason"], ct);
    }

    private Task ApproveAsync(HttpContext http, JsonView body, JsonElement? id, CancellationToken ct)
    {
        body.AllowOnly("id", "type", "run", "call", "approved", "reason");
        return SteerAsync(http, body, id, "/v1/agents/runs/{id}/approvals/{call}", [new("id", RunNames.Label(body.Required("run"))), new("call", RunNames.Label(body.Required("call")))], ["approved", "reason"], ct);
    }

    private async Task SteerAsync(HttpContext http, JsonView body, JsonElement? id, string route, KeyValuePair<string, string>[] values, string[] members, CancellationToken ct)
    {
        var asked = RunJson.Of(json =>
        {
            foreach (var member in members)
            {
                if (body.Optional(member) is { } value) RunJson.WriteRaw(json, member, RunJson.Compact(value));
            }
        });
        var answer = await CallAsync(http, new SocketCall(route, Encoding.UTF8.GetBytes(asked)) { Values = values }, ct);
        await AnswerAsync("answer", id, json => Write(json, answer), ct);
    }

    /// <summary>The whole answer of a route that answers in one piece.</summary>
    private async Task<JsonElement> CallAsync(HttpContext http, SocketCall call, CancellationToken ct)
    {
        var whole = new ArrayBufferWriter<byte>();
        await calls.RunAsync(http, call, bytes =>
        {
            whole.Write(bytes.Span);
            return Task.CompletedTask;
        }, ct);
        using var parsed = JsonDocument.Parse(whole.WrittenMemory);
        return parsed.RootElement.Clone();
    }

    private Task AnswerAsync(string type, JsonElement? id, Action<Utf8JsonWriter>? members, CancellationToken ct) => session.Writer.SendAsync(json =>
    {
        json.WriteString("type", type);
        SocketSession.WriteId(json, id);
        members?.Invoke(json);
    }, ct);

    private static void Write(Utf8JsonWriter json, JsonElement data)
    {
        json.WritePropertyName("data");
        data.WriteTo(json);
    }

    private static JsonElement IdOf(JsonView id)
    {
        if (id.Kind == JsonValueKind.String) _ = RunNames.Label(id);
        else if (id.Kind != JsonValueKind.Number || id.Raw().Length > 40) throw id.Bad("must be a text or a number");
        return id.Element;
    }

    private static JsonElement Named(JsonElement? id) => id ?? throw new RefusedException(Refusal.Invalid("id", "'id' is required: the name under which the answer comes, and by which it is cancelled."));

    /// <summary>Something that goes on beside the messages.</summary>
    private sealed record Going(CancellationTokenSource Stop)
    {
        public Task Task { get; set; } = Task.CompletedTask;
    }
}
