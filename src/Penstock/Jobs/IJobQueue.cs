namespace Penstock.Jobs;

/// <summary>
/// Messages that are each given to one worker at a time, at least once: what must be done once is made so by whoever handles it. A message that was received is
/// hidden for a time, which its worker prolongs while it works; one whose time is over is given again, with its count of attempts grown.
/// </summary>
public interface IJobQueue
{
    /// <summary>Longest <c>delay</c> of a message that is sent.</summary>
    static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(15);

    /// <summary>Longest time for which a message is hidden at once.</summary>
    static readonly TimeSpan LongestHidden = TimeSpan.FromHours(12);

    /// <summary>Durable when it returns. Tenants take turns: one with a million messages does not hold up one with one.</summary>
    /// <param name="delay">Not given to anybody before it is over; from zero to <see cref="LongestDelay"/>, in whole seconds.</param>
    Task SendAsync(JobMessage message, TimeSpan delay, CancellationToken ct);

    /// <summary>At most <paramref name="most"/> (1 to 10) that are due, each hidden for <paramref name="hidden"/>. Waits up to <paramref name="wait"/> (20 s at most) for the first one.</summary>
    /// <param name="hidden">From one second to <see cref="LongestHidden"/>, in whole seconds.</param>
    Task<IReadOnlyList<ReceivedJob>> ReceiveAsync(int most, TimeSpan hidden, TimeSpan wait, CancellationToken ct);

    /// <summary>
    /// Hidden for <paramref name="hidden"/> from now on, in whole seconds; zero gives it back at once, to whoever receives next. False where the receipt is no
    /// longer the newest: another has it, or it is done.
    /// </summary>
    Task<bool> ExtendAsync(JobReceipt receipt, TimeSpan hidden, CancellationToken ct);

    /// <summary>It is done and gone. One that is gone already is no error. With a receipt that is not the newest it may stay: the next who gets it finds its work done.</summary>
    Task CompleteAsync(JobReceipt receipt, CancellationToken ct);

    /// <summary>It is out of turn and stands in the dead-letter queue, with <paramref name="reason"/> (at most 1,000 characters), until somebody sends it back.</summary>
    Task BuryAsync(ReceivedJob job, string reason, CancellationToken ct);

    /// <summary>Dead letters, the oldest first as far as the queue knows an order, at most <paramref name="most"/> (1 to 100). Looking takes nothing away.</summary>
    Task<IReadOnlyList<DeadJob>> ListDeadAsync(int most, CancellationToken ct);

    /// <summary>
    /// Sends at most <paramref name="most"/> dead letters back, with their attempts counted anew. Returns how many. Broken off in between, a letter may be both
    /// sent back and still dead; none is neither.
    /// </summary>
    /// <param name="readmit">Called for each before it can be received again, maybe more than once. False drops the letter: nothing is left to do for it.</param>
    Task<int> RedriveAsync(int most, Func<JobMessage, CancellationToken, Task<bool>> readmit, CancellationToken ct);
}

/// <summary>What is to be done, as a name that its handler looks up: the work itself stands in a store, and a message stays under 1 KiB.</summary>
/// <param name="Id">The job's. Sent twice, it is given twice.</param>
/// <param name="Tenant">Whose turn it is.</param>
/// <param name="Kind">Who handles it, as <c>request</c> or <c>webhook</c>.</param>
public sealed record JobMessage(string Id, string Tenant, string Kind);

/// <param name="Value">Of one receiving of one message.</param>
public readonly record struct JobReceipt(string Value);

/// <param name="Attempt">How often it was received, this time included, those that were given back too: 1 at first, and 1 after a redrive.</param>
public sealed record ReceivedJob(JobMessage Message, JobReceipt Receipt, int Attempt);

/// <param name="Reason">Why it was buried.</param>
/// <param name="Attempts">How often it was received until then.</param>
public sealed record DeadJob(JobMessage Message, string Reason, int Attempts, DateTimeOffset At);
