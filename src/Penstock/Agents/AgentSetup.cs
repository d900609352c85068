using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Agents.Socket;
using Penstock.Blobs;
using Penstock.Configuration;

namespace Penstock.Agents;

internal static class AgentSetup
{
    public static void AddAgents(this IServiceCollection services)
    {
        services.AddSingleton<AgentSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<AgentSection>());
        services.AddSingleton<AgentCatalog>();
        services.AddHostedService<AgentWatch>();
        services.AddSingleton<AgentEndpoints>();
        services.AddSingleton<RunSignals>();
        services.AddMachine();
        services.AddSingleton<RunChecks>();
        services.AddSingleton<Runs>();
        services.AddSingleton<RunEvents>();
        services.AddSingleton<RunStream>();
        services.AddSingleton<RunGate>();
        services.AddSingleton<RunEndpoints>();
        services.AddSingleton<RunSteering>();
        services.AddSingleton<MemoryEndpoints>();
        services.AddSingleton(new SocketTimes());
        services.AddSingleton<SocketLife>();
        services.AddSingleton<SocketCalls>();
        services.AddSingleton<RunSocket>();
    }

    /// <summary>What carries runs on.</summary>
    private static void AddMachine(this IServiceCollection services)
    {
        services.AddSingleton(provider => new RunBodies(provider.GetService<IBlobStore>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<RunBodies>>()));
        services.AddSingleton<RunRequests>();
        services.AddSingleton<RunCallers>();
        services.AddSingleton<RunMemory>();
        services.AddSingleton<ChildRuns>();
        services.AddSingleton<ToolOutcomes>();
        services.AddSingleton<ToolCalls>();
        services.AddSingleton<ToolStep>();
        services.AddSingleton<ModelStep>();
        services.AddSingleton<RunEnds>();
        services.AddSingleton<RunMachine>();
        services.AddSingleton<RunOwnerParts>();
        services.AddSingleton<RunOwner>();
        services.AddHostedService<RunWorker>();
        services.AddHostedService<RunSweeper>();
    }

    public static void MapAgents(this IEndpointRouteBuilder routes)
    {
        var services = routes.ServiceProvider;
        services.GetRequiredService<AgentEndpoints>().Map(routes);
        services.GetRequiredService<RunEndpoints>().Map(routes);
        services.GetRequiredService<RunSteering>().Map(routes);
        services.GetRequiredService<MemoryEndpoints>().Map(routes);
        services.GetRequiredService<RunSocket>().Map(routes);
    }
}
