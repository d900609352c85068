namespace Penstock.Agents.Socket;

/// <summary>How long a socket waits for its client.</summary>
internal sealed record SocketTimes
{
    /// <summary>Between two pings of the server; they are the protocol's own, which clients answer by themselves.</summary>
    public TimeSpan Ping { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>From a ping to the end of a client that says nothing: with <see cref="Ping"/> a minute of silence.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(40);

    /// <summary>How long one message may take to be read.</summary>
    public TimeSpan Send { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>For a client that brought no key with its request.</summary>
    public TimeSpan Key { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often the key is looked at again.</summary>
    public TimeSpan KeyAgain { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>For the last word.</summary>
    public TimeSpan Close { get; init; } = TimeSpan.FromSeconds(5);
}
