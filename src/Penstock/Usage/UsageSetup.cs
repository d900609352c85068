using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;

namespace Penstock.Usage;

internal static class UsageSetup
{
    public static void AddUsage(this IServiceCollection services)
    {
        services.AddSingleton<PriceSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<PriceSection>());
        services.AddSingleton<UsageSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<UsageSection>());
        services.AddSingleton<UsageEndpoints>();
        services.AddHostedService<Retention>();
    }

    public static void MapUsage(this IEndpointRouteBuilder routes) => routes.ServiceProvider.GetRequiredService<UsageEndpoints>().Map(routes);
}
