using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;

namespace Penstock.Agents;

internal static class AgentSetup
{
    public static void AddAgents(this IServiceCollection services)
    {
        services.AddSingleton<AgentCatalog>();
        services.AddSingleton<IConfigSection, AgentSection>();
        services.AddHostedService<AgentWatch>();
        services.AddSingleton<AgentEndpoints>();
    }

    public static void MapAgents(this IEndpointRouteBuilder routes) => routes.ServiceProvider.GetRequiredService<AgentEndpoints>().Map(routes);
}
