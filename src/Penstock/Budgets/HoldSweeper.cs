using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Penstock.Http;

namespace Penstock.Budgets;

/// <summary>Settles what nobody came back to settle: at the start, and then every <see cref="Every"/>.</summary>
internal sealed partial class HoldSweeper(IBudgetStore store, TimeProvider time, ILogger<HoldSweeper> log) : BackgroundService, IUpkeep
{
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

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
                // The next round tries again; until then the money stays held, which is the safe side.
                LogFailed(e);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    public async Task RunOnceAsync(CancellationToken ct)
    {
        var settled = await store.ExpireAsync(time.GetUtcNow(), ct);
        if (settled > 0) LogSettled(settled);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} holds expired and were settled at their ceiling; reconcile them with the provider (outcome 'unknown')")]
    private partial void LogSettled(int count);

    [LoggerMessage(Level = LogLevel.Error, Message = "Expired holds could not be settled")]
    private partial void LogFailed(Exception e);
}
