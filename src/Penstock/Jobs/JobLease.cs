using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Penstock.Jobs;

/// <summary>
/// A job that this worker has: shows life in the store, so that nobody else begins it, and to the queue, so that it does not give the message again. Both until
/// it is disposed of.
/// </summary>
internal sealed partial class JobLease : IAsyncDisposable
{
    private readonly IJobStore _store;
    private readonly IJobQueue _queue;
    private readonly JobReceipt _receipt;
    private readonly TimeSpan _length;
    private readonly JobClock _clock;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _over = new();
    private readonly CancellationTokenSource _lost = new();
    private readonly Lock _lock = new();
    private readonly Task _renewing;
    private bool _gone;

    public JobLease(IJobStore store, IJobQueue queue, TakenJob taken, JobClock clock, ILogger log)
    {
        (_store, _queue, _receipt, _length, _clock, _log) = (store, queue, taken.Receipt, taken.Lease, clock, log);
        (Job, Lost) = (taken.Job, _lost.Token);
        _renewing = RenewAsync();
    }

    /// <summary>As it is in the store, as far as this worker knows. Stands still once the lease is disposed of.</summary>
    public JobRecord Job { get; private set; }

    /// <summary>Cancelled when the job is another's, or nobody's any more.</summary>
    public CancellationToken Lost { get; }

    /// <summary>Its client wants it no more.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            if (!_gone) _lost.Cancel();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _renewing;
        lock (_lock)
        {
            _gone = true;
            _over.Dispose();
            _lost.Dispose();
        }
    }

    private async Task RenewAsync()
    {
        using var timer = new PeriodicTimer(_length / 3, _clock.Time);
        var shown = _clock.Time.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(_over.Token))
            {
                if (await TryRenewAsync()) shown = _clock.Time.GetTimestamp();
                // It could not be told for so long that others may have it.
                else if (_clock.Time.GetElapsedTime(shown) >= _length) await _lost.CancelAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // It is over.
        }
    }

    private async Task<bool> TryRenewAsync()
    {
        try
        {
            var now = _clock.Now;
            var renewed = Job with { LeaseUntil = now + _length, UpdatedAt = now };
            if (!await _store.ChangeAsync(renewed, null, CancellationToken.None))
            {
                await _lost.CancelAsync();
                return false;
            }

            Job = renewed with { Version = renewed.Version + 1 };
            await _queue.ExtendAsync(_receipt, _length, CancellationToken.None);
            return true;
        }
        catch (Exception e)
        {
            LogSilent(_log, Job.Id, e);
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "job {Job}: its worker could not show life; it tries again")]
    private static partial void LogSilent(ILogger log, JobId job, Exception e);
}

/// <param name="Lease">How long it is this worker's where it does not show life.</param>
internal sealed record TakenJob(JobRecord Job, JobReceipt Receipt, TimeSpan Lease);

/// <summary>Times as they are kept: to the millisecond.</summary>
internal sealed class JobClock(TimeProvider time)
{
    public TimeProvider Time => time;

    public DateTimeOffset Now => DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>As queues take it: whole seconds, at least one.</summary>
    public static TimeSpan Seconds(TimeSpan time) => TimeSpan.FromSeconds(Math.Clamp(Math.Ceiling(time.TotalSeconds), 1, IJobQueue.LongestHidden.TotalSeconds));
}

/// <summary>Jobs that are called in this process now.</summary>
internal sealed class RunningJobs
{
    private readonly ConcurrentDictionary<JobId, JobLease> _leases = new();

    public void Add(JobLease lease) => _leases[lease.Job.Id] = lease;

    public void Remove(JobLease lease) => _leases.TryRemove(new KeyValuePair<JobId, JobLease>(lease.Job.Id, lease));

    /// <summary>Its call ends at once. Nothing happens where it runs elsewhere: that worker finds out when it shows life.</summary>
    public void Stop(JobId job)
    {
        if (_leases.TryGetValue(job, out var lease)) lease.Stop();
    }
}
