using Penstock.Jobs;

namespace Penstock.Contracts;

/// <summary>A queue over a real one that says some things twice and forgets some of what it is told: the worst that at-least-once allows.</summary>
/// <param name="duplicates">Share of what is sent that is sent twice.</param>
/// <param name="losses">Share of acknowledgements that are lost, half of them with an error.</param>
public sealed class FaultyJobQueue(IJobQueue queue, double duplicates, double losses, ulong seed) : IJobQueue
{
    private readonly Lock _lock = new();
    private readonly SeededSource _source = new(seed);
    private int _duplicated;
    private int _lost;

    public int Duplicated => Volatile.Read(ref _duplicated);

    public int Lost => Volatile.Read(ref _lost);

    public async Task SendAsync(JobMessage message, TimeSpan delay, CancellationToken ct)
    {
        await queue.SendAsync(message, delay, ct);
        if (Next() >= duplicates) return;
        Interlocked.Increment(ref _duplicated);
        await queue.SendAsync(message, delay, ct);
    }

    public Task<IReadOnlyList<ReceivedJob>> ReceiveAsync(int most, TimeSpan hidden, TimeSpan wait, CancellationToken ct) => queue.ReceiveAsync(most, hidden, wait, ct);

    public Task<bool> ExtendAsync(JobReceipt receipt, TimeSpan hidden, CancellationToken ct) => queue.ExtendAsync(receipt, hidden, ct);

    public Task CompleteAsync(JobReceipt receipt, CancellationToken ct)
    {
        var dice = Next();
        if (dice >= losses) return queue.CompleteAsync(receipt, ct);
        Interlocked.Increment(ref _lost);
        return dice < losses / 2 ? Task.CompletedTask : Task.FromException(new IOException("The acknowledgement was lost."));
    }

    public Task BuryAsync(ReceivedJob job, string reason, CancellationToken ct) => queue.BuryAsync(job, reason, ct);

    public Task<IReadOnlyList<DeadJob>> ListDeadAsync(int most, CancellationToken ct) => queue.ListDeadAsync(most, ct);

    public Task<int> RedriveAsync(int most, Func<JobMessage, CancellationToken, Task<bool>> readmit, CancellationToken ct) => queue.RedriveAsync(most, readmit, ct);

    private double Next()
    {
        lock (_lock) return _source.NextBits() / (double)ulong.MaxValue;
    }
}
