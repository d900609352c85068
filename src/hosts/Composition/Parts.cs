using Penstock.Configuration;
using Penstock.Kernel;
using Penstock.Providers;

namespace Penstock.Hosts;

/// <summary>What every host that serves puts together: the product, the kinds of providers, the configuration file and the store.</summary>
internal static class Parts
{
    /// <summary>
    /// appsettings.json is read once. Watching it would watch the whole folder the server runs in, and the data folder is in there: every write to the store
    /// would wake a thread.
    /// </summary>
    public const string NoWatch = "--hostBuilder:reloadConfigOnChange=false";

    public static void AddParts(this IServiceCollection services, EnvironmentKeys environment)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddPenstock(environment);
        services.AddProviders();
        services.AddModels(environment);
        services.AddSingleton(provider => new ConfigFile(
            Path.Combine(Environment.CurrentDirectory, "penstock.json"), provider.GetServices<IConfigSection>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<ConfigFile>>()));
        services.AddStore(environment);
        services.AddFunctions(environment);
        services.AddAws(environment);
    }

    /// <summary>Opens the store, maps the routes, puts the file in force and sees to the operator's key, whose text it returns where one was made.</summary>
    /// <param name="makeKey">False where nobody would see a key that is made, so that none is.</param>
    /// <exception cref="RefusedStartException">Something of it cannot be used.</exception>
    public static async Task<string?> OpenAsync(this WebApplication app, EnvironmentKeys environment, bool makeKey = true)
    {
        if (await app.Services.OpenStoreAsync(environment) is { } trouble) throw new RefusedStartException(trouble.What, [trouble.Why]);
        try
        {
            app.MapPenstock();
            await app.Services.ReadPlatformKeysAsync(CancellationToken.None);
            app.Services.GetRequiredService<ConfigFile>().Load();
            return makeKey || environment.AdminKey is not null ? await app.Services.EnsureOperatorAsync(CancellationToken.None) : null;
        }
        catch (ConfigException e)
        {
            throw new RefusedStartException("penstock.json is not valid", e.Errors);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RefusedStartException("penstock.json cannot be read", [e.Message]);
        }
        catch (RefusedException e)
        {
            throw new RefusedStartException("The admin key cannot be used", [e.Refusal.Message]);
        }
    }

    /// <summary>Throws <see cref="RefusedStartException"/> with every error.</summary>
    public static EnvironmentKeys ReadEnvironment(IConfiguration configuration)
    {
        try
        {
            return EnvironmentKeys.Read(configuration);
        }
        catch (ConfigException e)
        {
            throw new RefusedStartException("The environment is not valid", e.Errors);
        }
    }
}

/// <summary>Why a host does not start.</summary>
internal sealed class RefusedStartException(string what, IReadOnlyList<string> errors) : Exception(what)
{
    /// <summary>To the console: nobody reads a log of what did not start.</summary>
    /// <returns>The exit code.</returns>
    public int Tell()
    {
        Console.Error.WriteLine($"{Message}:");
        foreach (var error in errors) Console.Error.WriteLine($"  - {error}");
        return 2;
    }

    public override string ToString() => $"{Message}: {string.Join("; ", errors)}";
}
