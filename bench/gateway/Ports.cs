using System.Net;
using System.Net.Sockets;

namespace Penstock.Bench.Gateway;

internal static class Ports
{
    /// <summary>One that nobody uses at this moment.</summary>
    public static int Free()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public static async Task OpenAsync(int port, Running process, TimeSpan within)
    {
        var until = Clock.Now + within;
        while (true)
        {
            if (process.Ended) throw new InvalidOperationException($"What was to listen on {port} has ended; its log is in the work folder.");
            try
            {
                using var socket = new TcpClient();
                await socket.ConnectAsync(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException) when (Clock.Now < until)
            {
                await Clock.RestAsync(TimeSpan.FromMilliseconds(1));
            }
        }
    }
}
