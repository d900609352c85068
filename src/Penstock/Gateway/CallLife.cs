using Penstock.Http;

namespace Penstock.Gateway;

/// <summary>
/// How long a provider's call goes on: while its client is there and the server does not stop. Where the provider bills on when it is left, the call is heard
/// to its end for a while longer, so that what is booked is what is billed.
/// </summary>
internal sealed class CallLife : IDisposable
{
    private readonly CancellationTokenSource _stop;
    private readonly CancellationToken _client;
    private readonly CancellationTokenRegistration _cut;
    private readonly CancellationTokenRegistration _gone;
    private readonly bool _staysOn;
    private bool _lost;

    /// <param name="longest">How long a call is heard whose client left; zero for not at all.</param>
    public CallLife(IChatProvider provider, Drain drain, TimeSpan longest, TimeProvider time, CancellationToken client)
    {
        (_client, _staysOn) = (client, provider.BillsOnWhenLeft && longest > TimeSpan.Zero);
        if (!_staysOn)
        {
            _stop = CancellationTokenSource.CreateLinkedTokenSource(client, drain.Cut);
            return;
        }

        _stop = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _cut = drain.Cut.UnsafeRegister(static stop => ((CancellationTokenSource)stop!).Cancel(), _stop);
        _gone = client.Register(() => _stop.CancelAfter(longest));
    }

    /// <summary>Ends the provider's call.</summary>
    public CancellationToken Token => _stop.Token;

    /// <summary>Nobody is there any more, and the call goes on.</summary>
    public bool Left => _lost || (_staysOn && _client.IsCancellationRequested);

    public void ThrowIfOver()
    {
        _client.ThrowIfCancellationRequested();
        Token.ThrowIfCancellationRequested();
    }

    public void ThrowIfLeft()
    {
        if (Left) throw new ClientGoneException(_client);
    }

    /// <summary>Whether <paramref name="e"/>, which came of writing to the client, leaves the call to go on by itself.</summary>
    public bool Loses(Exception e)
    {
        if (!_staysOn || Token.IsCancellationRequested) return false;
        if (e is not ClientGoneException && !(e is OperationCanceledException or IOException && _client.IsCancellationRequested)) return false;
        return _lost = true;
    }

    public Task EndAsync() => _stop.CancelAsync();

    public void Dispose()
    {
        _cut.Dispose();
        _gone.Dispose();
        _stop.Dispose();
    }
}
