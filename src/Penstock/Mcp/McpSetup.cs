using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;

namespace Penstock.Mcp;

internal static class McpSetup
{
    public static void AddMcp(this IServiceCollection services)
    {
        services.AddSingleton<McpSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<McpSection>());
        services.AddSingleton<McpTools>();
        services.AddSingleton<McpGate>();
        services.AddSingleton<RunningCalls>();
        services.AddSingleton<McpEndpoints>();
    }

    public static void MapMcp(this IEndpointRouteBuilder routes) => routes.ServiceProvider.GetRequiredService<McpEndpoints>().Map(routes);
}
