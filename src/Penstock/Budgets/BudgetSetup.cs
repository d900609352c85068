using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;

namespace Penstock.Budgets;

internal static class BudgetSetup
{
    public static void AddBudgets(this IServiceCollection services)
    {
        services.AddSingleton<BudgetSection>();
        services.AddSingleton<IConfigSection>(provider => provider.GetRequiredService<BudgetSection>());
        services.AddSingleton<Holds>();
        services.AddSingleton<BudgetEndpoints>();
        services.AddHostedService<HoldSweeper>();
    }

    public static void MapBudgets(this IEndpointRouteBuilder routes) => routes.ServiceProvider.GetRequiredService<BudgetEndpoints>().Map(routes);
}
