namespace Penstock.Jobs;

/// <summary>
/// Messages that are each given to one worker at a time, at least once. What must be done once is made so by whoever handles it. A message that was received is
/// hidden for a time, which its worker prolongs while it works; one that comes back hidden-time over is given again, with its count of attempts grown.
/// </summary>
public interface IJobQueue
{
    /// <summary>Durable when it returns. Tenants take turns: one with a million messages does not hold up one with one.</summary>
    /// <param name="delay">Not given to anybody before it is over; at most 15 minutes.</param>
    Task SendAsync(JobMessage message, TimeSpan delay, CancellationToken ct);

    /// <summary>At most <paramref name="most"/> (1 to 10) that are due, each hidden for <paramref name="hidden"/>. Waits up to <paramref name="wait"/> (20 s at most) for the first one.</summary>
    Task<IReadOnlyList<ReceivedJob>> ReceiveAsync(int most, TimeSpan hidden, TimeSpan wait, CancellationToken ct);

    /// <summary>Hidden for <paramref name="hidden"/> from now on. False where the receipt is no longer the newest: another has it, or it is done.</summary>
    Task<bool> ExtendAsync(JobReceipt receipt, TimeSpan hidden, CancellationToken ct);

    /// <summary>It is done and gone. One that is gone already is no error.</summary>
    Task CompleteAsync(JobReceipt receipt, CancellationToken ct);

    /// <summary>It is out of turn and stands in the dead-letter queue, with <paramref name="reason"/>, until somebody sends it back.</summary>
    Task BuryAsync(ReceivedJob job, string reason, CancellationToken ct);

    /// <summary>Dead letters, the oldest first, at most <paramref name="most"/>. Looking takes nothing away.</summary>
    Task<IReadOnlyList<DeadJob>> ListDeadAsync(int most, CancellationToken ct);

    /// <summary>Sends at most <paramref name="most"/> dead letters back, with their attempts counted anew. Returns how many.</summary>
    Task<int> RedriveAsync(int most, CancellationToken ct);
}

/// <summary>What is to be done, as a name that its handler looks up: the work itself stands in a store, and a message stays under 1 KiB.</summary>
/// <param name="Id">The job's. Sent twice, it is given twice.</param>
/// <param name="Tenant">Whose turn it is.</param>
/// <param name="Kind">Who handles it, as <c>request</c> or <c>run</c>.</param>
public sealed record JobMessage(string Id, string Tenant, string Kind);

/// <param name="Value">Of one receiving of one message.</param>
public readonly record struct JobReceipt(string Value);

/// <param name="Attempt">How often it was received, this time included: 1 at first. Counted by the queue, and also right after a redrive.</param>
public sealed record ReceivedJob(JobMessage Message, JobReceipt Receipt, int Attempt);

/// <param name="Reason">Why it was buried.</param>
public sealed record DeadJob(JobMessage Message, string Reason, int Attempts, DateTimeOffset At);
