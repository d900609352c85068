using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Sqlite;

namespace Penstock.Cli;

/// <summary><c>penstock db migrate</c> and <c>penstock db seed</c>. A second run of either changes nothing. The server must be stopped: it owns the folder.</summary>
internal static class DatabaseCommands
{
    public static Command Create()
    {
        var migrate = new Command("migrate", "Bring the schema of the store up to date; in DynamoDB, create the tables that are missing.");
        migrate.SetAction((_, ct) => Local.WithStoreAsync(services =>
        {
            if (services.GetService<SqliteDatabase>() is not { } database)
            {
                Console.WriteLine("The tables are there.");
                return Task.FromResult(0);
            }

            foreach (var step in database.Applied) Console.WriteLine($"applied {step.Number} '{step.Name}'");
            if (database.Applied.Count == 0) Console.WriteLine("The schema is up to date; nothing was changed.");
            return Task.FromResult(0);
        }));
        var seed = new Command("seed", "Add sample data: a key 'sample' and 30 days of usage in project 'sample'.");
        seed.SetAction((_, ct) => Local.WithStoreAsync(services => Seed.RunAsync(services, ct)));
        return new Command("db", "The store.") { migrate, seed };
    }
}
