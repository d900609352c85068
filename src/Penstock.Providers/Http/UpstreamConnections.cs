using System.Collections.Concurrent;
using System.Net;

namespace Penstock.Providers.Http;

/// <summary>
/// Connections to providers, pooled per origin and kept across configuration changes. Nothing is followed, decoded or added on the way:
/// no redirects, cookies, proxies, decompression or trace headers.
/// </summary>
public sealed class UpstreamConnections : IDisposable
{
    private readonly ConcurrentDictionary<TimeSpan, HttpMessageInvoker> _byConnectTimeout = new();

    internal HttpMessageInvoker For(TimeSpan connectTimeout) => _byConnectTimeout.GetOrAdd(connectTimeout, static timeout => new HttpMessageInvoker(new SocketsHttpHandler
    {
        ConnectTimeout = timeout,
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,
        // A stream that is left half-way is read on for this long before its connection closes: enough for the end of a complete answer,
        // so that the connection is used again, and too short for a model to go on writing to nobody (the default is 2 s).
        ResponseDrainTimeout = TimeSpan.FromMilliseconds(200),
        MaxConnectionsPerServer = 4096,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        EnableMultipleHttp2Connections = true,
    }));

    public void Dispose()
    {
        foreach (var connections in _byConnectTimeout.Values) connections.Dispose();
    }
}
