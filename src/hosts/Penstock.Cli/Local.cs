using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Configuration;
using Penstock.Providers;
using Penstock.Sqlite;

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
        services.AddSqliteStore(new SqliteOptions { DataFolder = environment.DataFolder });
        services.AddSingleton(provider => new ConfigFile(Path.GetFullPath("penstock.json"), provider.GetServices<IConfigSection>(), TimeProvider.System, provider.GetRequiredService<ILogger<ConfigFile>>()));
        return services;
    }

    public static int Refuse(string what, IReadOnlyList<string> errors)
    {
        Console.Error.WriteLine($"{what}:");
        foreach (var error in errors) Console.Error.WriteLine($"  - {error}");
        return 2;
    }
}
