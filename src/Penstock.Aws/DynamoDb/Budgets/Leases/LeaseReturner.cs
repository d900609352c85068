using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Penstock.Aws.DynamoDb.Budgets.Leases;

/// <summary>Gives back what slices have free when they were open for long enough, and at the end all, when the server has answered its last call.</summary>
internal sealed partial class LeaseReturner(CallLeases leases, ILogger<LeaseReturner> log) : BackgroundService
{
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await ReturnAsync(leases.ReturnAllAsync);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(leases.Options.ReturnEvery, leases.Time);
        while (await timer.WaitForNextTickAsync(stoppingToken)) await ReturnAsync(leases.ReturnDueAsync);
    }

    private async Task ReturnAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e)
        {
            // The next round tries again; until then the money stays held, which is the safe side.
            LogFailed(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "What slices of budgets have free could not be given back")]
    private partial void LogFailed(Exception e);
}
