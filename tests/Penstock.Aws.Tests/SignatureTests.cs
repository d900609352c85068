using System.Text;
using Amazon.Runtime;
using Penstock.Aws.Api;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>The gate in front of the servers lets our signatures pass and refuses any that was tampered with, as AWS does.</summary>
public sealed class SignatureTests(AwsServers servers)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_signed_request_passes()
    {
        using var aws = servers.Connect();

        Assert.EndsWith("/jobs-signed", await CreateQueueAsync(aws), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("body", "XAmzContentSHA256Mismatch")]
    [InlineData("signature", "SignatureDoesNotMatch")]
    [InlineData("target", "SignatureDoesNotMatch")]
    [InlineData("query", "SignatureDoesNotMatch")]
    [InlineData("path", "SignatureDoesNotMatch")]
    [InlineData("unsigned header", "SignatureDoesNotMatch")]
    [InlineData("region", "SignatureDoesNotMatch")]
    [InlineData("none", "MissingAuthenticationTokenException")]
    public async Task A_tampered_or_missing_signature_is_refused(string what, string code)
    {
        using var aws = servers.Connect(new Tampering(what));

        var refused = await Assert.ThrowsAsync<AwsException>(() => CreateQueueAsync(aws));

        Assert.Equal((403, code), (refused.Status, refused.Code));
    }

    [Fact]
    public async Task Another_secret_and_another_key_are_refused()
    {
        using var secret = servers.Connect(credentials: new BasicAWSCredentials(AwsServers.AccessKey, "another"));
        using var key = servers.Connect(credentials: new BasicAWSCredentials("AKIAANOTHER", AwsServers.Secret));

        Assert.Equal("SignatureDoesNotMatch", (await Assert.ThrowsAsync<AwsException>(() => CreateQueueAsync(secret))).Code);
        Assert.Equal("UnrecognizedClientException", (await Assert.ThrowsAsync<AwsException>(() => CreateQueueAsync(key))).Code);
    }

    [Fact]
    public async Task A_signature_of_ten_minutes_ago_is_refused()
    {
        using var aws = servers.Connect(time: new Late());

        Assert.Equal("RequestTimeTooSkewed", (await Assert.ThrowsAsync<AwsException>(() => CreateQueueAsync(aws))).Code);
    }

    [Fact]
    public async Task What_of_a_path_and_a_query_must_be_encoded_is_signed_as_it_goes_out()
    {
        using var aws = servers.Connect();
        var options = await servers.NewBucketAsync(aws);
        var list = new AwsRequest("s3", HttpMethod.Get, servers.Endpoint, $"/{options.Bucket}") { Query = [("prefix", "a b/ü+%&=~*'()"), ("list-type", "2")] };

        var answer = await aws.SendAsync(list, Ct);

        Assert.True(answer.Succeeded, Encoding.UTF8.GetString(answer.Body.Span));
    }

    private static async Task<string> CreateQueueAsync(AwsClient aws)
    {
        using var answer = await aws.CallAsync(JsonService.Sqs, "CreateQueue", json => json.WriteString("QueueName", "jobs-signed"), Ct);
        return answer.RootElement.GetProperty("QueueUrl").GetString()!;
    }

    /// <summary>Changes one thing after it was signed.</summary>
    private sealed class Tampering(string what) : DelegatingHandler(new SocketsHttpHandler())
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var authorization = string.Join(',', request.Headers.GetValues("Authorization"));
            switch (what)
            {
                case "body":
                    var type = request.Content!.Headers.ContentType;
                    request.Content = new StringContent("""{"QueueName":"another"}""") { Headers = { ContentType = type } };
                    break;
                case "signature":
                    Replace(request, "Authorization", authorization[..^1] + (authorization[^1] == '0' ? '1' : '0'));
                    break;
                case "target":
                    Replace(request, "x-amz-target", "AmazonSQS.ListQueues");
                    break;
                case "query":
                    request.RequestUri = new Uri(request.RequestUri!, "/?more=1");
                    break;
                case "path":
                    request.RequestUri = new Uri(request.RequestUri!, "/another");
                    break;
                case "unsigned header":
                    request.Headers.TryAddWithoutValidation("x-amz-more", "1");
                    break;
                case "region":
                    Replace(request, "Authorization", authorization.Replace("us-east-1", "eu-west-1", StringComparison.Ordinal));
                    break;
                default:
                    request.Headers.Remove("Authorization");
                    break;
            }

            return await base.SendAsync(request, cancellationToken);
        }

        private static void Replace(HttpRequestMessage request, string name, string value)
        {
            request.Headers.Remove(name);
            request.Headers.TryAddWithoutValidation(name, value);
        }
    }

    private sealed class Late : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() - TimeSpan.FromMinutes(10);
    }
}
