using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Aws;
using Penstock.Aws.DynamoDb;
using Penstock.Aws.Signing;
using Penstock.Configuration;
using Penstock.Providers;
using Penstock.Sqlite;
using Penstock.Sqlite.Native;

namespace Penstock.Cli;

/// <summary>The same parts a server would run, from the same files, in this folder.</summary>
internal static class Local
{
    /// <summary>Throws <see cref="ConfigException"/> with every error.</summary>
    public static EnvironmentKeys ReadEnvironment()
    {
        var configuration = new ConfigurationBuilder();
        configuration.AddJsonFile(Path.GetFullPath("appsettings.json"), optional: true);
        configuration.AddEnvironmentVariables();
        configuration.AddDotEnv(Path.GetFullPath(".env"));
        return EnvironmentKeys.Read(configuration.Build());
    }

    public static IServiceCollection Services(EnvironmentKeys environment)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddMetrics();
        services.AddSingleton(TimeProvider.System);
        services.AddPenstock(environment);
        services.AddProviders();
        services.AddAwsProviders(new AwsModelOptions { Region = environment.AwsRegion, BedrockEndpoint = environment.BedrockEndpoint, SageMakerEndpoint = environment.SageMakerEndpoint });
        if (environment.Store == StoreKind.Sqlite) services.AddSqliteStore(new SqliteOptions { DataFolder = environment.DataFolder });
        else services.AddDynamoDbStore(new DynamoOptions { Region = environment.AwsRegion, Endpoint = environment.DynamoEndpoint, TablePrefix = environment.TablePrefix, CreateTables = true });
        services.AddAwsServices(environment);
        services.AddSingleton(provider => new ConfigFile(Path.GetFullPath("penstock.json"), provider.GetServices<IConfigSection>(), TimeProvider.System, provider.GetRequiredService<ILogger<ConfigFile>>()));
        return services;
    }

    /// <summary>
    /// Runs on the store that the environment names, or says why it cannot. The server must be stopped where it owns the folder; tables that are missing
    /// are created.
    /// </summary>
    public static async Task<int> WithStoreAsync(Func<IServiceProvider, Task<int>> run)
    {
        try
        {
            var environment = ReadEnvironment();
            await using var services = Services(environment).BuildServiceProvider();
            if (environment.Store == StoreKind.Sqlite) services.GetRequiredService<SqliteDatabase>();
            else await services.OpenDynamoDbAsync(CancellationToken.None);
            return await run(services);
        }
        catch (ConfigException e)
        {
            return Refuse("The environment is not valid", e.Errors);
        }
        catch (Exception e) when (e is DataFolderInUseException or SchemaException or SqliteUnavailableException)
        {
            return Refuse("The data folder cannot be used", [e.Message]);
        }
        catch (DynamoUnavailableException e)
        {
            return Refuse("The tables cannot be used", [e.Message]);
        }
    }

    public static int Refuse(string what, IReadOnlyList<string> errors)
    {
        Console.Error.WriteLine($"{what}:");
        foreach (var error in errors) Console.Error.WriteLine($"  - {error}");
        return 2;
    }
}
