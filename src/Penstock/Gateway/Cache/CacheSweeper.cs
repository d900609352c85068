using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Penstock.Http;

namespace Penstock.Gateway.Cache;

/// <summary>Keeps the cache within its bound: at the start, and then every <see cref="Every"/>.</summary>
internal sealed partial class CacheSweeper(ICacheStore store, CacheSection section, TimeProvider time, ILogger<CacheSweeper> log) : BackgroundService, IUpkeep
{
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

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
                // The next round tries again; until then the cache is larger than it should be.
                LogFailed(e);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    public async Task RunOnceAsync(CancellationToken ct)
    {
        var dropped = await store.TrimAsync(time.GetUtcNow(), section.Current.MaxBytes, ct);
        if (dropped > 0) LogDropped(dropped);
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Count} answers were dropped from the cache")]
    private partial void LogDropped(int count);

    [LoggerMessage(Level = LogLevel.Error, Message = "The cache could not be trimmed")]
    private partial void LogFailed(Exception e);
}
