using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;

namespace Penstock.Alerts;

internal static class AlertSetup
{
    public static void AddAlerts(this IServiceCollection services)
    {
        services.AddSingleton<AlertSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<AlertSection>());
        services.AddSingleton<AlertHttp>();
        services.AddSingleton<AlertChannels>();
        services.AddSingleton<AlertDelivery>();
        services.AddHostedService<AlertSender>();
    }
}
