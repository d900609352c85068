using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
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
    /// <summary>The name under which the steps of requests are told to whoever collects spans.</summary>
    public const string SpanSource = Steps.SourceName;

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

    /// <summary>
    /// For a host that lives only while it answers: nothing works by itself between requests, and runs of agents are left to workers elsewhere. What is due from
    /// time to time is done by <see cref="RunUpkeepAsync"/>. Keys of issuers and of providers are still asked for, because calls need new ones.
    /// </summary>
    public static IServiceCollection WithoutBackgroundWork(this IServiceCollection services)
    {
        var ours = services.Where(service => service.ServiceType == typeof(IHostedService) && service.ImplementationType is { } type && type.Assembly == typeof(PenstockSetup).Assembly && type != typeof(IssuerRefresh) && type != typeof(PlatformKeyRefresh)).ToArray();
        foreach (var service in ours)
        {
            services.Remove(service);
            if (service.ImplementationType is { } type && type.IsAssignableTo(typeof(IUpkeep))) services.Add(new ServiceDescriptor(typeof(IUpkeep), type, ServiceLifetime.Singleton));
        }

        return services;
    }

    /// <summary>Does once what a server does by itself from time to time: settles holds that expired, and drops what is past its time. Returns how many parts there were.</summary>
    /// <exception cref="AggregateException">Of all that failed; each of the others was done.</exception>
    public static async Task<int> RunUpkeepAsync(this IServiceProvider services, CancellationToken ct)
    {
        var (failures, done) = (new List<Exception>(), 0);
        foreach (var part in services.GetServices<IUpkeep>())
        {
            try
            {
                await part.RunOnceAsync(ct);
                done++;
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                failures.Add(e);
            }
        }

        return failures.Count == 0 ? done : throw new AggregateException(failures);
    }

    /// <summary>For a process that is one built-in tool: answers one call of it, as a gateway's <c>tools.functions</c> sends it.</summary>
    public static Task<ReadOnlyMemory<byte>> RunToolAsync(this IServiceProvider services, string tool, ReadOnlyMemory<byte> payload, CancellationToken ct) =>
        services.GetRequiredService<ToolFunction>().RunAsync(tool, payload, ct);

    /// <summary>Sees to the operator's key; returns its text where one was made, to be printed once.</summary>
    public static Task<string?> EnsureOperatorAsync(this IServiceProvider services, CancellationToken ct) =>
        services.GetRequiredService<VirtualKeys>().EnsureOperatorAsync(services.GetRequiredService<EnvironmentKeys>().AdminKey, ct);

    /// <summary>Reads the platform's provider keys where they are kept elsewhere than in the environment, before the configuration is put into force. A failure is logged, and mended by a later read.</summary>
    public static Task ReadPlatformKeysAsync(this IServiceProvider services, CancellationToken ct) => services.GetRequiredService<PlatformKeys>().ReadAsync(ct);

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
