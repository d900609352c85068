using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Penstock.EndToEnd.Running;

/// <summary>HTTP by hand, for what no client library would send.</summary>
internal sealed class RawConnection : IDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private RawConnection()
    {
    }

    /// <summary>All that came so far, as Latin-1.</summary>
    public string Received { get; private set; } = "";

    public static async Task<RawConnection> OpenAsync(Uri address)
    {
        var connection = new RawConnection();
        await connection._socket.ConnectAsync(address.Host, address.Port, Wait.Token);
        return connection;
    }

    public static string Head(string path, string? key, string more) =>
        $"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{(key is null ? "" : $"Authorization: Bearer {key}\r\n")}{more}\r\n";

    public static string Post(string path, string? key, string json, string more = "") =>
        Head(path, key, string.Create(CultureInfo.InvariantCulture, $"Content-Length: {Encoding.UTF8.GetByteCount(json)}\r\n{more}")) + json;

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None, Wait.Token)..];
    }

    /// <summary>Reads until <paramref name="text"/> has come; throws where the connection ends before.</summary>
    public async Task<string> ReadUntilAsync(string text, TimeSpan? within = null)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(Wait.Token);
        bound.CancelAfter(within ?? Bound);
        while (!Received.Contains(text, StringComparison.Ordinal))
        {
            if (!await ReadAsync(bound.Token)) throw new InvalidOperationException($"The connection ended before '{text}' came: {Received}");
        }

        return Received;
    }

    /// <summary>Reads to the end, which a reset is too.</summary>
    public async Task<string> ReadToEndAsync(TimeSpan? within = null)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(Wait.Token);
        bound.CancelAfter(within ?? Bound);
        while (await ReadAsync(bound.Token))
        {
        }

        return Received;
    }

    /// <summary>Without a word: the peer sees a reset.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Close();
    }

    public void Dispose() => _socket.Dispose();

    private async Task<bool> ReadAsync(CancellationToken ct)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            var count = await _socket.ReceiveAsync(buffer, SocketFlags.None, ct);
            Received += Encoding.Latin1.GetString(buffer, 0, count);
            return count > 0;
        }
        catch (SocketException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!Wait.Token.IsCancellationRequested)
        {
            throw new TimeoutException($"Nothing more came: {Received}");
        }
    }
}
