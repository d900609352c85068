using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Penstock.Tests.Providers.OpenAi;

/// <summary>How a stream ends once all of it was sent.</summary>
public enum StreamEnd
{
    /// <summary>As the protocol asks.</summary>
    Proper,

    /// <summary>The connection closes in the middle.</summary>
    Broken,

    /// <summary>Nothing more comes, and nothing ends.</summary>
    Open,
}

/// <summary>A request as the server heard it.</summary>
internal sealed record HeardRequest(string Line, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);
}

/// <summary>
/// A server on a real socket that answers each request with bytes written down beforehand, and sees when its client closes the connection.
/// </summary>
internal sealed class ReplayServer : IAsyncDisposable
{
    /// <summary>Writes an answer; what it leaves open stays open.</summary>
    public delegate Task Answer(Stream connection, CancellationToken ct);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Answer _answer;
    private readonly Task _accepting;
    private readonly ConcurrentBag<Task> _serving = [];
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ReplayServer(Answer answer)
    {
        _answer = answer;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public ConcurrentQueue<HeardRequest> Requests { get; } = [];

    public int Connections { get; private set; }

    /// <summary>Done when a client closed a connection.</summary>
    public Task Closed => _closed.Task;

    public Uri Url => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/v1");

    public static Answer Json(string body, int status = 200, params string[] headers) => Whole(status, ["Content-Type: application/json", .. headers], body);

    public static Answer Whole(int status, string[] headers, string body) => async (connection, ct) =>
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        await SendAsync(connection, $"HTTP/1.1 {status} X\r\n{string.Concat(headers.Select(header => header + "\r\n"))}Content-Length: {bytes.Length}\r\n\r\n", ct);
        await connection.WriteAsync(bytes, ct);
    };

    /// <summary>An event stream in chunks of <paramref name="step"/> bytes, so that events and characters break anywhere.</summary>
    public static Answer Events(string body, int step = int.MaxValue, StreamEnd end = StreamEnd.Proper) => async (connection, ct) =>
    {
        await SendAsync(connection, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n", ct);
        var bytes = Encoding.UTF8.GetBytes(body);
        for (var at = 0; at < bytes.Length; at += Math.Min(step, bytes.Length - at))
        {
            var piece = bytes.AsMemory(at, Math.Min(step, bytes.Length - at));
            await SendAsync(connection, piece.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n", ct);
            await connection.WriteAsync(piece, ct);
            await SendAsync(connection, "\r\n", ct);
        }

        if (end == StreamEnd.Proper) await SendAsync(connection, "0\r\n\r\n", ct);
        if (end == StreamEnd.Broken) connection.Close();
    };

    public async ValueTask DisposeAsync()
    {
        // Accepting ends by its token first: a stopped listener refuses to be asked.
        await _stop.CancelAsync();
        await _accepting;
        _listener.Stop();
        await Task.WhenAll(_serving);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                Connections++;
                _serving.Add(ServeAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using (client)
            await using (var connection = client.GetStream())
            {
                while (await ReadAsync(connection, _stop.Token) is { } request)
                {
                    Requests.Enqueue(request);
                    await _answer(connection, _stop.Token);
                }
            }

            _closed.TrySetResult();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
        {
            if (!_stop.IsCancellationRequested) _closed.TrySetResult();
        }
    }

    private static async Task<HeardRequest?> ReadAsync(Stream connection, CancellationToken ct)
    {
        var head = new List<byte>();
        var one = new byte[1];
        while (!head.TakeLast(4).SequenceEqual("\r\n\r\n"u8.ToArray()))
        {
            if (await connection.ReadAsync(one, ct) == 0) return null;
            head.Add(one[0]);
        }

        var lines = Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines[1..].ToDictionary(line => line[..line.IndexOf(':')], line => line[(line.IndexOf(':') + 1)..].Trim(), StringComparer.OrdinalIgnoreCase);
        var body = new byte[int.Parse(headers["Content-Length"], CultureInfo.InvariantCulture)];
        await connection.ReadExactlyAsync(body, ct);
        return new HeardRequest(lines[0], headers, body);
    }

    private static async Task SendAsync(Stream connection, string text, CancellationToken ct)
    {
        await connection.WriteAsync(Encoding.ASCII.GetBytes(text), ct);
        await connection.FlushAsync(ct);
    }
}
