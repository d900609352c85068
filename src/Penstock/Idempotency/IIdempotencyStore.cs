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
    /// A claim that nobody completed or gave up by its <see cref="IdempotencyClaim.LeaseUntil"/> may be taken again, by the same request only.
    /// </summary>
    Task<ClaimResult> ClaimAsync(IdempotencyClaim claim, DateTimeOffset now, CancellationToken ct);

    /// <summary>Puts off the end of a running claim's lease. False where it is this <paramref name="owner"/>'s no more.</summary>
    Task<bool> RenewAsync(IdempotencyName name, string owner, DateTimeOffset leaseUntil, CancellationToken ct);

    /// <summary>Keeps the answer until <paramref name="keepUntil"/>. False where the claim is this <paramref name="owner"/>'s no more.</summary>
    Task<bool> CompleteAsync(IdempotencyName name, string owner, StoredAnswer answer, DateTimeOffset keepUntil, CancellationToken ct);

    /// <summary>Frees the name: the request failed, and may be tried again. Nothing happens where the claim is this <paramref name="owner"/>'s no more.</summary>
    Task ReleaseAsync(IdempotencyName name, string owner, CancellationToken ct);

    /// <summary>Drops what is past its time, every tenant's; returns how many.</summary>
    Task<int> DropAsync(DateTimeOffset now, CancellationToken ct);
}

/// <param name="Key">The virtual key.</param>
/// <param name="Value">As the client sent it: 1 to 255 printable characters.</param>
public readonly record struct IdempotencyName(TenantId Tenant, KeyId Key, string Value);

/// <param name="RequestHash">SHA-256 over method, path, query and body, 32 bytes.</param>
/// <param name="Owner">Unique to this request on this node.</param>
public sealed record IdempotencyClaim(IdempotencyName Name, ReadOnlyMemory<byte> RequestHash, string Owner, DateTimeOffset LeaseUntil);

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

/// <param name="Answer">Where <see cref="ClaimKind.Answered"/>.</param>
public sealed record ClaimResult(ClaimKind Kind, StoredAnswer? Answer = null);

/// <summary>An answer as it went out. Headers that belong to one delivery (<c>x-request-id</c>, dates, limits) are not among <paramref name="Headers"/>.</summary>
public sealed record StoredAnswer(int Status, IReadOnlyList<KeyValuePair<string, string>> Headers, ReadOnlyMemory<byte> Body);
