using Penstock.Gateway;

namespace Penstock.Providers.Http;

/// <summary>Cancels <see cref="Token"/> when nothing was heard for the allowed time, or when the caller gives up.</summary>
internal sealed class Silence : IDisposable
{
    private readonly CancellationTokenSource _timeout;
    private readonly CancellationTokenSource _either;
    private readonly TimeSpan _allowed;

    public Silence(TimeSpan allowed, TimeProvider time, CancellationToken ct)
    {
        _allowed = allowed;
        _timeout = new CancellationTokenSource(allowed, time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(ct, _timeout.Token);
    }

    public CancellationToken Token => _either.Token;

    public bool TimedOut => _timeout.IsCancellationRequested;

    /// <summary>Something was heard: the wait begins anew.</summary>
    public void Heard() => _timeout.CancelAfter(_allowed);

    public ProviderException Fault(string provider) =>
        new(ProviderFault.TimedOut, $"Provider '{provider}' was silent for {_allowed.TotalSeconds:0.#} s.");

    public void Dispose()
    {
        _either.Dispose();
        _timeout.Dispose();
    }
}
