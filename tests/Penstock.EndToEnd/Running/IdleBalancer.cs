using System.Net;
using System.Net.Sockets;

namespace Penstock.EndToEnd.Running;

/// <summary>A TCP balancer on a real socket that ends a connection on which nothing came from the server for a while, as those of the clouds do after 60 s.</summary>
internal sealed class IdleBalancer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Uri _server;
    private readonly TimeSpan _idle;
    private readonly Task _accepting;
    private int _cut;

    public IdleBalancer(Uri server, TimeSpan idle)
    {
        (_server, _idle) = (server, idle);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>Connections that it ended because nothing came.</summary>
    public int Cut => Volatile.Read(ref _cut);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true) connections.Add(CarryAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task CarryAsync(TcpClient client)
    {
        using var clientSide = client;
        using var serverSide = new TcpClient();
        try
        {
            await serverSide.ConnectAsync(_server.Host, _server.Port, _stop.Token);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            await Task.WhenAny(clientSide.GetStream().CopyToAsync(serverSide.GetStream(), ended.Token), AnswersAsync(serverSide.GetStream(), clientSide.GetStream(), ended.Token));
            await ended.CancelAsync();
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // Either end went away; so does the other.
        }
    }

    private async Task AnswersAsync(NetworkStream from, NetworkStream to, CancellationToken ct)
    {
        var buffer = new byte[16 * 1024];
        while (true)
        {
            using var idle = CancellationTokenSource.CreateLinkedTokenSource(ct);
            idle.CancelAfter(_idle);
            int count;
            try
            {
                count = await from.ReadAsync(buffer, idle.Token);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                Interlocked.Increment(ref _cut);
                return;
            }

            if (count == 0) return;
            await to.WriteAsync(buffer.AsMemory(0, count), ct);
        }
    }
}
