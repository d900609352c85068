using System.Net;

namespace Penstock.Http;

/// <summary>Connections to addresses that the operator named, apart from providers: what is answered is followed nowhere, unpacked by nobody, and bounded.</summary>
internal static class PlainConnections
{
    /// <summary>Neither redirects nor cookies, proxies, decompression or trace headers; 64 KiB of headers at most.</summary>
    public static SocketsHttpHandler Create() => new()
    {
        ConnectTimeout = TimeSpan.FromSeconds(5),
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,
        MaxResponseHeadersLength = 64,
        // A connection whose answer is longer than its reader wanted is closed, not read out.
        MaxResponseDrainSize = 16 * 1024,
        ResponseDrainTimeout = TimeSpan.FromMilliseconds(200),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    };
}
