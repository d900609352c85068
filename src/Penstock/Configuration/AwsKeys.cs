namespace Penstock.Configuration;

/// <summary>What the environment says about AWS beside the tables of <see cref="StoreKind.DynamoDb"/>.</summary>
public sealed record AwsKeys
{
    /// <summary>Services whose place can be named one by one, by their names in a signature, and the variable of each.</summary>
    internal static readonly IReadOnlyDictionary<string, string> EndpointVariables = new Dictionary<string, string>
    {
        ["sqs"] = "AWS_ENDPOINT_URL_SQS",
        ["s3"] = "AWS_ENDPOINT_URL_S3",
        ["ssm"] = "AWS_ENDPOINT_URL_SSM",
        ["secretsmanager"] = "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        ["kms"] = "AWS_ENDPOINT_URL_KMS",
    };

    /// <summary>Every service elsewhere than in the region, such as an emulator.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>One service elsewhere, by its name in a signature.</summary>
    public IReadOnlyDictionary<string, Uri> Endpoints { get; init; } = new Dictionary<string, Uri>();

    /// <summary>A standard queue of SQS for jobs; null for the store's own. Set with <see cref="DeadLetterQueueUrl"/>.</summary>
    public Uri? QueueUrl { get; init; }

    public Uri? DeadLetterQueueUrl { get; init; }

    /// <summary>A bucket of S3 for large bodies; null for the store's own.</summary>
    public string? BlobBucket { get; init; }

    /// <summary>Where the platform's own provider keys are; null for the environment.</summary>
    public PlatformKeyPlace? ProviderKeys { get; init; }

    /// <summary>A key of KMS that wraps stored provider keys; null for the master key.</summary>
    public string? KmsKey { get; init; }

    /// <summary>Whether metrics are printed in CloudWatch's Embedded Metric Format.</summary>
    public bool Emf { get; init; }

    /// <summary>Whether a service of AWS is used, beside the tables.</summary>
    public bool IsUsed => QueueUrl is not null || BlobBucket is not null || ProviderKeys is not null || KmsKey is not null;
}

/// <param name="Secrets">Secrets Manager; else Parameter Store of Systems Manager.</param>
/// <param name="Prefix">Stands before <c>/openai-api-key</c> and <c>/anthropic-api-key</c>.</param>
public sealed record PlatformKeyPlace(bool Secrets, string Prefix);
