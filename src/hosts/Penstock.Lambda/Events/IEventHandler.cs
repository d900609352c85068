namespace Penstock.Lambda.Events;

/// <summary>Does what an event asks for. What it throws counts as not done, and AWS sends the event again.</summary>
internal interface IEventHandler<in T>
{
    bool Takes(T happened);

    /// <param name="ct">Cancelled when the invocation's time ends.</param>
    Task HandleAsync(T happened, CancellationToken ct);
}
