using Penstock.Kernel;

namespace Penstock.Limits;

/// <summary>
/// Where limits are counted: in this process where it is alone, or shared by all nodes. The store reads its own clock, because one that is alone needs none
/// that others share.
/// </summary>
public interface ILimitStore
{
    /// <summary>
    /// Takes the amount from every bucket and a slot of every concurrency limit for the lease, in one atomic step: either all of it, or nothing.
    /// A lease that holds a slot already keeps it, and its time begins anew; a slot is free again after its time where nobody returned it.
    /// </summary>
    ValueTask<LimitDecision> TakeAsync(LimitRequest request, CancellationToken ct);

    /// <summary>
    /// Gives each amount back, never above the bucket's size; one below zero is taken, and may leave the bucket below empty. Frees the slots that the lease
    /// holds; a second time changes nothing.
    /// </summary>
    ValueTask ReturnAsync(LimitRequest request, CancellationToken ct);
}

/// <summary>What one request takes, or gives back.</summary>
public readonly record struct LimitRequest
{
    public required TenantId Tenant { get; init; }

    /// <summary>No name twice.</summary>
    public ReadOnlyMemory<BucketTake> Buckets { get; init; }

    /// <summary>No name twice.</summary>
    public ReadOnlyMemory<SlotTake> Slots { get; init; }

    /// <summary>Names the slots' holder; unique.</summary>
    public string Lease { get; init; }

    /// <summary>How long the slots are the lease's.</summary>
    public TimeSpan LeaseFor { get; init; }
}

/// <summary>A bucket that is full at first and refills up to its size.</summary>
/// <param name="Name">Unique within the tenant, such as <c>key:abc:requests</c>.</param>
/// <param name="Size">Most it holds, above 0.</param>
/// <param name="PerSecond">Refill, above 0.</param>
/// <param name="Amount">0 only looks. To be taken, it is at most <paramref name="Size"/>.</param>
public readonly record struct BucketTake(string Name, double Size, double PerSecond, double Amount);

/// <param name="Name">Unique within the tenant, such as <c>key:abc:calls</c>.</param>
/// <param name="Most">Leases at once, above 0.</param>
public readonly record struct SlotTake(string Name, int Most);

/// <param name="Refusing">Index of what refused, among the buckets and then the slots: the bucket that needs longest, else the first slot; null where all was taken.</param>
/// <param name="Wait">After which the refusing bucket has enough; zero for a slot, of which nobody knows.</param>
/// <param name="Left">What each bucket holds after the decision, in their order.</param>
public readonly record struct LimitDecision(int? Refusing, TimeSpan Wait, IReadOnlyList<double> Left);
