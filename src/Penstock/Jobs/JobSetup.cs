using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;

namespace Penstock.Jobs;

internal static class JobSetup
{
    public static void AddJobs(this IServiceCollection services)
    {
        services.AddSingleton<JobSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<JobSection>());
        services.AddSingleton<JobClock>();
        services.AddSingleton<RunningJobs>();
        services.AddSingleton<JobRunnerParts>();
        services.AddSingleton<JobCallers>();
        services.AddSingleton<JobCalls>();
        services.AddSingleton<JobRunner>();
        services.AddSingleton<JobHooks>();
        services.AddSingleton<Jobs>();
        services.AddSingleton<JobEndpoints>();
        services.AddHostedService<JobWorker>();
        services.AddHostedService<JobSweeper>();
    }

    public static void MapJobs(this IEndpointRouteBuilder routes) => routes.ServiceProvider.GetRequiredService<JobEndpoints>().Map(routes);
}
