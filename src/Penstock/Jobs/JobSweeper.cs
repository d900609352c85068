using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Penstock.Http;

namespace Penstock.Jobs;

/// <summary>
/// At the start and then every <see cref="Every"/>: drops jobs that are past their time, and sends the message again of those that nothing happened to for long,
/// because their server died between the store and the queue.
/// </summary>
internal sealed partial class JobSweeper(IJobStore store, IJobQueue queue, JobClock clock, ILogger<JobSweeper> log) : BackgroundService, IUpkeep
{
    public static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    /// <summary>A message too many does no harm, but costs a look: those that only wait for their turn must not get one often.</summary>
    public static readonly TimeSpan Stale = TimeSpan.FromHours(1);

    private const int AtOnce = 100;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock.Time);
        do
        {
            try
            {
                await RunOnceAsync(stoppingToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // The next round goes on where this one failed.
                LogFailed(e);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    public async Task RunOnceAsync(CancellationToken ct)
    {
        while (await store.DropAsync(clock.Now, ct) > 0)
        {
        }

        foreach (var job in await store.StaleAsync(clock.Now - Stale, AtOnce, ct)) await SendAsync(job, ct);
    }

    private async Task SendAsync(JobRecord job, CancellationToken ct)
    {
        if (!await store.ChangeAsync(job with { UpdatedAt = clock.Now }, null, ct)) return;
        await queue.SendAsync(job.Ended ? JobEnds.News(job) : JobEnds.Work(job), TimeSpan.Zero, ct);
        LogSent(job.Id, job.State);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "job {Job} is {State} and nothing happened to it for an hour; its message is sent again")]
    private partial void LogSent(JobId job, JobState state);

    [LoggerMessage(Level = LogLevel.Error, Message = "Old jobs could not be looked through")]
    private partial void LogFailed(Exception e);
}
