using Microsoft.AspNetCore.Http;

namespace Penstock.Http;

/// <summary>
/// When a host will not run a request any longer, whoever waits for it: a feature of the request where there is such a moment. Work that goes on without its
/// client ends there too.
/// </summary>
public sealed class RequestDeadline(CancellationToken over)
{
    internal static CancellationToken Of(HttpContext http) => http.Features.Get<RequestDeadline>()?.Over ?? CancellationToken.None;

    private CancellationToken Over => over;
}
