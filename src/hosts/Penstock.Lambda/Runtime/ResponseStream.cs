using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Penstock.Lambda.Runtime;

/// <summary>
/// An answer on its way, one HTTP chunk for each write. By hand, because an error that comes after the first chunk is told in trailers, which .NET's client
/// does not send.
/// </summary>
internal sealed class ResponseStream : IAsyncDisposable
{
    private const string ErrorType = "Lambda-Runtime-Function-Error-Type";
    private const string ErrorBody = "Lambda-Runtime-Function-Error-Body";
    private const int MostHead = 8 * 1024;

    private readonly TcpClient _connection;
    private readonly NetworkStream _stream;
    private readonly CancellationTokenSource _gone = new();
    private readonly Task<string> _status;

    private ResponseStream(TcpClient connection)
    {
        (_connection, _stream) = (connection, connection.GetStream());
        _status = ReadStatusAsync();
    }

    /// <summary>Cancelled when nobody takes the rest of the answer any more.</summary>
    public CancellationToken Gone => _gone.Token;

    public static async Task<ResponseStream> OpenAsync(string host, string path, CancellationToken ct)
    {
        var (name, port) = host.LastIndexOf(':') is var colon and > 0 ? (host[..colon], int.Parse(host.AsSpan(colon + 1), CultureInfo.InvariantCulture)) : (host, 80);
        var connection = new TcpClient { NoDelay = true };
        try
        {
            await connection.ConnectAsync(name, port, ct);
            var head = $"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/vnd.awslambda.http-integration-response\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n"
                + $"Transfer-Encoding: chunked\r\nTrailer: {ErrorType}, {ErrorBody}\r\nConnection: close\r\n\r\n";
            await connection.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head), ct);
            return new ResponseStream(connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        // A chunk of nothing would be the end.
        if (bytes.IsEmpty) return;
        var size = Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n");
        var chunk = new byte[size.Length + bytes.Length + 2];
        size.CopyTo(chunk, 0);
        bytes.Span.CopyTo(chunk.AsSpan(size.Length));
        "\r\n"u8.CopyTo(chunk.AsSpan(size.Length + bytes.Length));
        await _stream.WriteAsync(chunk, ct);
    }

    /// <summary>Ends the answer. Throws <see cref="IOException"/> where it was not taken to its end.</summary>
    /// <param name="error">Why it breaks off; null where it is whole.</param>
    public async Task CompleteAsync((string Type, string Message)? error, CancellationToken ct)
    {
        var end = new StringBuilder("0\r\n");
        if (error is { } broken)
        {
            end.Append(ErrorType).Append(": ").Append(broken.Type).Append("\r\n");
            end.Append(ErrorBody).Append(": ").Append(Convert.ToBase64String(RuntimeApi.ErrorBody(broken.Type, broken.Message))).Append("\r\n");
        }

        await _stream.WriteAsync(Encoding.ASCII.GetBytes(end.Append("\r\n").ToString()), ct);
        var status = await _status.WaitAsync(ct);
        if (!status.StartsWith("HTTP/1.1 2", StringComparison.Ordinal)) throw new IOException($"The Runtime API answered '{(status.Length == 0 ? "nothing" : status)}' to a stream.");
    }

    public async ValueTask DisposeAsync()
    {
        _connection.Dispose();
        await _status;
        _gone.Dispose();
    }

    /// <summary>The first line of what comes back; empty where the connection ended without one. Whoever answers before the end takes no more.</summary>
    private async Task<string> ReadStatusAsync()
    {
        var head = new byte[MostHead];
        var length = 0;
        try
        {
            while (length < head.Length && head.AsSpan(0, length).IndexOf((byte)'\n') < 0)
            {
                var read = await _stream.ReadAsync(head.AsMemory(length));
                if (read == 0) break;
                length += read;
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            length = 0;
        }

        await _gone.CancelAsync();
        var end = head.AsSpan(0, length).IndexOf((byte)'\n');
        return end < 0 ? "" : Encoding.ASCII.GetString(head, 0, end).TrimEnd('\r');
    }
}
