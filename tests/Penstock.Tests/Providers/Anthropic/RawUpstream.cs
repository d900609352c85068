using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Penstock.Tests.Providers.Anthropic;

/// <summary>A server on a real socket that keeps what it was sent and answers with the bytes it was given, then closes.</summary>
internal sealed class RawUpstream : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _clientGone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly byte[] _answer;
    private readonly bool _thenSilent;
    private readonly int _times;
    private readonly Task _serving;

    private RawUpstream(byte[] answer, bool thenSilent, int times = 1)
    {
        _times = times;
        _answer = answer;
        _thenSilent = thenSilent;
        _listener.Start();
        _serving = ServeAsync(_stop.Token);
    }

    public Uri Address => new($"http://{_listener.LocalEndpoint}");

    /// <summary>Request line and headers, as they came.</summary>
    public string Head { get; private set; } = "";

    public byte[] Body { get; private set; } = [];

    public string BodyText => Encoding.UTF8.GetString(Body);

    /// <summary>Completes when the client closes its connection.</summary>
    public Task ClientGone => _clientGone.Task;

    public static RawUpstream Answering(string answer) => Answering(Encoding.UTF8.GetBytes(answer));

    public static RawUpstream Answering(byte[] answer) => new(answer, thenSilent: false);

    /// <summary>Answers so many requests on one connection, and takes no second one.</summary>
    public static RawUpstream AnsweringOnOneConnection(string answer, int times) => new(Encoding.UTF8.GetBytes(answer), thenSilent: false, times);

    /// <summary>Sends and then neither sends nor closes.</summary>
    public static RawUpstream AnsweringThenSilent(string answer) => new(Encoding.UTF8.GetBytes(answer), thenSilent: true);

    /// <summary>An answer of unknown length, which ends with the connection.</summary>
    public static string Stream(string events) => $"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n{events}";

    /// <summary>The beginning of a stream in chunks, as Anthropic sends it, whose end is still to come.</summary>
    public static string Chunked(string events) =>
        $"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{Encoding.UTF8.GetByteCount(events):x}\r\n{events}\r\n";

    public static string Json(string body, int status = 200, string headers = "") =>
        $"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n\r\n{body}";

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _serving;
        _stop.Dispose();
    }

    private async Task ServeAsync(CancellationToken ct)
    {
        try
        {
            using var client = await _listener.AcceptTcpClientAsync(ct);
            var stream = client.GetStream();
            for (var i = 0; i < _times; i++)
            {
                await ReadRequestAsync(stream, ct);
                await stream.WriteAsync(_answer, ct);
            }

            if (!_thenSilent) return;
            var nothing = new byte[1];
            while (await stream.ReadAsync(nothing, ct) > 0)
            {
            }

            _clientGone.TrySetResult();
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
        {
            // A reset is the other way for a client to go.
            if (!ct.IsCancellationRequested) _clientGone.TrySetResult();
        }
    }

    private async Task ReadRequestAsync(NetworkStream stream, CancellationToken ct)
    {
        var received = new List<byte>();
        var buffer = new byte[4096];
        int end;
        while ((end = received.ToArray().AsSpan().IndexOf("\r\n\r\n"u8)) < 0) received.AddRange(buffer.AsSpan(0, await stream.ReadAtLeastAsync(buffer, 1, cancellationToken: ct)));
        Head = Encoding.UTF8.GetString(received.ToArray(), 0, end);
        var length = Head.Split("\r\n").Single(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))["Content-Length:".Length..];
        while (received.Count < end + 4 + int.Parse(length, CultureInfo.InvariantCulture)) received.AddRange(buffer.AsSpan(0, await stream.ReadAtLeastAsync(buffer, 1, cancellationToken: ct)));
        Body = received.ToArray()[(end + 4)..];
    }
}
