using Microsoft.AspNetCore.Http;
using Penstock.Kernel;

namespace Penstock.Http;

/// <summary>
/// The server's way out: after <see cref="Start"/> new requests are refused, and after <paramref name="limit"/> more
/// <see cref="Cut"/> asks the streams still open to end with an error frame and be booked.
/// </summary>
public sealed class Drain(TimeProvider time, TimeSpan limit) : IDisposable
{
    private readonly CancellationTokenSource _begun = new();
    private readonly CancellationTokenSource _cut = new();
    private ITimer? _timer;

    internal static readonly Refusal Refusal = new(RefusalKind.Unavailable, "shutting_down", "This server is stopping; send the request again.") { RetryAfter = TimeSpan.FromSeconds(1) };

    public bool Started => _timer is not null;

    public CancellationToken Cut => _cut.Token;

    /// <summary>Cancelled by <see cref="Start"/>: whoever only watches, and can go on watching at another server, need not be waited for.</summary>
    public CancellationToken Begun => _begun.Token;

    public void Start()
    {
        if (_timer is not null) return;
        _timer = time.CreateTimer(static cut => ((CancellationTokenSource)cut!).Cancel(), _cut, limit, Timeout.InfiniteTimeSpan);
        _begun.Cancel();
    }

    /// <summary>Stands behind routing, so that the refusal is written in its route's dialect.</summary>
    internal Task GateAsync(HttpContext http, RequestDelegate next) =>
        Started && !HealthEndpoints.IsHealth(http.Request.Path) ? Task.FromException(new RefusedException(Refusal)) : next(http);

    public void Dispose()
    {
        _timer?.Dispose();
        _begun.Dispose();
        _cut.Dispose();
    }
}
