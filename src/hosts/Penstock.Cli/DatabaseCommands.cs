using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;
using Penstock.Sqlite;
using Penstock.Sqlite.Native;

namespace Penstock.Cli;

/// <summary><c>penstock db migrate</c> and <c>penstock db seed</c>. A second run of either changes nothing. The server must be stopped: it owns the folder.</summary>
internal static class DatabaseCommands
{
    public static Command Create()
    {
        var migrate = new Command("migrate", "Bring the schema of the embedded store up to date.");
        migrate.SetAction((_, ct) => WithStoreAsync((_, database) =>
        {
            foreach (var step in database.Applied) Console.WriteLine($"applied {step.Number} '{step.Name}'");
            if (database.Applied.Count == 0) Console.WriteLine("The schema is up to date; nothing was changed.");
            return Task.CompletedTask;
        }));
        var seed = new Command("seed", "Add sample data: a key 'sample' and 30 days of usage in project 'sample'.");
        seed.SetAction((_, ct) => WithStoreAsync((services, _) => Seed.RunAsync(services, ct)));
        return new Command("db", "The embedded store.") { migrate, seed };
    }

    private static async Task<int> WithStoreAsync(Func<IServiceProvider, SqliteDatabase, Task> run)
    {
        try
        {
            await using var services = Local.Services(Local.ReadEnvironment()).BuildServiceProvider();
            await run(services, services.GetRequiredService<SqliteDatabase>());
            return 0;
        }
        catch (ConfigException e)
        {
            return Local.Refuse("The environment is not valid", e.Errors);
        }
        catch (Exception e) when (e is DataFolderInUseException or SchemaException or SqliteUnavailableException)
        {
            return Local.Refuse("The data folder cannot be used", [e.Message]);
        }
    }
}
