using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Penstock.Http;

namespace Penstock.Idempotency;

/// <summary>Drops answers that are past their time: at the start, and then every <see cref="Every"/>.</summary>
internal sealed partial class IdempotencySweeper(IIdempotencyStore store, TimeProvider time, ILogger<IdempotencySweeper> log) : BackgroundService, IUpkeep
{
    public static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

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
                // What is past its time counts as not there, dropped or not.
                LogFailed(e);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    public async Task RunOnceAsync(CancellationToken ct)
    {
        while (await store.DropAsync(time.GetUtcNow(), ct) > 0)
        {
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Idempotent answers past their time could not be dropped")]
    private partial void LogFailed(Exception e);
}
