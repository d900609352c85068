using Penstock.Aws.Api;
using Penstock.Aws.S3;
using Penstock.Aws.Sqs;
using Penstock.Blobs;
using Penstock.Contracts;
using Penstock.Jobs;

namespace Penstock.Aws.Tests;

public sealed class SqsJobQueueTests(AwsServers servers) : JobQueueContract
{
    private AwsClient? _aws;

    // SQS does so once one of them has more under way than others; see the fair queues of its guide.
    protected override bool TakesTurns => false;

    protected override int Many => 200;

    protected override async ValueTask<IJobQueue> OpenAsync()
    {
        _aws = servers.Connect();
        return new SqsJobQueue(_aws, await servers.NewQueuesAsync(_aws), TimeProvider.System);
    }

    protected override ValueTask CloseAsync()
    {
        _aws?.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override Task PassAsync(TimeSpan time) => servers.PassAsync(time);
}

public sealed class S3BlobStoreTests(AwsServers servers) : BlobStoreContract
{
    private AwsClient? _aws;
    private S3Options? _options;

    protected override async ValueTask<IBlobStore> OpenAsync()
    {
        _aws = servers.Connect();
        _options = await servers.NewBucketAsync(_aws);
        return new S3BlobStore(_aws, _options);
    }

    protected override ValueTask<IBlobStore> ReopenAsync()
    {
        _aws!.Dispose();
        _aws = servers.Connect();
        return ValueTask.FromResult<IBlobStore>(new S3BlobStore(_aws, _options!));
    }

    protected override ValueTask CloseAsync()
    {
        _aws?.Dispose();
        return ValueTask.CompletedTask;
    }
}
