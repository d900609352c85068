using Penstock.Kernel;

namespace Penstock.Limits;

/// <summary>
/// Where limits are counted: in this process where it is alone, or shared by all nodes. All of a request's limits are taken in one atomic step: either
/// every one of them, or nothing.
/// </summary>
public interface ILimitStore
{
    /// <summary>Takes from every bucket and one slot of every concurrency limit, or nothing. Slots are this <see cref="LimitRequest.Lease"/>'s until released or expired.</summary>
    ValueTask<LimitDecision> TakeAsync(LimitRequest request, CancellationToken ct);

    /// <summary>Gives back (or, below zero, takes) from one bucket, whatever it holds; never above its size. A bucket may fall below empty by this alone.</summary>
    ValueTask ReturnAsync(TenantId tenant, string bucket, double amount, CancellationToken ct);

    /// <summary>Frees the slots that the lease has. A second release changes nothing.</summary>
    ValueTask ReleaseAsync(TenantId tenant, IReadOnlyList<string> slots, string lease, CancellationToken ct);
}

/// <summary>What one request needs.</summary>
public sealed record LimitRequest
{
    public required TenantId Tenant { get; init; }

    public IReadOnlyList<BucketTake> Buckets { get; init; } = [];

    public IReadOnlyList<SlotTake> Slots { get; init; } = [];

    /// <summary>Names the slots' holder; unique.</summary>
    public string Lease { get; init; } = "";

    /// <summary>When the slots are free again where nobody releases them.</summary>
    public DateTimeOffset LeaseUntil { get; init; }

    public required DateTimeOffset At { get; init; }
}

/// <summary>A token bucket that refills without end up to its size.</summary>
/// <param name="Name">Unique within the tenant, such as <c>key:abc:requests</c>.</param>
/// <param name="Size">Most it holds; a new one is full.</param>
/// <param name="PerSecond">Refill.</param>
/// <param name="Amount">What the request takes; at most <paramref name="Size"/>.</param>
public readonly record struct BucketTake(string Name, double Size, double PerSecond, double Amount);

/// <param name="Name">Unique within the tenant, such as <c>key:abc</c>.</param>
/// <param name="Most">Leases at once.</param>
public readonly record struct SlotTake(string Name, int Most);

/// <param name="Refusing">Index of what refused among the buckets, then the slots; null where all was taken.</param>
/// <param name="Wait">After which the refusing bucket has enough; zero for a slot, of which nobody knows.</param>
/// <param name="Left">What each bucket holds after the decision, in their order.</param>
public sealed record LimitDecision(int? Refusing, TimeSpan Wait, IReadOnlyList<double> Left);
