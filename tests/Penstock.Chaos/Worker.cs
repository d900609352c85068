using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Penstock.Agents;
using Penstock.Aws;
using Penstock.Aws.DynamoDb;
using Penstock.Configuration;
using Penstock.Http;
using Penstock.Providers;
using Penstock.Sqlite;

namespace Penstock.Chaos;

/// <summary>
/// The whole product in a process that is killed: composed as the server is, with one thing in addition. Where it is told to, its store of runs kills the
/// process at an exact write (<see cref="DyingRunStore"/>).
/// </summary>
internal static class Worker
{
    public const string Mark = "--worker";
    public const string Ready = "ready ";

    public static async Task<int> MainAsync()
    {
        var builder = WebApplication.CreateSlimBuilder(["--hostBuilder:reloadConfigOnChange=false"]);
        var environment = EnvironmentKeys.Read(builder.Configuration);
        builder.Host.ConfigureHostOptions(options => options.ShutdownTimeout = environment.Drain + TimeSpan.FromSeconds(10));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders().AddSimpleConsole().SetMinimumLevel(LogLevel.Warning);
        var time = ScaledTime.Told() ?? TimeProvider.System;
        builder.Services.AddSingleton(time);
        builder.Services.AddPenstock(environment);
        builder.Services.AddProviders();
        if (environment.Store == StoreKind.Sqlite) builder.Services.AddSqliteStore(new SqliteOptions { DataFolder = environment.DataFolder });
        else builder.Services.AddDynamoDbStore(new DynamoOptions { Region = environment.AwsRegion, Endpoint = environment.DynamoEndpoint, TablePrefix = environment.TablePrefix, CreateTables = true });
        if (DyingRunStore.Told() is { } told) PutInPlace(builder.Services, told);

        await using var app = builder.Build();
        if (environment.Store == StoreKind.DynamoDb) await app.Services.OpenDynamoDbAsync(CancellationToken.None);
        app.MapPenstock();
        using var file = new ConfigFile(Path.Combine(Environment.CurrentDirectory, "penstock.json"), app.Services.GetServices<IConfigSection>(), time, app.Services.GetRequiredService<ILogger<ConfigFile>>());
        file.Load();
        await app.Services.EnsureOperatorAsync(CancellationToken.None);
        app.Lifetime.ApplicationStopping.Register(app.Services.GetRequiredService<Drain>().Start);
        await app.StartAsync();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Ready}{app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()}"));
        await app.WaitForShutdownAsync();
        return 0;
    }

    private static void PutInPlace(IServiceCollection services, Func<IRunStore, DyingRunStore> told)
    {
        var real = services.Single(service => service.ServiceType == typeof(IRunStore));
        services.Remove(real);
        services.AddSingleton<IRunStore>(provider => told((IRunStore)ActivatorUtilities.CreateInstance(provider, real.ImplementationType!)));
    }
}
