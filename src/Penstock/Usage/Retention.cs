using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Penstock.Http;

namespace Penstock.Usage;

/// <summary>Drops attempts that are older than they are kept: at the start, and then every <see cref="Every"/>. Their rollups stay.</summary>
internal sealed partial class Retention(IUsageStore store, UsageSection section, TimeProvider time, ILogger<Retention> log) : BackgroundService, IUpkeep
{
    public static readonly TimeSpan Every = TimeSpan.FromHours(1);

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

    public Task RunOnceAsync(CancellationToken ct) => DropAsync(time.GetUtcNow() - section.Current.KeepFor, ct);

    /// <summary>A bounded number at a time, so that calls are not kept waiting.</summary>
    private async Task DropAsync(DateTimeOffset before, CancellationToken ct)
    {
        var (dropped, all) = (0, 0L);
        do
        {
            dropped = await store.DropAsync(before, ct);
            all += dropped;
        }
        while (dropped > 0);
        if (all > 0) LogDropped(all, before);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} entries of attempts before {Before} were dropped; their sums are kept")]
    private partial void LogDropped(long count, DateTimeOffset before);

    [LoggerMessage(Level = LogLevel.Error, Message = "Old attempts could not be dropped")]
    private partial void LogFailed(Exception e);
}
