using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Penstock.Configuration;

namespace Penstock.Alerts;

/// <summary>Looks every <see cref="Every"/> for alerts that are due. One that takes long holds up nobody else.</summary>
internal sealed partial class AlertSender(AlertDelivery delivery, AlertChannels channels, EnvironmentKeys environment, TimeProvider time, ILogger<AlertSender> log) : BackgroundService
{
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(2);

    private const int MostAtOnce = 64;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Another node may be the one that sends: what is due stays due.
        if (!environment.BudgetAlerts) return;
        if (channels.LacksServer) LogNoServer();
        var running = new List<Task>();
        using var timer = new PeriodicTimer(Every, time);
        try
        {
            do
            {
                running.RemoveAll(task => task.IsCompleted);
                foreach (var alert in await delivery.TakeAsync(MostAtOnce - running.Count, stoppingToken)) running.Add(delivery.DeliverAsync(alert, stoppingToken));
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        finally
        {
            await Task.WhenAll(running);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "ALERT_EMAIL is set, but alerts.smtp in penstock.json is not: no alert goes out by e-mail")]
    private partial void LogNoServer();
}
