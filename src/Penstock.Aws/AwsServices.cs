using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Aws.Api;
using Penstock.Aws.CloudWatch;
using Penstock.Aws.Kms;
using Penstock.Aws.ProviderKeys;
using Penstock.Aws.S3;
using Penstock.Aws.Sqs;
using Penstock.Blobs;
using Penstock.Configuration;
using Penstock.Gateway.Routing;
using Penstock.Jobs;
using Penstock.Keys;

namespace Penstock.Aws;

/// <summary>Services of AWS beside the tables.</summary>
public static class AwsServices
{
    /// <summary>
    /// Those that the environment names: SQS behind <see cref="IJobQueue"/>, S3 behind <see cref="IBlobStore"/>, KMS behind <see cref="IMasterKeyService"/>,
    /// Parameter Store or Secrets Manager behind <see cref="IPlatformKeySource"/>. A host adds them after its store.
    /// </summary>
    public static IServiceCollection AddAwsServices(this IServiceCollection services, EnvironmentKeys environment)
    {
        var aws = environment.Aws;
        if (!aws.IsUsed) return services;
        var options = new AwsOptions { Region = environment.AwsRegion ?? "us-east-1", Endpoint = aws.Endpoint, Endpoints = aws.Endpoints };
        services.AddSingleton(provider => new AwsClient(options, provider.GetRequiredService<TimeProvider>()));
        if (aws is { QueueUrl: { } queue, DeadLetterQueueUrl: { } dead }) services.AddQueue(new SqsOptions { QueueUrl = queue.AbsoluteUri, DeadLetterQueueUrl = dead.AbsoluteUri });
        if (aws.BlobBucket is { } bucket) services.AddSingleton<IBlobStore>(provider => new S3BlobStore(provider.GetRequiredService<AwsClient>(), new S3Options { Bucket = bucket }));
        if (aws.KmsKey is { } key) services.AddSingleton<IMasterKeyService>(provider => new KmsMasterKey(provider.GetRequiredService<AwsClient>(), new KmsOptions { KeyId = key }));
        if (aws.ProviderKeys is { } place) services.AddProviderKeys(place);
        return services;
    }

    /// <summary>Metrics as lines of CloudWatch's Embedded Metric Format.</summary>
    /// <param name="write">Takes one line with its end, beside the lines of the log and never in the midst of one.</param>
    public static IServiceCollection AddEmfMetrics(this IServiceCollection services, Func<IServiceProvider, Action<ReadOnlyMemory<byte>>> write)
    {
        services.AddSingleton(provider => new EmfMetrics(provider.GetRequiredService<IMeterFactory>(), provider.GetRequiredService<TimeProvider>(), write(provider)));
        return services.AddHostedService(provider => provider.GetRequiredService<EmfMetrics>());
    }

    private static void AddQueue(this IServiceCollection services, SqsOptions options) =>
        services.AddSingleton<IJobQueue>(provider => new SqsJobQueue(provider.GetRequiredService<AwsClient>(), options, provider.GetRequiredService<TimeProvider>()));

    private static void AddProviderKeys(this IServiceCollection services, PlatformKeyPlace place) => services.AddSingleton<IPlatformKeySource>(provider =>
    {
        var aws = provider.GetRequiredService<AwsClient>();
        return place.Secrets ? new SecretProviderKeys(aws, place.Prefix) : new SsmProviderKeys(aws, place.Prefix);
    });
}
