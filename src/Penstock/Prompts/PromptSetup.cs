using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Penstock.Prompts;

internal static class PromptSetup
{
    public static void AddPrompts(this IServiceCollection services)
    {
        services.AddSingleton<ShippedPrompts>();
        services.AddSingleton<PromptLibrary>();
        services.AddSingleton<PromptVersions>();
        services.AddSingleton<PromptEndpoints>();
    }

    public static void MapPrompts(this IEndpointRouteBuilder routes) => routes.ServiceProvider.GetRequiredService<PromptEndpoints>().Map(routes);
}
