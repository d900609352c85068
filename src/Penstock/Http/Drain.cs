using Microsoft.AspNetCore.Http;
using Penstock.Kernel;

namespace Penstock.Http;

/// <summary>
/// The server's way out: after <see cref="Start"/> new requests are refused, and after <paramref name="limit"/> more
/// <see cref="Cut"/> asks the streams still open to end with an error frame and be booked.
/// </summary>
public sealed class Drain(TimeProvider time, TimeSpan limit) : IDisposable
{
    private readonly CancellationTokenSource _cut = new();
    private ITimer? _timer;

    internal static readonly Refusal Refusal = new(RefusalKind.Unavailable, "shutting_down", "This server is stopping; send the request again.") { RetryAfter = TimeSpan.FromSeconds(1) };

    public bool Started => _timer is not null;

    public CancellationToken Cut => _cut.Token;

    public void Start() => _timer ??= time.CreateTimer(static cut => ((CancellationTokenSource)cut!).Cancel(), _cut, limit, Timeout.InfiniteTimeSpan);

    /// <summary>Stands behind routing, so that the refusal is written in its route's dialect.</summary>
    internal Task GateAsync(HttpContext http, RequestDelegate next) =>
        Started && !HealthEndpoints.IsHealth(http.Request.Path) ? Task.FromException(new RefusedException(Refusal)) : next(http);

    public void Dispose()
    {
        _timer?.Dispose();
        _cut.Dispose();
    }
}
