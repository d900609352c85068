using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

/// <summary>A client of <c>/v1/ws</c> that joins what comes in parts.</summary>
internal sealed class SocketClient : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _buffer = new byte[300_000];
    private readonly StringBuilder _parts = new();

    public WebSocket Socket => _socket;

    /// <summary>Bytes of the largest message as it came over the wire.</summary>
    public int Largest { get; private set; }

    public int Parts { get; private set; }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static async Task<SocketClient> ConnectAsync(GatewayHost host, string? key = GatewayHost.OperatorKey, Action<ClientWebSocketOptions>? options = null)
    {
        var client = new SocketClient();
        if (key is not null) client._socket.Options.SetRequestHeader("Authorization", $"Bearer {key}");
        client._socket.Options.Proxy = null;
        client._socket.Options.CollectHttpResponseDetails = true;
        options?.Invoke(client._socket.Options);
        await client._socket.ConnectAsync(new UriBuilder(host.Address) { Scheme = "ws", Path = "/v1/ws" }.Uri, Ct);
        return client;
    }

    public static async Task<SocketClient> ReadyAsync(GatewayHost host, string key = GatewayHost.OperatorKey)
    {
        var client = await ConnectAsync(host, key);
        Assert.Equal("ready", (await client.ReadAsync()).GetProperty("type").GetString());
        return client;
    }

    public Task SendAsync(string text) => _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, Ct);

    /// <summary>Sends, and reads the next message.</summary>
    public async Task<JsonElement> AskAsync(string text)
    {
        await SendAsync(text);
        return await ReadAsync();
    }

    /// <summary>The next whole message.</summary>
    public async Task<JsonElement> ReadAsync()
    {
        while (true)
        {
            var text = await ReadTextAsync() ?? throw new InvalidOperationException($"closed: {_socket.CloseStatus} {_socket.CloseStatusDescription}");
            var message = JsonDocument.Parse(text).RootElement;
            if (message.GetProperty("type").GetString() != "part") return message;
            Parts++;
            if (message.GetProperty("index").GetInt32() == 0) _parts.Clear();
            _parts.Append(message.GetProperty("data").GetString());
            if (message.GetProperty("index").GetInt32() == message.GetProperty("count").GetInt32() - 1) return JsonDocument.Parse(_parts.ToString()).RootElement;
        }
    }

    /// <summary>One event as server-sent events write it; null where the run's events are at their end.</summary>
    public async Task<string?> EventAsync()
    {
        var message = await ReadAsync();
        return message.GetProperty("type").GetString() switch
        {
            "event" => $"id: {message.GetProperty("id").GetString()}\nevent: {message.GetProperty("event").GetString()}\ndata: {message.GetProperty("data").GetRawText()}\n\n",
            "end" => null,
            _ => throw new InvalidOperationException(message.GetRawText()),
        };
    }

    /// <summary>Reads to the socket's end, and answers with its close status.</summary>
    public async Task<(int Status, string Reason)> ClosedAsync()
    {
        while (await ReadTextAsync() is not null)
        {
        }

        return ((int)_socket.CloseStatus!, _socket.CloseStatusDescription ?? "");
    }

    public ValueTask DisposeAsync()
    {
        _socket.Abort();
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<string?> ReadTextAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(Patience);
        var length = 0;
        while (true)
        {
            var read = await _socket.ReceiveAsync(_buffer.AsMemory(length), patience.Token);
            if (read.MessageType == WebSocketMessageType.Close) return null;
            length += read.Count;
            if (!read.EndOfMessage) continue;
            Largest = Math.Max(Largest, length);
            return Encoding.UTF8.GetString(_buffer, 0, length);
        }
    }
}
