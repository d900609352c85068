using Microsoft.Extensions.Hosting;

namespace Penstock.Agents;

/// <summary>Looks at the operator's folder every second, so that a change is in force after two.</summary>
internal sealed class AgentWatch(AgentCatalog catalog, TimeProvider time) : BackgroundService
{
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        while (await timer.WaitForNextTickAsync(stoppingToken)) catalog.Look();
    }
}
