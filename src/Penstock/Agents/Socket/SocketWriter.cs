using System.Buffers;
using System.Globalization;
using System.Net.WebSockets;
using System.Text.Json;
using Penstock.Http;

namespace Penstock.Agents.Socket;

/// <summary>
/// Sends messages one after the other. There is no queue: whoever has something to say waits for its turn and makes its message then, so that a client that reads
/// slowly makes its senders slow and holds one message in memory. One that reads nothing for <see cref="SocketTimes.Send"/> loses its connection, and goes on
/// by the id of its last event.
/// </summary>
internal sealed class SocketWriter(WebSocket socket, SocketTimes times, TimeProvider time) : IDisposable
{
    /// <summary>Bytes of a message beyond which it is sent in parts.</summary>
    public const int Largest = 128 * 1024;

    /// <summary>Bytes of a part's text. Written as a JSON string it is at most three times as long.</summary>
    private const int Piece = 40_000;

    /// <summary>Characters of a reason, of which a frame holds 123 bytes.</summary>
    private const int LongestReason = 120;

    private readonly SemaphoreSlim _turn = new(1, 1);
    private ArrayBufferWriter<byte> _part = new();
    private ArrayBufferWriter<byte> _message = new();
    private long _parted;

    public async Task SendAsync(Action<Utf8JsonWriter> members, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            Write(_message, members);
            if (_message.WrittenCount <= Largest) await SendAsync(_message.WrittenMemory);
            else await SendPartsAsync(_message.WrittenMemory);
            // What was large once need not be held for ever.
            if (_message.Capacity > Largest) (_message, _part) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The last word. A client that does not take it in time is left without.</summary>
    public async Task CloseAsync(WebSocketCloseStatus status, string reason)
    {
        using var timeout = new CancellationTokenSource(times.Close, time);
        try
        {
            await _turn.WaitAsync(timeout.Token);
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived) await socket.CloseOutputAsync(status, Short(reason), timeout.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or IOException)
        {
            socket.Abort();
        }
    }

    public void Dispose() => _turn.Dispose();

    private static string Short(string reason)
    {
        var ascii = string.Concat(reason.Select(c => char.IsAscii(c) ? c : '?'));
        return ascii.Length <= LongestReason ? ascii : ascii[..LongestReason];
    }

    /// <summary>Pieces of the message's own text, to be joined and parsed; a character is never cut.</summary>
    private async Task SendPartsAsync(ReadOnlyMemory<byte> message)
    {
        var pieces = new List<ReadOnlyMemory<byte>>();
        for (var rest = message; !rest.IsEmpty; rest = rest[pieces[^1].Length..])
        {
            var length = Math.Min(Piece, rest.Length);
            while (length < rest.Length && (rest.Span[length] & 0xC0) == 0x80) length--;
            pieces.Add(rest[..length]);
        }

        var of = string.Create(CultureInfo.InvariantCulture, $"m{++_parted}");
        for (var index = 0; index < pieces.Count; index++)
        {
            Write(_part, json =>
            {
                json.WriteString("type", "part");
                json.WriteString("of", of);
                json.WriteNumber("index", index);
                json.WriteNumber("count", pieces.Count);
                json.WriteString("data", pieces[index].Span);
            });
            await SendAsync(_part.WrittenMemory);
        }
    }

    private static void Write(ArrayBufferWriter<byte> into, Action<Utf8JsonWriter> members)
    {
        into.ResetWrittenCount();
        using var json = new Utf8JsonWriter(into, Json.Options);
        json.WriteStartObject();
        members(json);
        json.WriteEndObject();
    }

    private async Task SendAsync(ReadOnlyMemory<byte> text)
    {
        // Half a message cannot be taken back: a token that stopped it would end the connection for everybody.
        var sending = socket.SendAsync(text, WebSocketMessageType.Text, WebSocketMessageFlags.EndOfMessage, CancellationToken.None);
        if (sending.IsCompletedSuccessfully) return;
        var sent = sending.AsTask();
        await sent.WaitAsync(times.Send, time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!sent.IsCompleted) socket.Abort();
        await sent;
    }
}
