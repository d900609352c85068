using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Penstock.Http;

namespace Penstock.Agents;

/// <summary>Removes what is past its time, at the start and then every <see cref="Every"/>: pieces of growing answers, and runs that ended long ago with all that is theirs.</summary>
internal sealed partial class RunSweeper(IRunStore store, RunBodies bodies, AgentSection section, TimeProvider time, ILogger<RunSweeper> log) : BackgroundService, IUpkeep
{
    public static readonly TimeSpan Every = TimeSpan.FromHours(1);

    /// <summary>How long pieces of an answer are kept, for watchers that come back; the whole answer is in the journal.</summary>
    public static readonly TimeSpan ChunksKept = TimeSpan.FromHours(24);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
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
        var now = time.GetUtcNow();
        var runs = await store.SweepAsync(now - ChunksKept, now - section.Current.Retention, bodies.RemoveAsync, ct);
        if (runs > 0) LogSwept(runs, section.Current.Retention.TotalDays);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} runs that ended more than {Days} days ago were removed")]
    private partial void LogSwept(int count, double days);

    [LoggerMessage(Level = LogLevel.Error, Message = "Old runs could not be removed")]
    private partial void LogFailed(Exception e);
}
