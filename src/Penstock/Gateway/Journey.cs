using Penstock.Gateway.Routing;
using Penstock.Usage;

namespace Penstock.Gateway;

/// <summary>One request from its route to its end: the attempts it makes, one after the other, and how it stands in the ledger when it is over.</summary>
/// <param name="first">At the plan's first target; it stands for the request where nobody is called at all.</param>
internal sealed class Journey(CallOrigin origin, Plan plan, Attempt first)
{
    private LedgerRow? _failed;
    private bool _over;

    public CallOrigin Origin => origin;

    public Plan Plan => plan;

    /// <summary>The latest.</summary>
    public Attempt Attempt { get; private set; } = first;

    /// <summary>How the request ended; null until it has, which is before its client sees the end.</summary>
    public LedgerRow? BookedAs => Attempt.BookedAs is { } row && (_over || Attempt.Final) ? row : _over ? _failed : null;

    public void GoOn(Attempt next)
    {
        _failed = Attempt.BookedAs ?? _failed;
        Attempt = next;
    }

    /// <summary>Nobody else is asked.</summary>
    public void End() => _over = true;
}
