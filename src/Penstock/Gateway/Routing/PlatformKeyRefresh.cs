using Microsoft.Extensions.Hosting;

namespace Penstock.Gateway.Routing;

/// <summary>Reads the platform's keys again and again, and puts those that changed into use.</summary>
internal sealed class PlatformKeyRefresh(PlatformKeys keys, RoutingSection section, TimeProvider time) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!keys.HasSource) return;
        using var timer = new PeriodicTimer(PlatformKeys.Every, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (await keys.ReadAsync(stoppingToken)) section.Refresh();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server stops.
        }
    }
}
