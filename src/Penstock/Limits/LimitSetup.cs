using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Penstock.Configuration;

namespace Penstock.Limits;

internal static class LimitSetup
{
    /// <summary>Counts in this process, unless the host adds a store that nodes share.</summary>
    public static void AddLimits(this IServiceCollection services)
    {
        services.AddSingleton<LimitSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<LimitSection>());
        services.TryAddSingleton<ILimitStore, ProcessLimits>();
        services.AddSingleton<CallLimits>();
    }
}
