using Penstock.Configuration;
using Xunit;

namespace Penstock.Tests.Configuration;

public sealed class AwsKeysTests
{
    private const string Queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs";
    private const string Dead = Queue + "-dead";

    [Fact]
    public void Nothing_set_uses_nothing_of_AWS()
    {
        var aws = Sections.Environment().Aws;

        Assert.False(aws.IsUsed);
        Assert.False(aws.Emf);
        Assert.Empty(aws.Endpoints);
    }

    [Fact]
    public void Every_key_is_taken_as_it_stands_and_the_region_is_used()
    {
        var keys = Sections.Environment(
            ("PENSTOCK_STORE", "dynamodb"), ("AWS_REGION", "eu-central-1"), ("PENSTOCK_QUEUE_URL", Queue), ("PENSTOCK_DEAD_LETTER_QUEUE_URL", Dead), ("PENSTOCK_BLOB_BUCKET", "acme.blobs-1"),
            ("PENSTOCK_PROVIDER_KEYS", "ssm:/ai-platform/"), ("PENSTOCK_KMS_KEY", "arn:aws:kms:eu-central-1:123456789012:key/7f1c"), ("PENSTOCK_EMF", "1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:2"), ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:3"));

        Assert.Equal((new Uri(Queue), new Uri(Dead), "acme.blobs-1"), (keys.Aws.QueueUrl, keys.Aws.DeadLetterQueueUrl, keys.Aws.BlobBucket));
        Assert.Equal(new PlatformKeyPlace(Secrets: false, "/ai-platform"), keys.Aws.ProviderKeys);
        Assert.Equal("arn:aws:kms:eu-central-1:123456789012:key/7f1c", keys.Aws.KmsKey);
        Assert.True(keys.Aws.Emf);
        Assert.Equal((new Uri("http://127.0.0.1:1"), new Uri("http://127.0.0.1:2"), new Uri("http://127.0.0.1:3")), (keys.Aws.Endpoint, keys.Aws.Endpoints["sqs"], keys.Aws.Endpoints["secretsmanager"]));
        Assert.Empty(keys.NotYetUsed);
    }

    [Fact]
    public void Provider_keys_go_with_the_embedded_store_too()
    {
        var keys = Sections.Environment(("PENSTOCK_PROVIDER_KEYS", "secretsmanager:ai-platform"), ("AWS_REGION", "eu-central-1"));

        Assert.Equal(new PlatformKeyPlace(Secrets: true, "ai-platform"), keys.Aws.ProviderKeys);
        Assert.Empty(keys.NotYetUsed);
    }

    [Theory]
    [InlineData(true, null, true)]
    [InlineData(true, "0", false)]
    [InlineData(true, "false", false)]
    [InlineData(false, "true", true)]
    [InlineData(false, "0", false)]
    public void Metrics_are_lines_on_Lambda_and_where_they_are_asked_for(bool lambda, string? said, bool emf) =>
        Assert.Equal(emf, Sections.Environment(("AWS_LAMBDA_RUNTIME_API", lambda ? "127.0.0.1:9001" : null), ("PENSTOCK_EMF", said)).Aws.Emf);

    [Theory]
    [InlineData("PENSTOCK_QUEUE_URL", "jobs")]
    [InlineData("PENSTOCK_QUEUE_URL", Queue + ".fifo")]
    [InlineData("PENSTOCK_BLOB_BUCKET", "Acme")]
    [InlineData("PENSTOCK_BLOB_BUCKET", "a")]
    [InlineData("PENSTOCK_PROVIDER_KEYS", "/ai-platform")]
    [InlineData("PENSTOCK_PROVIDER_KEYS", "ssm:ai-platform")]
    [InlineData("PENSTOCK_PROVIDER_KEYS", "ssm:/")]
    [InlineData("PENSTOCK_KMS_KEY", "a key")]
    [InlineData("PENSTOCK_EMF", "yes")]
    [InlineData("AWS_ENDPOINT_URL", "127.0.0.1:1")]
    [InlineData("AWS_ENDPOINT_URL_KMS", "ftp://127.0.0.1")]
    public void What_is_not_valid_is_named_once(string name, string value)
    {
        var errors = Assert.Throws<ConfigException>(() => Sections.Environment((name, value), ("AWS_REGION", "eu-central-1"))).Errors;

        Assert.StartsWith(name, Assert.Single(errors), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dynamodb", Queue, null, null, "go together")]
    [InlineData("dynamodb", null, Dead, null, "go together")]
    [InlineData("dynamodb", Queue, Queue, null, "another queue")]
    [InlineData("sqlite", Queue, Dead, null, "PENSTOCK_QUEUE_URL needs PENSTOCK_STORE=dynamodb")]
    [InlineData("sqlite", null, null, "acme-blobs", "PENSTOCK_BLOB_BUCKET needs PENSTOCK_STORE=dynamodb")]
    public void What_does_not_go_together_is_refused(string store, string? queue, string? dead, string? bucket, string error)
    {
        var errors = Assert.Throws<ConfigException>(() => Sections.Environment(
            ("PENSTOCK_STORE", store), ("AWS_REGION", "eu-central-1"), ("PENSTOCK_QUEUE_URL", queue), ("PENSTOCK_DEAD_LETTER_QUEUE_URL", dead), ("PENSTOCK_BLOB_BUCKET", bucket))).Errors;

        Assert.Contains(error, Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void A_service_without_a_region_is_refused() =>
        Assert.StartsWith("AWS_REGION is missing", Assert.Single(Assert.Throws<ConfigException>(() => Sections.Environment(("PENSTOCK_PROVIDER_KEYS", "ssm:/ai-platform"))).Errors), StringComparison.Ordinal);
}
