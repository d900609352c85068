using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;
using Penstock.Gateway.Cache;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Selecting;
using Penstock.Gateway.Tasks;
using Penstock.Guards;
using Penstock.Http;
using Penstock.Keys;
using Penstock.Tools;

namespace Penstock.Gateway;

internal static class GatewaySetup
{
    public static void AddGateway(this IServiceCollection services)
    {
        services.AddConfiguredProviders();
        services.AddSingleton<TargetStates>();
        services.AddSingleton(new Chance());
        services.AddSingleton<Router>();
        services.AddSingleton<Planner>();
        services.AddSingleton<Failover>();
        services.AddSingleton<TargetMetrics>();
        services.AddSingleton<TargetEndpoints>();
        services.AddSingleton(provider =>
        {
            var router = provider.GetRequiredService<Router>();
            return new LargestBody(() => router.Options.MaxBodyBytes);
        });
        services.AddSingleton(provider =>
        {
            var section = provider.GetRequiredService<RoutingSection>();
            return new KeyedProviders(() => [.. section.Current.Providers.Values.Where(found => found.Dialect != Dialect.Native).Select(found => found.Name)]);
        });
        services.AddSingleton<GatewayMetrics>();
        services.AddSingleton<GuardSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<GuardSection>());
        services.AddSingleton<GuardPlans>();
        services.AddSingleton<SelectionSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<SelectionSection>());
        services.AddSingleton<Attempts>();
        services.AddSingleton<CacheSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<CacheSection>());
        services.AddSingleton<Flights>();
        services.AddSingleton<AnswerCache>();
        services.AddHostedService<CacheSweeper>();
        services.AddSingleton<Relay>();
        services.AddSingleton<RequestBodies>();
        services.AddSingleton<Admission>();
        services.AddSingleton<ChatPipeline>();
        services.AddSingleton<Embeddings>();
        services.AddSingleton<ChatEndpoints>();
        services.AddSingleton<ModelEndpoints>();
        services.AddSingleton<EmbeddingEndpoints>();
        services.AddTasks();
    }

    /// <summary>What the configuration says of providers, and the platform's keys at them.</summary>
    private static void AddConfiguredProviders(this IServiceCollection services)
    {
        services.AddSingleton<PlatformKeys>();
        services.AddHostedService<PlatformKeyRefresh>();
        services.AddSingleton<RoutingSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<RoutingSection>());
    }

    /// <summary>Small jobs of our own: each has a route, and most are tools too.</summary>
    private static void AddTasks(this IServiceCollection services)
    {
        services.AddSingleton<AiEndpoint>();
        services.AddSingleton<TemplateCalls>();
        services.AddSingleton<TaskCalls>();
        services.AddSingleton<TaskEndpoints>();
        services.AddSingleton<ITool>(provider => TaskTools.Summarize(provider.GetRequiredService<TaskCalls>()));
        services.AddSingleton<ITool>(provider => TaskTools.Extract(provider.GetRequiredService<TaskCalls>()));
        services.AddSingleton<ITool>(provider => TaskTools.Classify(provider.GetRequiredService<TaskCalls>()));
        services.AddSingleton<ToolEndpoints>();
        services.AddSingleton<ToolFunction>();
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
        services.GetRequiredService<TargetEndpoints>().Map(routes);
        // Nobody asks for the gauges; they are there to be read.
        services.GetRequiredService<TargetMetrics>();
    }
}
