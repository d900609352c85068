using System.Text.RegularExpressions;

namespace Penstock.Configuration;

public sealed partial record EnvironmentKeys
{
    /// <summary>AWS beside the tables.</summary>
    public AwsKeys Aws { get; private init; } = new();

    private sealed partial class Reader
    {
        public AwsKeys Aws()
        {
            var endpoints = new Dictionary<string, Uri>();
            foreach (var (service, variable) in AwsKeys.EndpointVariables)
            {
                if (Url(variable) is { } url) endpoints[service] = url;
            }

            return new AwsKeys
            {
                Endpoint = Url("AWS_ENDPOINT_URL"),
                Endpoints = endpoints,
                QueueUrl = Queue("PENSTOCK_QUEUE_URL"),
                DeadLetterQueueUrl = Queue("PENSTOCK_DEAD_LETTER_QUEUE_URL"),
                BlobBucket = Match("PENSTOCK_BLOB_BUCKET", Bucket(), "must be the name of a bucket: 3 to 63 small letters, digits, '-' and '.'"),
                ProviderKeys = Match("PENSTOCK_PROVIDER_KEYS", KeyPlace(), "must be ssm:/path or secretsmanager:path") is { } place ? Place(place) : null,
                KmsKey = Match("PENSTOCK_KMS_KEY", KmsKeyId(), "must be the id, the ARN or the alias (alias/…) of a key"),
                Emf = Text("PENSTOCK_EMF") == "1" || (Text("PENSTOCK_EMF") != "0" && Flag("PENSTOCK_EMF", Text("AWS_LAMBDA_RUNTIME_API") is not null)),
            };
        }

        public void RefuseUnusableAws(EnvironmentKeys keys)
        {
            var aws = keys.Aws;
            if (aws.QueueUrl is null != aws.DeadLetterQueueUrl is null) Errors.Add("PENSTOCK_QUEUE_URL and PENSTOCK_DEAD_LETTER_QUEUE_URL go together: set both, or neither.");
            if (aws.QueueUrl is not null && aws.QueueUrl == aws.DeadLetterQueueUrl) Errors.Add("PENSTOCK_DEAD_LETTER_QUEUE_URL must be another queue than PENSTOCK_QUEUE_URL.");
            if (keys.Store != StoreKind.DynamoDb && aws.QueueUrl is not null) Errors.Add("PENSTOCK_QUEUE_URL needs PENSTOCK_STORE=dynamodb; the embedded store has a queue of its own.");
            if (keys.Store != StoreKind.DynamoDb && aws.BlobBucket is not null) Errors.Add("PENSTOCK_BLOB_BUCKET needs PENSTOCK_STORE=dynamodb; the embedded store keeps large bodies in the data folder.");
            if (aws is { IsUsed: true, Endpoint: null } && keys.AwsRegion is null) Errors.Add("AWS_REGION is missing; PENSTOCK_QUEUE_URL, PENSTOCK_BLOB_BUCKET, PENSTOCK_PROVIDER_KEYS and PENSTOCK_KMS_KEY need it.");
        }

        private Uri? Queue(string name)
        {
            if (Url(name) is not { } url) return null;
            if (!url.AbsolutePath.EndsWith(".fifo", StringComparison.Ordinal)) return url;
            Errors.Add($"{name} must be a standard queue, not '{url.AbsolutePath}': on a FIFO queue a tenant's jobs would wait for each other.");
            return null;
        }

        private static PlatformKeyPlace Place(string text)
        {
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            return new PlatformKeyPlace(text[..colon] == "secretsmanager", text[(colon + 1)..].TrimEnd('/'));
        }
    }

    [GeneratedRegex(@"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\z", RegexOptions.CultureInvariant)]
    private static partial Regex Bucket();

    [GeneratedRegex(@"^(ssm:/|secretsmanager:)[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?\z", RegexOptions.CultureInvariant)]
    private static partial Regex KeyPlace();

    [GeneratedRegex(@"^[A-Za-z0-9:/_-]{1,2048}\z", RegexOptions.CultureInvariant)]
    private static partial Regex KmsKeyId();
}
