using Penstock.Aws.Api;
using Penstock.Jobs;

namespace Penstock.Aws.Sqs;

/// <summary>
/// A standard queue of SQS. Tenants take turns by message group, which on a standard queue orders nothing: SQS serves others first once one of them has more
/// under way than its share. What SQS counts is how often a message was received; a redrive sends a new one, so that it counts anew.
/// </summary>
internal sealed class SqsJobQueue(AwsClient aws, SqsOptions options, TimeProvider time) : IJobQueue
{
    private const int MostListed = 100;
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(20);

    /// <summary>Hides dead letters from others who look or redrive at the same time.</summary>
    private static readonly TimeSpan Looking = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Redriving = TimeSpan.FromMinutes(2);

    /// <summary>What was taken to look at it is given back, also where the caller has left.</summary>
    private static readonly TimeSpan GivingBack = TimeSpan.FromSeconds(10);

    private readonly SqsQueue _queue = new(aws, options.QueueUrl);
    private readonly SqsQueue _dead = new(aws, options.DeadLetterQueueUrl);

    public Task SendAsync(JobMessage message, TimeSpan delay, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, IJobQueue.LongestDelay);
        return _queue.SendAsync(JobBody.Write(message), JobBody.Group(message.Tenant), delay, ct);
    }

    /// <remarks>One who leaves while SQS answers may take a message along, which comes back when its time is over.</remarks>
    public async Task<IReadOnlyList<ReceivedJob>> ReceiveAsync(int most, TimeSpan hidden, TimeSpan wait, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(most, SqsQueue.MostAtOnce);
        ArgumentOutOfRangeException.ThrowIfLessThan(hidden, TimeSpan.FromSeconds(1));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hidden, IJobQueue.LongestHidden);
        var jobs = new List<ReceivedJob>();
        foreach (var message in await _queue.ReceiveAsync(most, hidden, wait > LongestWait ? LongestWait : wait, ct))
        {
            if (JobBody.Read(message.Body) is { } job) jobs.Add(new ReceivedJob(job, new JobReceipt(message.Receipt), message.Received));
            else await SetAsideAsync(message, ct);
        }

        return jobs;
    }

    public Task<bool> ExtendAsync(JobReceipt receipt, TimeSpan hidden, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hidden, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hidden, IJobQueue.LongestHidden);
        return _queue.HideAsync(receipt.Value, hidden, ct);
    }

    public Task CompleteAsync(JobReceipt receipt, CancellationToken ct) => _queue.DeleteAsync(receipt.Value, ct);

    public async Task BuryAsync(ReceivedJob job, string reason, CancellationToken ct)
    {
        // In this order it may be in both, where a worker dies in between; in the other it would be in neither.
        var dead = new DeadJob(job.Message, reason, job.Attempt, time.GetUtcNow());
        await _dead.SendAsync(JobBody.Write(dead), JobBody.Group(job.Message.Tenant), TimeSpan.Zero, ct);
        await _queue.DeleteAsync(job.Receipt.Value, ct);
    }

    /// <remarks>SQS shows what it gives: who looks at the same time sees fewer, and past some hundred letters not all of the oldest are among them.</remarks>
    public async Task<IReadOnlyList<DeadJob>> ListDeadAsync(int most, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(most, MostListed);
        var taken = new List<SqsMessage>();
        try
        {
            while (taken.Count < most)
            {
                var some = await _dead.ReceiveAsync(Math.Min(SqsQueue.MostAtOnce, most - taken.Count), Looking, TimeSpan.Zero, ct);
                if (some.Count == 0) break;
                taken.AddRange(some);
            }
        }
        finally
        {
            await GiveBackAsync(taken);
        }

        return [.. taken.Select(message => JobBody.ReadDead(message.Body, message.Received, message.Sent)).OfType<DeadJob>().OrderBy(dead => dead.At)];
    }

    public async Task<int> RedriveAsync(int most, Func<JobMessage, CancellationToken, Task<bool>> readmit, CancellationToken ct)
    {
        var (sent, held) = (0, new List<SqsMessage>());
        try
        {
            while (sent < most)
            {
                var some = await _dead.ReceiveAsync(Math.Min(SqsQueue.MostAtOnce, most - sent), Redriving, TimeSpan.Zero, ct);
                if (some.Count == 0) break;
                held.AddRange(some);
                foreach (var message in some)
                {
                    // What is none of ours stays where a person can look at it.
                    if (JobBody.Read(message.Body) is not { } job) continue;
                    if (await SendBackAsync(job, readmit, ct)) sent++;
                    await _dead.DeleteAsync(message.Receipt, ct);
                    held.Remove(message);
                }
            }
        }
        finally
        {
            await GiveBackAsync(held);
        }

        return sent;
    }

    private async Task<bool> SendBackAsync(JobMessage job, Func<JobMessage, CancellationToken, Task<bool>> readmit, CancellationToken ct)
    {
        if (!await readmit(job, ct)) return false;
        await _queue.SendAsync(JobBody.Write(job), JobBody.Group(job.Tenant), TimeSpan.Zero, ct);
        return true;
    }

    /// <summary>As it is: nobody of ours can read it.</summary>
    private async Task SetAsideAsync(SqsMessage message, CancellationToken ct)
    {
        await _dead.SendAsync(message.Body, JobBody.Group(""), TimeSpan.Zero, ct);
        await _queue.DeleteAsync(message.Receipt, ct);
    }

    private async Task GiveBackAsync(List<SqsMessage> messages)
    {
        if (messages.Count == 0) return;
        using var limit = new CancellationTokenSource(GivingBack, time);
        await Task.WhenAll(messages.Select(message => _dead.HideAsync(message.Receipt, TimeSpan.Zero, limit.Token)));
    }
}
