namespace Penstock.Keys;

/// <summary>Whose a request is that the server itself makes: a feature of it, which nothing that a client sends can set.</summary>
internal sealed record StandIn(Caller Caller);
