using Penstock.Aws;
using Penstock.Aws.DynamoDb;
using Penstock.Configuration;
using Penstock.Sqlite;
using Penstock.Sqlite.Native;

namespace Penstock.Server;

/// <summary>The store that the environment names.</summary>
internal static class Stores
{
    public static IServiceCollection AddStore(this IServiceCollection services, EnvironmentKeys environment) => environment.Store == StoreKind.Sqlite
        ? services.AddSqliteStore(new SqliteOptions { DataFolder = environment.DataFolder })
        : services.AddDynamoDbStore(new DynamoOptions
        {
            Region = environment.AwsRegion,
            Endpoint = environment.DynamoEndpoint,
            TablePrefix = environment.TablePrefix,
            LeaseBudgets = environment.LeaseBudgets,
            // An emulator begins empty; in AWS a template says what the tables are.
            CreateTables = environment.DynamoEndpoint is not null,
        });

    /// <summary>Null where it can be used, else what to tell.</summary>
    public static async Task<(string What, string Why)?> OpenStoreAsync(this IServiceProvider services, EnvironmentKeys environment)
    {
        try
        {
            if (environment.Store == StoreKind.Sqlite) services.GetRequiredService<SqliteDatabase>();
            else await services.OpenDynamoDbAsync(CancellationToken.None);
            return null;
        }
        catch (Exception e) when (e is DataFolderInUseException or SchemaException or SqliteUnavailableException or IOException or UnauthorizedAccessException)
        {
            return ("The data folder cannot be used (PENSTOCK_DATA)", e.Message);
        }
        catch (DynamoUnavailableException e)
        {
            return ("The tables cannot be used (PENSTOCK_STORE=dynamodb)", e.Message);
        }
    }
}
