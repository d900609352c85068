using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;
using Penstock.Tools.Calculator;
using Penstock.Tools.Custom;
using Penstock.Tools.Fetch;
using Penstock.Tools.Mcp;
using Penstock.Tools.Search;

namespace Penstock.Tools;

internal static class ToolSetup
{
    public static void AddTools(this IServiceCollection services)
    {
        services.AddSingleton<McpServers>();
        services.AddHostedService(provider => provider.GetRequiredService<McpServers>());
        services.AddSingleton<ToolSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<ToolSection>());
        services.AddSingleton<ToolPlaces>();
        services.AddSingleton<ToolMetrics>();
        services.AddSingleton<ToolBooking>();
        services.AddSingleton<EndpointCalls>();
        services.AddSingleton<ResolveHost>(Dns.GetHostAddressesAsync);
        services.AddSingleton<ConnectAddress>(CheckedConnections.ConnectSocketAsync);
        services.AddSingleton<CheckedConnections>();
        services.AddSingleton<ITool, CalculatorTool>();
        services.AddSingleton<ITool, SearchTool>();
        services.AddSingleton<ITool, HttpFetchTool>();
        services.AddSingleton<ITool, WaitTool>();
        services.AddSingleton<ToolBox>();
        services.AddSingleton<ToolRunner>();
    }
}
