using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents.Socket;

/// <summary>Subscriptions and completions.</summary>
internal sealed partial class SocketDesk
{
    private async Task SubscribeAsync(JsonView body, JsonElement? id, CancellationToken ct)
    {
        body.AllowOnly("id", "type", "run", "after");
        var after = body.Optional("after") is { } place ? RunCursor.Parse(place.Text(), "after") : RunCursor.Start;
        var run = await FindAsync(body.Required("run").Text(), ct);
        after.In(run, "after");
        if (_subscriptions.ContainsKey(run.Id.Value)) throw new RefusedException(new Refusal(RefusalKind.Conflict, "already_subscribed", $"This socket is subscribed to run '{run.Id}' already. Unsubscribe first."));
        CheckRoom();
        await AnswerAsync("subscribed", id, json => json.WriteString("run", run.Id.Value), ct);
        Subscribe(run, after, ct);
    }

    private void CheckRoom()
    {
        if (_subscriptions.Count >= MostSubscriptions) throw TooMany("subscriptions", MostSubscriptions, "Unsubscribe from some, or open another socket.");
    }

    /// <summary>Messages are taken one after the other: nobody else adds one meanwhile.</summary>
    private void Subscribe(RunRecord run, RunCursor after, CancellationToken ct)
    {
        var going = new Going(CancellationTokenSource.CreateLinkedTokenSource(ct, life.Begun));
        if (_subscriptions.TryAdd(run.Id.Value, going)) going.Task = PumpAsync(run, events.Open(run, after), going);
    }

    private async Task<RunRecord> FindAsync(string id, CancellationToken ct)
    {
        if (!Caller.Has(Scopes.RunAgents)) throw new RefusedException(new Refusal(RefusalKind.Forbidden, "missing_scope", $"Key '{Caller.Key.Id}' lacks the scope 'agent:run'. Ask an admin for a key that has it."));
        return await runs.FindAsync(Caller, id, ct);
    }

    private async Task UnsubscribeAsync(JsonView body, JsonElement? id, CancellationToken ct)
    {
        body.AllowOnly("id", "type", "run");
        var run = body.Required("run").Text();
        if (!_subscriptions.TryGetValue(run, out var going)) throw new RefusedException(new Refusal(RefusalKind.NotFound, "not_subscribed", "This socket is not subscribed to that run."));
        await going.Stop.CancelAsync();
        await going.Task;
        await AnswerAsync("unsubscribed", id, json => json.WriteString("run", run), ct);
    }

    /// <summary>Reads the run's events at the pace at which the client takes them.</summary>
    private async Task PumpAsync(RunRecord run, RunReader reader, Going going)
    {
        // The message that asked for it is answered first.
        await Task.Yield();
        var ct = going.Stop.Token;
        try
        {
            while (!reader.Ended)
            {
                var page = await reader.ReadAsync(ct);
                foreach (var one in page) await SendAsync(run, one, ct);
                if (page.Count == 0 && !reader.Ended) await reader.WaitAsync(ct);
            }

            await AnswerAsync("end", null, json => json.WriteString("run", run.Id.Value), ct);
        }
        catch (Exception e)
        {
            if (!ct.IsCancellationRequested) await TellAsync(null, e, run.Id);
        }
        finally
        {
            _subscriptions.TryRemove(new KeyValuePair<string, Going>(run.Id.Value, going));
        }
    }

    private Task SendAsync(RunRecord run, RunEvent one, CancellationToken ct) => session.Writer.SendAsync(json =>
    {
        json.WriteString("type", "event");
        json.WriteString("run", run.Id.Value);
        json.WriteString("id", one.Id.ToString());
        json.WriteString("event", one.Kind);
        RunJson.WriteRaw(json, "data", one.Data);
    }, ct);

    private Task CompleteAsync(HttpContext http, JsonView body, JsonElement? id, CancellationToken ct)
    {
        body.AllowOnly("id", "type", "request", "idempotencyKey");
        var name = Named(id).GetRawText();
        var request = body.Required("request");
        if (request.Kind != JsonValueKind.Object) throw request.Bad("must be the body of POST /v1/stream");
        if (_completions.Count >= MostCompletions) throw TooMany("completions at once", MostCompletions, "Wait for one to end, or open another socket.");
        var going = new Going(CancellationTokenSource.CreateLinkedTokenSource(ct, life.Cut));
        if (!_completions.TryAdd(name, going)) throw new RefusedException(new Refusal(RefusalKind.Conflict, "id_in_use", $"A completion of the id {name} goes on. Choose another id."));
        var call = new SocketCall("/v1/stream", Encoding.UTF8.GetBytes(request.Raw())) { Name = body.Optional("idempotencyKey")?.ShortText(255) };
        going.Task = CompleteAsync(http, id, call, name, going);
        return Task.CompletedTask;
    }

    private async Task CompleteAsync(HttpContext http, JsonElement? id, SocketCall call, string name, Going going)
    {
        await Task.Yield();
        var reader = new SocketEvents(data => data == "[DONE]" ? Task.CompletedTask : AnswerAsync("completion", id, json => RunJson.WriteRaw(json, "data", data), session.Stopped));
        try
        {
            await calls.RunAsync(http, call, reader.AddAsync, going.Stop.Token);
            await AnswerAsync("done", id, null, session.Stopped);
        }
        catch (Exception e) when (going.Stop.IsCancellationRequested)
        {
            await TellAsync(id, e is RefusedException ? e : new RefusedException(new Refusal(RefusalKind.Conflict, "cancelled", "The completion was cancelled.")), null);
        }
        catch (Exception e)
        {
            await TellAsync(id, e, null);
        }
        finally
        {
            _completions.TryRemove(new KeyValuePair<string, Going>(name, going));
        }
    }

    /// <summary>Says why something ended that went on beside the messages. A socket that takes nothing any more is not told.</summary>
    private async Task TellAsync(JsonElement? id, Exception e, RunId? run)
    {
        if (session.Stopped.IsCancellationRequested) return;
        var http = calls.Make(key, session.Stopped);
        var refusal = calls.Explain(http, e);
        var telling = session.RefuseAsync(id, run is { } about ? refusal with { Field = about.Value } : refusal, RequestScope.Of(http).Id, session.Stopped);
        await telling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static RefusedException TooMany(string what, int most, string instead) => new(new Refusal(RefusalKind.Limited, "too_many_" + what.Split(' ')[0], $"This socket has {most} {what}, which is the most. {instead}"));
}
