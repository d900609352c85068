using Penstock.Kernel;

namespace Penstock.Idempotency;

/// <summary>
/// Requests that carry an <c>Idempotency-Key</c>, and their answers. A name belongs to one virtual key of one tenant. Writes are durable when their task
/// completes.
/// </summary>
public interface IIdempotencyStore
{
    /// <summary>
    /// Takes the name for a request, or says who has it. Atomic: of any number of requests at once, on any node, one gets <see cref="ClaimKind.Started"/>.
    /// A claim that nobody completed or released by its <see cref="IdempotencyClaim.LeaseUntil"/> may be taken again, by the same request only. Whatever
    /// is past its <see cref="IdempotencyClaim.KeepUntil"/> at <paramref name="now"/> counts as not there, dropped or not.
    /// </summary>
    Task<ClaimResult> ClaimAsync(IdempotencyClaim claim, DateTimeOffset now, CancellationToken ct);

    /// <summary>Puts off the end of a running claim's lease. False where it is this <paramref name="owner"/>'s no more, or was completed.</summary>
    Task<bool> RenewAsync(IdempotencyName name, string owner, DateTimeOffset leaseUntil, CancellationToken ct);

    /// <summary>
    /// Keeps the answer until <paramref name="keepUntil"/>. False where the claim is this <paramref name="owner"/>'s no more, or was completed; nothing
    /// changes then.
    /// </summary>
    /// <param name="answer">Opaque to the store; up to <see cref="MostAnswerBytes"/>, so that some stores must keep it in pieces.</param>
    Task<bool> CompleteAsync(IdempotencyName name, string owner, ReadOnlyMemory<byte> answer, DateTimeOffset keepUntil, CancellationToken ct);

    /// <summary>Frees the name: the request failed, and may be tried again. Nothing happens where the claim is this <paramref name="owner"/>'s no more, or was completed.</summary>
    Task ReleaseAsync(IdempotencyName name, string owner, CancellationToken ct);

    /// <summary>Drops what is past its <see cref="IdempotencyClaim.KeepUntil"/>, every tenant's, a bounded number at a time; returns how many.</summary>
    Task<int> DropAsync(DateTimeOffset now, CancellationToken ct);

    /// <summary>Largest answer that is stored, in bytes.</summary>
    const int MostAnswerBytes = (8 * 1024 + 64) * 1024;
}

/// <param name="Key">The virtual key.</param>
/// <param name="Value">As the client sent it: 1 to 255 printable ASCII characters.</param>
public readonly record struct IdempotencyName(TenantId Tenant, KeyId Key, string Value);

/// <param name="RequestHash">SHA-256 over method, path, query and body, 32 bytes.</param>
/// <param name="Owner">Unique to this request on this node.</param>
/// <param name="LeaseUntil">When the request counts as dead, unless it renews.</param>
/// <param name="KeepUntil">When the name is free again where nothing else frees it.</param>
public sealed record IdempotencyClaim(IdempotencyName Name, ReadOnlyMemory<byte> RequestHash, string Owner, DateTimeOffset LeaseUntil, DateTimeOffset KeepUntil);

public enum ClaimKind
{
    /// <summary>The name is this request's; it must be completed or released.</summary>
    Started,

    /// <summary>An equal request is running.</summary>
    Running,

    /// <summary>An equal request was answered; here is the answer.</summary>
    Answered,

    /// <summary>The name was used for another request.</summary>
    Other,
}

/// <param name="Answer">As it was completed with, where <see cref="ClaimKind.Answered"/>.</param>
public sealed record ClaimResult(ClaimKind Kind, ReadOnlyMemory<byte> Answer = default);
