using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;
using Penstock.Gateway.Cache;
using Penstock.Gateway.Routing;
using Penstock.Http;
using Penstock.Tools;

namespace Penstock.Gateway;

internal static class GatewaySetup
{
    public static void AddGateway(this IServiceCollection services)
    {
        services.AddSingleton<RoutingSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<RoutingSection>());
        services.AddSingleton<Router>();
        services.AddSingleton(provider =>
        {
            var router = provider.GetRequiredService<Router>();
            return new LargestBody(() => router.Options.MaxBodyBytes);
        });
        services.AddSingleton<GatewayMetrics>();
        services.AddSingleton<Attempts>();
        services.AddSingleton<CacheSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<CacheSection>());
        services.AddSingleton<Flights>();
        services.AddSingleton<AnswerCache>();
        services.AddHostedService<CacheSweeper>();
        services.AddSingleton<Relay>();
        services.AddSingleton<Admission>();
        services.AddSingleton<ChatPipeline>();
        services.AddSingleton<Embeddings>();
        services.AddSingleton<ChatEndpoints>();
        services.AddSingleton<ModelEndpoints>();
        services.AddSingleton<EmbeddingEndpoints>();
        services.AddSingleton<TaskEndpoints>();
        services.AddSingleton<AiEndpoint>();
        services.AddSingleton<ITool, SummarizeTool>();
        services.AddSingleton<ITool, ExtractTool>();
        services.AddSingleton<ITool, ClassifyTool>();
        services.AddSingleton<ToolEndpoints>();
    }

    public static void MapGateway(this IEndpointRouteBuilder routes)
    {
        var services = routes.ServiceProvider;
        services.GetRequiredService<ChatEndpoints>().Map(routes);
        services.GetRequiredService<ModelEndpoints>().Map(routes);
        services.GetRequiredService<EmbeddingEndpoints>().Map(routes);
        services.GetRequiredService<TaskEndpoints>().Map(routes);
        services.GetRequiredService<AiEndpoint>().Map(routes);
        services.GetRequiredService<ToolEndpoints>().Map(routes);
    }
}
