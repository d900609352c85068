using System.Buffers;
using System.Net.WebSockets;
using System.Text.Json;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Agents.Socket;

/// <summary>One connected client: reads its messages in order, and sends it what it asked for.</summary>
internal sealed class SocketSession(WebSocket socket, SocketCalls calls, Runs runs, RunEvents events, SocketLife life) : IAsyncDisposable
{
    public const WebSocketCloseStatus Unauthenticated = (WebSocketCloseStatus)4401;
    public const WebSocketCloseStatus TooMany = (WebSocketCloseStatus)4429;

    private const int LargestMessage = 1024 * 1024;
    private const int LargestFirst = 16 * 1024;
    private const string Stopping = "This server is stopping. Connect again and go on by the id of your last event.";

    private readonly SocketWriter _writer = new(socket, life.Times, life.Time);
    private readonly CancellationTokenSource _stop = new();
    private ArrayBufferWriter<byte> _message = new();

    // A read is never cancelled: that would break the connection before the last word is said.
    private Task _reading = Task.CompletedTask;

    public SocketWriter Writer => _writer;

    /// <summary>Cancelled with the socket.</summary>
    public CancellationToken Stopped => _stop.Token;

    /// <summary>Null where the client left, or its first message is too large. Throws 401 where that brings no key.</summary>
    public async Task<string?> ReadKeyAsync(CancellationToken ct)
    {
        var first = ReadAsync(LargestFirst);
        _reading = first;
        if (await first.WaitAsync(ct) is not { } message) return null;
        var body = JsonView.Parse(message);
        if (body.Optional("type") is not { Kind: JsonValueKind.String } type || type.Text() != "auth")
            throw new RefusedException(new Refusal(RefusalKind.Unauthenticated, "no_api_key", "The first message must be {\"type\":\"auth\",\"key\":\"sk-pen-…\"}, or send the key with the request."));
        body.AllowOnly("type", "key", "id");
        return body.Required("key").ShortText(LargestFirst);
    }

    /// <summary>Serves the client until it leaves, its key dies or the server stops.</summary>
    public async Task RunAsync(string key, Caller caller, Func<string, CancellationToken, Task<Caller>> check, CancellationToken gone)
    {
        using var link = CancellationTokenSource.CreateLinkedTokenSource(gone, _stop.Token);
        var desk = new SocketDesk(this, calls, runs, events, life, key) { Caller = caller };
        await _writer.SendAsync(json =>
        {
            json.WriteString("type", "ready");
            json.WriteString("protocol", SocketKey.Protocol);
            json.WriteString("key", caller.Key.Id.Value);
        }, link.Token);
        var reading = ReadAllAsync(desk, link.Token);
        _reading = reading;
        var checking = CheckAllAsync(desk, key, check, link.Token);
        var (status, reason) = await await Task.WhenAny(reading, checking, DrainAsync(desk, link.Token));
        var going = desk.StopAsync();
        await CloseAsync(status, reason);
        await _stop.CancelAsync();
        await Task.WhenAll(reading, checking, going);
    }

    public Task RefuseAsync(JsonElement? id, Refusal refusal, RequestId request, CancellationToken ct) => _writer.SendAsync(json =>
    {
        json.WriteString("type", "error");
        WriteId(json, id);
        json.WriteNumber("status", refusal.Status);
        json.WriteString("code", refusal.Code);
        json.WriteString("message", refusal.Message);
        if (refusal.Field is { Length: > 0 } field) json.WriteString("field", field);
        if (refusal.RetryAfter is { } pause) json.WriteNumber("retryAfterMs", Math.Ceiling(pause.TotalMilliseconds));
        json.WriteString("request_id", request.Value);
    }, ct);

    public static void WriteId(Utf8JsonWriter json, JsonElement? id)
    {
        if (id is not { } given) return;
        json.WritePropertyName("id");
        given.WriteTo(json);
    }

    /// <summary>
    /// Says the last word, and waits a moment for the client's: a connection that is closed with something unread in it is reset, and the client may never see why.
    /// </summary>
    public async Task CloseAsync(WebSocketCloseStatus status, string reason)
    {
        await _writer.CloseAsync(status, reason);
        var answered = DiscardAsync().WaitAsync(life.Times.Close, life.Time, CancellationToken.None);
        await answered.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        socket.Abort();
    }

    private async Task DiscardAsync()
    {
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var nowhere = new byte[4096];
        while (socket.State is WebSocketState.Open or WebSocketState.CloseSent) await socket.ReceiveAsync(nowhere, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _stop.Dispose();
        _writer.Dispose();
    }

    private async Task<(WebSocketCloseStatus Status, string Reason)> ReadAllAsync(SocketDesk desk, CancellationToken ct)
    {
        try
        {
            while (await ReadAsync(LargestMessage) is { } message) await desk.TakeAsync(message, ct);
            return socket.State == WebSocketState.Open ? (WebSocketCloseStatus.MessageTooBig, $"A message may have {LargestMessage} bytes.") : (WebSocketCloseStatus.NormalClosure, "");
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // The client left without a word, or its connection broke.
            return (WebSocketCloseStatus.EndpointUnavailable, "");
        }
    }

    private async Task<(WebSocketCloseStatus Status, string Reason)> CheckAllAsync(SocketDesk desk, string key, Func<string, CancellationToken, Task<Caller>> check, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(life.Times.KeyAgain, life.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(ct)) desk.Caller = await check(key, ct);
        }
        catch (RefusedException e)
        {
            return (Unauthenticated, e.Refusal.Message);
        }
        catch (OperationCanceledException)
        {
            // It ended in another way.
        }

        return (WebSocketCloseStatus.EndpointUnavailable, "");
    }

    /// <summary>A server that stops lets answers that are being made come to their end, and nothing else.</summary>
    private async Task<(WebSocketCloseStatus Status, string Reason)> DrainAsync(SocketDesk desk, CancellationToken ct)
    {
        await AsTask(life.Begun, ct);
        await Task.WhenAny(desk.CompletionsAsync(), AsTask(life.Cut, ct));
        return (WebSocketCloseStatus.EndpointUnavailable, Stopping);
    }

    private static async Task AsTask(CancellationToken awaited, CancellationToken ct)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(awaited, ct);
        await Task.Delay(Timeout.InfiniteTimeSpan, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>The next whole message; null where the client closes, or the message is larger than <paramref name="most"/>.</summary>
    private async Task<ReadOnlyMemory<byte>?> ReadAsync(int most)
    {
        _message.ResetWrittenCount();
        while (true)
        {
            var read = await socket.ReceiveAsync(_message.GetMemory(4096), CancellationToken.None);
            if (read.MessageType == WebSocketMessageType.Close) return null;
            _message.Advance(read.Count);
            if (_message.WrittenCount > most) return null;
            if (!read.EndOfMessage) continue;
            // A copy: what is asked may go on while the next message is read.
            var message = _message.WrittenSpan.ToArray();
            // What was large once need not be held for ever.
            if (_message.Capacity > LargestFirst) _message = new ArrayBufferWriter<byte>();
            return message;
        }
    }
}
