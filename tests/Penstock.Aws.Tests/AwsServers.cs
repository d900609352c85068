using System.Net;
using Amazon.Runtime;
using Penstock.Aws.Api;
using Penstock.Aws.S3;
using Penstock.Aws.Sqs;
using Penstock.Emulators;
using Xunit;

[assembly: AssemblyFixture(typeof(Penstock.Aws.Tests.AwsServers))]

namespace Penstock.Aws.Tests;

/// <summary>SQS and S3 behind a gate that checks signatures; each test has queues and a bucket of its own.</summary>
public sealed class AwsServers : IAsyncLifetime
{
    public const string AccessKey = SecretServices.AccessKey;
    public const string Secret = SecretServices.Secret;

    private readonly HttpClient _direct = new();
    private NodeServer? _server;
    private NodeServer? _gate;
    private int _made;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    internal static AWSCredentials Credentials { get; } = new BasicAWSCredentials(AccessKey, Secret);

    /// <summary>The gate.</summary>
    public Uri Endpoint => _gate?.Endpoint ?? throw new InvalidOperationException("The servers are programs for Linux on x64.");

    public async ValueTask InitializeAsync()
    {
        if (!DynamoEmulator.IsForThisMachine) return;
        _server = await NodeServer.StartAsync("sqs-s3.mjs");
        _gate = await NodeServer.StartAsync("gate.mjs", $"{_server.Endpoint.Port}", AccessKey, Secret);
    }

    public async ValueTask DisposeAsync()
    {
        _direct.Dispose();
        if (_gate is not null) await _gate.DisposeAsync();
        if (_server is not null) await _server.DisposeAsync();
    }

    internal AwsClient Connect(HttpMessageHandler? http = null, AWSCredentials? credentials = null, TimeProvider? time = null)
    {
        if (_gate is null) Assert.Skip("The servers are programs for Linux on x64.");
        return new AwsClient(new AwsOptions { Region = "us-east-1", Endpoint = Endpoint }, time ?? TimeProvider.System, credentials ?? Credentials, http);
    }

    internal async Task<SqsOptions> NewQueuesAsync(AwsClient aws)
    {
        var name = $"jobs-{Interlocked.Increment(ref _made)}";
        return new SqsOptions { QueueUrl = await CreateAsync(aws, name), DeadLetterQueueUrl = await CreateAsync(aws, $"{name}-dead") };
    }

    internal async Task<S3Options> NewBucketAsync(AwsClient aws)
    {
        var options = new S3Options { Bucket = $"blobs-{Interlocked.Increment(ref _made)}" };
        var answer = await aws.SendAsync(new AwsRequest("s3", HttpMethod.Put, Endpoint, $"/{options.Bucket}"), Ct);
        Assert.True(answer.Succeeded);
        return options;
    }

    /// <summary>Puts the servers' clock on.</summary>
    public async Task PassAsync(TimeSpan time)
    {
        using var answer = await _direct.PostAsync(new Uri(_server!.Endpoint, $"/_clock?ms={(long)time.TotalMilliseconds}"), null, Ct);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
    }

    private static async Task<string> CreateAsync(AwsClient aws, string name)
    {
        using var answer = await aws.CallAsync(JsonService.Sqs, "CreateQueue", json => json.WriteString("QueueName", name), Ct);
        return answer.RootElement.GetProperty("QueueUrl").GetString()!;
    }
}
