using Penstock.Aws;
using Penstock.Aws.DynamoDb;
using Penstock.Aws.Lambda;
using Penstock.Aws.Signing;
using Penstock.Configuration;
using Penstock.Sqlite;
using Penstock.Sqlite.Native;

namespace Penstock.Hosts;

/// <summary>The store that the environment names, and what else is elsewhere.</summary>
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

    /// <summary>Where tools may run that are functions of their own: in the region, or at an emulator.</summary>
    public static void AddFunctions(this IServiceCollection services, EnvironmentKeys environment)
    {
        if (environment.AwsRegion is null && environment.LambdaEndpoint is null) return;
        services.AddLambdaFunctions(new LambdaFunctionOptions { Region = environment.AwsRegion ?? "us-east-1", Endpoint = environment.LambdaEndpoint });
    }

    /// <summary>Models that are AWS's.</summary>
    public static void AddModels(this IServiceCollection services, EnvironmentKeys environment) => services.AddAwsProviders(new AwsModelOptions
    {
        Region = environment.AwsRegion,
        BedrockEndpoint = environment.BedrockEndpoint,
        SageMakerEndpoint = environment.SageMakerEndpoint,
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
