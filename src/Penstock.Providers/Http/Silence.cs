using Penstock.Gateway;

namespace Penstock.Providers.Http;

/// <summary>Cancels <see cref="Token"/> when a call takes longer than it may, in whichever of its pieces, or when the caller gives up. All times but the connection's are kept here.</summary>
internal sealed class Silence : IDisposable
{
    private readonly CancellationTokenSource _timeout;
    private readonly CancellationTokenSource _either;
    private readonly CallTimeouts _timeouts;
    private readonly TimeProvider _time;
    private readonly long _began;
    private TimeSpan _allowed;
    private bool _endsAtTotal;

    /// <param name="stream">A whole answer has its first byte when it is done: only a stream's is waited for separately.</param>
    public Silence(CallTimeouts timeouts, bool stream, TimeProvider time, CancellationToken ct)
    {
        (_timeouts, _time, _began) = (timeouts, time, time.GetTimestamp());
        _allowed = stream ? timeouts.FirstByte : timeouts.Idle;
        _timeout = new CancellationTokenSource(Next(timeouts.Total), time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(ct, _timeout.Token);
    }

    public CancellationToken Token => _either.Token;

    public bool TimedOut => _timeout.IsCancellationRequested;

    /// <summary>Something was heard: the wait begins anew, but never beyond the whole call's time.</summary>
    public void Heard()
    {
        _allowed = _timeouts.Idle;
        var left = _timeouts.Total - _time.GetElapsedTime(_began);
        _timeout.CancelAfter(Next(left > TimeSpan.Zero ? left : TimeSpan.Zero));
    }

    // A timer may fire a little early, so no clock is asked which time is over.
    public ProviderException Fault(string provider) => _endsAtTotal
        ? new(ProviderFault.TimedOut, $"Provider '{provider}' did not finish within {_timeouts.Total.TotalSeconds:0.#} s.")
        : new(ProviderFault.TimedOut, $"Provider '{provider}' was silent for {_allowed.TotalSeconds:0.#} s.");

    public void Dispose()
    {
        _either.Dispose();
        _timeout.Dispose();
    }

    private TimeSpan Next(TimeSpan left)
    {
        _endsAtTotal = left <= _allowed;
        return _endsAtTotal ? left : _allowed;
    }
}
