using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;
using Penstock.Keys.Jwt;

namespace Penstock.Keys;

internal static class KeySetup
{
    public static void AddKeys(this IServiceCollection services)
    {
        services.AddSingleton<JwksHttp>();
        services.AddSingleton<IssuerSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<IssuerSection>());
        services.AddSingleton<Tokens>();
        services.AddHostedService<IssuerRefresh>();
        services.AddSingleton<MasterKeys>();
        services.AddSingleton<ProviderKeys>();
        services.AddSingleton<KeyRing>();
        services.AddSingleton<VirtualKeys>();
        services.AddSingleton<KeyAdmin>();
        services.AddSingleton<KeyEndpoints>();
        services.AddSingleton<ProviderKeyEndpoints>();
    }

    public static void MapKeys(this IEndpointRouteBuilder routes)
    {
        routes.ServiceProvider.GetRequiredService<KeyEndpoints>().Map(routes);
        routes.ServiceProvider.GetRequiredService<ProviderKeyEndpoints>().Map(routes);
    }
}
