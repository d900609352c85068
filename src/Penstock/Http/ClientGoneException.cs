namespace Penstock.Http;

/// <summary>
/// The client left before its answer ended. A write may find that out a moment before <c>RequestAborted</c> says so,
/// which is why nobody may ask that token alone.
/// </summary>
internal sealed class ClientGoneException(CancellationToken ct) : OperationCanceledException("The client left.", ct);
