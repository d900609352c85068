using System.Net;
using System.Net.Sockets;
using Penstock.Kernel;

namespace Penstock.Tools.Fetch;

/// <summary>The addresses of a host's name.</summary>
internal delegate Task<IPAddress[]> ResolveHost(string host, CancellationToken ct);

/// <summary>A connection to an address that was checked.</summary>
internal delegate Task<Stream> ConnectAddress(IPEndPoint address, CancellationToken ct);

/// <summary>
/// Connections to public addresses only. A name is resolved once, all that it resolves to is checked, and what was checked is what is connected to: a second
/// answer of the name server is never asked for. Every request has a connection of its own, so that none outlives its check.
/// </summary>
internal sealed class CheckedConnections : IDisposable
{
    private readonly ResolveHost _resolve;
    private readonly ConnectAddress _connect;
    private readonly ToolSection _section;
    private readonly HttpMessageInvoker _http;

    public CheckedConnections(ResolveHost resolve, ConnectAddress connect, ToolSection section)
    {
        (_resolve, _connect, _section) = (resolve, connect, section);
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            ConnectCallback = async (context, ct) => await ConnectAsync(context.DnsEndPoint, ct),
            ConnectTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionLifetime = TimeSpan.Zero,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            // The body is read up to a limit after this, so that a small answer cannot become a large one.
            AutomaticDecompression = DecompressionMethods.All,
            ActivityHeadersPropagator = null,
            MaxResponseHeadersLength = 64,
            MaxResponseDrainSize = 0,
        });
    }

    /// <exception cref="RefusedException">Where an address is not public.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct)
    {
        try
        {
            return await _http.SendAsync(request, ct);
        }
        catch (HttpRequestException e) when (Refused(e) is { } refused)
        {
            throw refused;
        }
    }

    public void Dispose() => _http.Dispose();

    public static async Task<Stream> ConnectSocketAsync(IPEndPoint address, CancellationToken ct)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<Stream> ConnectAsync(DnsEndPoint target, CancellationToken ct)
    {
        var addresses = IPAddress.TryParse(target.Host.Trim('[', ']'), out var literal) ? [literal] : await _resolve(target.Host, ct);
        if (addresses.Length == 0) throw new SocketException((int)SocketError.HostNotFound);
        if (!_section.Current.Fetch.AllowHosts.Contains(target.Host) && Array.Find(addresses, address => !PublicAddress.Is(address)) is { } inner) throw NotPublic(target.Host, inner);

        SocketException? last = null;
        foreach (var address in addresses)
        {
            try
            {
                return await _connect(new IPEndPoint(address, target.Port), ct);
            }
            catch (SocketException e)
            {
                last = e;
            }
        }

        throw last!;
    }

    private static RefusedException NotPublic(string host, IPAddress address) => new(new Refusal(
        RefusalKind.Unprocessable,
        "address_not_allowed",
        $"'{host}' is at {address}, which is not a public address; http_fetch reaches public addresses only. An operator can name the host in tools.fetch.allowHosts.") { Field = "/url" });

    private static RefusedException? Refused(Exception e) => e as RefusedException ?? (e.InnerException is { } inner ? Refused(inner) : null);
}
