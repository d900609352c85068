using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Alerts;
using Penstock.Budgets;
using Penstock.Configuration;
using Penstock.Gateway;
using Penstock.Gateway.Routing;
using Penstock.Http;
using Penstock.Idempotency;
using Penstock.Jobs;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Keys.Jwt;
using Penstock.Limits;
using Penstock.Mcp;
using Penstock.Prompts;
using Penstock.Tools;
using Penstock.Usage;

namespace Penstock;

/// <summary>
/// Adds and maps the whole product. A host adds beside it a store (<see cref="IKeyStore"/>, <see cref="IProviderKeyStore"/>, <see cref="IUsageStore"/>,
/// <see cref="IBudgetStore"/>, <see cref="IAlertStore"/>, <see cref="Gateway.Cache.ICacheStore"/>, <see cref="IIdempotencyStore"/>,
/// <see cref="IPromptStore"/>), the kinds of providers
/// (<see cref="IProviderKind"/>), an <see cref="ITokenCounter"/> and a <see cref="TimeProvider"/>.
/// </summary>
public static class PenstockSetup
{
    public static IServiceCollection AddPenstock(this IServiceCollection services, EnvironmentKeys environment)
    {
        services.AddSingleton(environment);
        services.AddSingleton(new IdSource());
        services.AddSingleton(provider => new Drain(provider.GetRequiredService<TimeProvider>(), environment.Drain));
        services.AddSingleton<LargeWork>();
        services.AddKeys();
        services.AddLimits();
        services.AddSingleton<MetricsText>();
        services.AddUsage();
        services.AddBudgets();
        services.AddAlerts();
        services.AddPrompts();
        services.AddTools();
        services.AddGateway();
        services.AddAgents();
        services.AddMcp();
        services.AddJobs();
        services.AddIdempotency();
        return services;
    }

    /// <summary>Sees to the operator's key; returns its text where one was made, to be printed once.</summary>
    public static Task<string?> EnsureOperatorAsync(this IServiceProvider services, CancellationToken ct) =>
        services.GetRequiredService<VirtualKeys>().EnsureOperatorAsync(services.GetRequiredService<EnvironmentKeys>().AdminKey, ct);

    /// <summary>Adds a key under a fixed id; returns its text, or null where the id exists already.</summary>
    public static Task<string?> AddSampleKeyAsync(this IServiceProvider services, KeyId id, ProjectId project, CancellationToken ct) =>
        services.GetRequiredService<VirtualKeys>().AddSampleAsync(id, project, ct);

    /// <summary>Puts every stored provider key under the master key of now. Returns how many it changed, and the names of those that no master key opens.</summary>
    public static async Task<(int Resealed, IReadOnlyList<string> Left)> ResealProviderKeysAsync(this IServiceProvider services, CancellationToken ct)
    {
        var (resealed, left) = await services.GetRequiredService<ProviderKeys>().ResealAsync(ct);
        return (resealed, [.. left.Select(key => $"{key.Name}, sealed under master key {key.MasterKey}")]);
    }

    /// <summary>Where each tier and alias leads under the configuration in force, a line each.</summary>
    public static IReadOnlyList<string> DescribeRouting(this IServiceProvider services) => services.GetRequiredService<Router>().Describe();

    /// <summary>Whose tokens are believed under the configuration in force, a line each.</summary>
    public static IReadOnlyList<string> DescribeIssuers(this IServiceProvider services) =>
        [.. services.GetRequiredService<IssuerSection>().Current.Issuers.Values.Select(issuer => $"{issuer.Rules.Name}: {issuer.Rules.Url}")];

    /// <summary>What seals provider keys that are stored.</summary>
    public static string DescribeMasterKey(this IServiceProvider services) => services.GetRequiredService<MasterKeys>().Describe();

    /// <summary>Who is told of budget alerts under the configuration in force.</summary>
    public static string DescribeAlerts(this IServiceProvider services) => services.GetRequiredService<AlertChannels>().Describe();

    public static void MapPenstock<TApp>(this TApp app)
        where TApp : IApplicationBuilder, IEndpointRouteBuilder
    {
        app.UseMiddleware<RequestEdge>();
        app.UseWebSockets();
        app.UseRouting();
        app.UseIdempotency();
        var services = app.ServiceProvider;
        app.Use(services.GetRequiredService<Drain>().GateAsync);
        services.GetRequiredService<MetricsText>().Map(app);
        app.MapHealth(services.GetRequiredService<Drain>());
        app.MapOpenApi();
        app.MapKeys();
        app.MapUsage();
        app.MapBudgets();
        app.MapPrompts();
        app.MapGateway();
        app.MapAgents();
        app.MapMcp();
        app.MapJobs();
    }
}
