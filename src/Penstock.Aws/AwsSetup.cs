using Amazon;
using Amazon.DynamoDBv2;
using Amazon.Runtime;
using Amazon.Runtime.Credentials;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Aws.Bedrock;
using Penstock.Aws.DynamoDb;
using Penstock.Aws.DynamoDb.Agents;
using Penstock.Aws.DynamoDb.Budgets.Leases;
using Penstock.Aws.DynamoDb.Cache;
using Penstock.Aws.DynamoDb.Idempotency;
using Penstock.Aws.DynamoDb.Jobs;
using Penstock.Aws.DynamoDb.Keys;
using Penstock.Aws.DynamoDb.Limits;
using Penstock.Aws.DynamoDb.Prompts;
using Penstock.Aws.Lambda;
using Penstock.Aws.SageMaker;
using Penstock.Aws.Signing;
using Penstock.Budgets;
using Penstock.Gateway;
using Penstock.Gateway.Cache;
using Penstock.Idempotency;
using Penstock.Jobs;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Limits;
using Penstock.Prompts;
using Penstock.Tools.Functions;
using Penstock.Usage;

namespace Penstock.Aws;

public static class AwsSetup
{
    // Between us and a region's endpoint an answer takes milliseconds; what takes longer is tried again.
    private static readonly TimeSpan Answer = TimeSpan.FromSeconds(5);

    /// <summary>DynamoDB behind every port it has an adapter for, so that any number of servers share one set of keys, budgets and books.</summary>
    public static IServiceCollection AddDynamoDbStore(this IServiceCollection services, DynamoOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton(provider => new DynamoDatabase(Connect(options), new DynamoTables(options.TablePrefix), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<IdSource>()));
        services.AddSingleton<IKeyStore, DynamoKeyStore>();
        services.AddSingleton<IProviderKeyStore, DynamoProviderKeyStore>();
        services.AddSingleton<ILimitStore, DynamoLimitStore>();
        services.AddSingleton<ICacheStore, DynamoCacheStore>();
        services.AddSingleton<IIdempotencyStore, DynamoIdempotencyStore>();
        services.AddSingleton<IPromptStore, DynamoPromptStore>();
        services.AddSingleton<IRunStore, DynamoRunStore>();
        services.AddSingleton<IMemoryStore, DynamoMemoryStore>();
        services.AddSingleton<IJobStore, DynamoJobStore>();
        // Until a queue takes its place.
        services.AddSingleton<IJobQueue, NoJobQueue>();
        services.AddSingleton(provider => new DynamoLedger(provider.GetRequiredService<DynamoDatabase>(), options.LeaseBudgets ? new LeaseOptions() : null));
        services.AddSingleton<IUsageStore>(provider => provider.GetRequiredService<DynamoLedger>().Usage);
        services.AddSingleton<IAlertStore>(provider => provider.GetRequiredService<DynamoLedger>().Alerts);
        services.AddSingleton<IBudgetStore>(provider => provider.GetRequiredService<DynamoLedger>().Budgets);
        if (options.LeaseBudgets)
        {
            services.AddSingleton(provider => provider.GetRequiredService<DynamoLedger>().Leases!);
            services.AddHostedService<LeaseReturner>();
        }

        return services;
    }

    /// <summary>Tools as functions of AWS Lambda, called with this process's own credentials.</summary>
    public static IServiceCollection AddLambdaFunctions(this IServiceCollection services, LambdaFunctionOptions options) => services.AddSingleton<IToolFunctions>(
        provider => new LambdaFunctions(options, () => DefaultAWSCredentialsIdentityResolver.GetCredentials(), provider.GetRequiredService<TimeProvider>()));

    /// <summary>Bedrock and SageMaker as kinds of providers. They use the connections and the token counter of <c>AddProviders</c>.</summary>
    public static IServiceCollection AddAwsProviders(this IServiceCollection services, AwsModelOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<IProviderKind, BedrockKind>();
        services.AddSingleton<IProviderKind, SageMakerKind>();
        return services;
    }

    /// <summary>
    /// Creates the tables where the options say so, or looks whether they are there; a host insists on it at its start. Throws
    /// <see cref="DynamoUnavailableException"/>.
    /// </summary>
    public static async Task OpenDynamoDbAsync(this IServiceProvider services, CancellationToken ct)
    {
        try
        {
            var database = services.GetRequiredService<DynamoDatabase>();
            if (services.GetRequiredService<DynamoOptions>().CreateTables) await database.Tables.EnsureAsync(database.Client, database.Time, ct);
            else await database.Tables.CheckAsync(database.Client, ct);
        }
        catch (Exception e) when (e is AmazonServiceException or AmazonClientException or HttpRequestException or DynamoBusyException)
        {
            throw new DynamoUnavailableException($"DynamoDB cannot be used: {e.Message}", e);
        }
    }

    internal static AmazonDynamoDBClient Connect(DynamoOptions options, AWSCredentials? credentials = null, HttpClientFactory? http = null)
    {
        var config = new AmazonDynamoDBConfig { Timeout = Answer, MaxErrorRetry = 0 };
        if (options.Region is { } region) config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        if (options.Endpoint is { } endpoint)
        {
            config.ServiceURL = endpoint.ToString();
            config.AuthenticationRegion = options.Region ?? "us-east-1";
        }

        config.HttpClientFactory = http ?? new DynamoHttp(Answer);
        return credentials is null ? new AmazonDynamoDBClient(config) : new AmazonDynamoDBClient(credentials, config);
    }
}
