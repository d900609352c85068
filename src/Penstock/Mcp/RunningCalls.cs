using System.Collections.Concurrent;
using Penstock.Kernel;

namespace Penstock.Mcp;

/// <summary>
/// Calls that a client may take back by <c>notifications/cancelled</c>, by the session it was given at its handshake: ids of two clients of one key may be
/// the same. A call is known on the server it runs on only; closing its connection takes it back from anywhere.
/// </summary>
internal sealed class RunningCalls
{
    private readonly ConcurrentDictionary<(KeyId Key, string Session, string Id), Action> _cancel = new();

    /// <summary>Dispose of what it returns when the call is over.</summary>
    public IDisposable Add(KeyId key, string session, string id, Action cancel)
    {
        var call = new Call(this, (key, session, id));
        // Of two calls of one id nobody can say which is meant.
        if (session.Length > 0) _cancel[call.Name] = cancel;
        return call;
    }

    public void Cancel(KeyId key, string session, string id)
    {
        if (_cancel.TryRemove((key, session, id), out var cancel)) cancel();
    }

    private sealed record Call(RunningCalls Calls, (KeyId Key, string Session, string Id) Name) : IDisposable
    {
        public void Dispose() => Calls._cancel.TryRemove(Name, out _);
    }
}
