using System.Net;
using System.Text;
using System.Text.Json;
using Penstock.Aws.Api;
using Penstock.Aws.ProviderKeys;
using Penstock.Aws.S3;
using Penstock.Aws.Sqs;
using Penstock.Blobs;
using Penstock.Gateway.Routing;
using Penstock.Jobs;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>What our client and its adapters do where AWS is busy, answers late, or holds what is none of ours.</summary>
public sealed class AwsClientTests(AwsServers servers)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(400, "ThrottlingException")]
    [InlineData(400, "com.amazonaws.sqs#RequestThrottled")]
    [InlineData(503, "ServiceUnavailable")]
    [InlineData(500, "InternalFailure")]
    public async Task What_is_refused_because_AWS_is_busy_is_tried_again(int status, string code)
    {
        var http = new Answers(3, status, code);
        using var aws = servers.Connect(http);

        await servers.NewQueuesAsync(aws);

        Assert.Equal(3, http.Made);
    }

    [Fact]
    public async Task Busy_for_longer_is_told_after_five_tries()
    {
        var http = new Answers(100, 400, "ThrottlingException");
        using var aws = servers.Connect(http);

        var refused = await Assert.ThrowsAsync<AwsException>(() => servers.NewQueuesAsync(aws));

        Assert.Equal(("ThrottlingException", 5), (refused.Code, http.Made));
    }

    [Fact]
    public async Task Any_other_refusal_is_told_at_once()
    {
        var http = new Answers(100, 400, "com.amazonaws.sqs#AccessDeniedException");
        using var aws = servers.Connect(http);

        var refused = await Assert.ThrowsAsync<AwsException>(() => servers.NewQueuesAsync(aws));

        Assert.Equal(("AccessDeniedException", 1), (refused.Code, http.Made));
    }

    [Theory]
    [InlineData("<html>")]
    [InlineData("[]")]
    [InlineData("\"Parameters\"")]
    public async Task An_answer_that_is_none_of_AWS_is_a_read_that_failed(string answer)
    {
        using var aws = servers.Connect(new Instead(answer));

        await Assert.ThrowsAsync<PlatformKeysUnreadableException>(() => new SsmProviderKeys(aws, "/ai-platform").ReadAsync(["openai"], Ct));
        await Assert.ThrowsAsync<PlatformKeysUnreadableException>(() => new SecretProviderKeys(aws, "ai-platform").ReadAsync(["openai"], Ct));
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_told_as_unreachable()
    {
        using var aws = new AwsClient(new AwsOptions { Region = "us-east-1", Endpoint = new Uri("http://127.0.0.1:1") }, TimeProvider.System, AwsServers.Credentials);

        Assert.Equal("Unreachable", (await Assert.ThrowsAsync<AwsException>(() => servers.NewQueuesAsync(aws))).Code);
    }

    [Fact]
    public async Task A_put_whose_answer_was_lost_is_no_conflict_with_itself()
    {
        using var aws = servers.Connect();
        using var losing = servers.Connect(new LostAnswer(HttpMethod.Put));
        var options = await servers.NewBucketAsync(aws);

        await new S3BlobStore(losing, options).PutAsync(new TenantId("acme"), new BlobName("a"), "one"u8.ToArray(), Ct);

        Assert.Equal("one"u8.ToArray(), (await new S3BlobStore(aws, options).GetAsync(new TenantId("acme"), new BlobName("a"), Ct))!.Value.ToArray());
    }

    [Fact]
    public async Task A_bucket_that_is_not_there_is_no_missing_blob()
    {
        using var aws = servers.Connect();

        var refused = await Assert.ThrowsAsync<AwsException>(() => new S3BlobStore(aws, new S3Options { Bucket = "never-made" }).GetAsync(new TenantId("acme"), new BlobName("a"), Ct));

        Assert.Equal("NoSuchBucket", refused.Code);
    }

    [Fact]
    public async Task A_blob_that_is_not_what_was_put_is_not_given()
    {
        using var aws = servers.Connect();
        using var spoiling = servers.Connect(new Spoiling());
        var options = await servers.NewBucketAsync(aws);
        await new S3BlobStore(aws, options).PutAsync(new TenantId("acme"), new BlobName("a"), "one"u8.ToArray(), Ct);

        var refused = await Assert.ThrowsAsync<AwsException>(() => new S3BlobStore(spoiling, options).GetAsync(new TenantId("acme"), new BlobName("a"), Ct));

        Assert.Equal("BadDigest", refused.Code);
    }

    [Fact]
    public async Task A_body_that_is_none_of_ours_is_set_aside_and_stays_there()
    {
        using var aws = servers.Connect();
        var options = await servers.NewQueuesAsync(aws);
        var queue = new SqsJobQueue(aws, options, TimeProvider.System);
        await new SqsQueue(aws, options.QueueUrl).SendAsync("[1]", "x", TimeSpan.Zero, Ct);
        await queue.SendAsync(new JobMessage("job_1", "acme", "request"), TimeSpan.Zero, Ct);

        Assert.Equal("job_1", Assert.Single(await queue.ReceiveAsync(10, TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1), Ct)).Message.Id);
        Assert.Empty(await queue.ListDeadAsync(10, Ct));
        Assert.Equal(0, await queue.RedriveAsync(10, (_, _) => Task.FromResult(true), Ct));

        Assert.Equal("[1]", Assert.Single(await new SqsQueue(aws, options.DeadLetterQueueUrl).ReceiveAsync(10, TimeSpan.FromSeconds(1), TimeSpan.Zero, Ct)).Body);
    }

    [Fact]
    public async Task What_a_redrive_policy_of_AWS_moved_is_dead_with_a_reason_and_can_be_sent_back()
    {
        using var aws = servers.Connect();
        var options = await servers.NewQueuesAsync(aws);
        await RedriveAfterAsync(aws, options, 1);
        var queue = new SqsJobQueue(aws, options, TimeProvider.System);
        await queue.SendAsync(new JobMessage("job_1", "acme", "request"), TimeSpan.Zero, Ct);
        for (var i = 0; i < 2; i++)
        {
            await queue.ReceiveAsync(1, TimeSpan.FromSeconds(1), TimeSpan.Zero, Ct);
            await servers.PassAsync(TimeSpan.FromSeconds(1));
        }

        var dead = Assert.Single(await queue.ListDeadAsync(10, Ct));
        Assert.Equal("job_1", dead.Message.Id);
        Assert.Contains("redrive policy", dead.Reason, StringComparison.Ordinal);

        Assert.Equal(1, await queue.RedriveAsync(10, (_, _) => Task.FromResult(true), Ct));
        Assert.Equal(1, Assert.Single(await queue.ReceiveAsync(1, TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1), Ct)).Attempt);
    }

    [Fact]
    public async Task Each_message_has_its_tenant_as_its_group()
    {
        var http = new Heard();
        using var aws = servers.Connect(http);
        var queue = new SqsJobQueue(aws, await servers.NewQueuesAsync(aws), TimeProvider.System);
        foreach (var tenant in new[] { "acme", "täg \n", new string('t', 200) }) await queue.SendAsync(new JobMessage("j", tenant, "request"), TimeSpan.Zero, Ct);

        // The server takes a group only in SQS's form; it shows none of a standard queue.
        var groups = http.Bodies.Where(body => body.Contains("MessageBody", StringComparison.Ordinal)).Select(body => JsonDocument.Parse(body).RootElement.GetProperty("MessageGroupId").GetString()!).ToArray();
        Assert.Equal("acme", groups[0]);
        Assert.Equal(2, groups.Distinct().Count(group => group.StartsWith("sha256:", StringComparison.Ordinal) && group.Length == 71));
    }

    private static async Task RedriveAfterAsync(AwsClient aws, SqsOptions options, int receives)
    {
        var arn = $"arn:aws:sqs:us-east-1:000000000000:{options.DeadLetterQueueUrl.Split('/')[^1]}";
        using var _ = await aws.CallAsync(JsonService.Sqs, "SetQueueAttributes", json =>
        {
            json.WriteString("QueueUrl", options.QueueUrl);
            json.WriteStartObject("Attributes");
            json.WriteString("RedrivePolicy", JsonSerializer.Serialize(new { deadLetterTargetArn = arn, maxReceiveCount = receives }));
            json.WriteEndObject();
        }, Ct);
    }

    private sealed class Heard() : DelegatingHandler(new SocketsHttpHandler())
    {
        public List<string> Bodies { get; } = [];

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Bodies.Add(await request.Content!.ReadAsStringAsync(cancellationToken));
            return await base.SendAsync(request, cancellationToken);
        }
    }

    /// <summary>Answers the first calls itself.</summary>
    private sealed class Answers(int times, int status, string code) : DelegatingHandler(new SocketsHttpHandler())
    {
        public int Made { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (Made == times) return base.SendAsync(request, cancellationToken);
            Made++;
            return Task.FromResult(new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent($$"""{"__type":"{{code}}","message":"made by a test"}""", Encoding.UTF8, "application/x-amz-json-1.0") });
        }
    }

    private sealed class Instead(string body) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(body) });
    }

    private sealed class LostAnswer(HttpMethod method) : DelegatingHandler(new SocketsHttpHandler())
    {
        private int _lost;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = await base.SendAsync(request, cancellationToken);
            if (request.Method != method || Interlocked.Increment(ref _lost) > 1) return answer;
            answer.Dispose();
            throw new HttpRequestException("made by a test");
        }
    }

    private sealed class Spoiling() : DelegatingHandler(new SocketsHttpHandler())
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = await base.SendAsync(request, cancellationToken);
            answer.Content = new StringContent("onf");
            return answer;
        }
    }
}
