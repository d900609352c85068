using Penstock.Jobs;
using Penstock.Kernel;

namespace Penstock.Aws;

/// <summary>Stands where no queue is set up beside the tables: jobs are refused by name, and everything else works.</summary>
internal sealed class NoJobQueue(TimeProvider time) : IJobQueue
{
    public Task SendAsync(JobMessage message, TimeSpan delay, CancellationToken ct) => Task.FromException(Off());

    public async Task<IReadOnlyList<ReceivedJob>> ReceiveAsync(int most, TimeSpan hidden, TimeSpan wait, CancellationToken ct)
    {
        await Task.Delay(wait, time, ct);
        return [];
    }

    public Task<bool> ExtendAsync(JobReceipt receipt, TimeSpan hidden, CancellationToken ct) => Task.FromResult(false);

    public Task CompleteAsync(JobReceipt receipt, CancellationToken ct) => Task.CompletedTask;

    public Task BuryAsync(ReceivedJob job, string reason, CancellationToken ct) => Task.CompletedTask;

    public Task<IReadOnlyList<DeadJob>> ListDeadAsync(int most, CancellationToken ct) => Task.FromResult<IReadOnlyList<DeadJob>>([]);

    public Task<int> RedriveAsync(int most, Func<JobMessage, CancellationToken, Task<bool>> readmit, CancellationToken ct) => Task.FromResult(0);

    private static RefusedException Off() =>
        new(new Refusal(RefusalKind.Unavailable, "no_queue", "This server has no queue, so that it takes no jobs. Send the request itself, or ask its operator to set up a queue.") { Retryable = false });
}
