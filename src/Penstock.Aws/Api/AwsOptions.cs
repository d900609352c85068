namespace Penstock.Aws.Api;

/// <summary>Where AWS is. Credentials come from AWS's standard chain.</summary>
public sealed record AwsOptions
{
    /// <summary>Such as <c>eu-central-1</c>.</summary>
    public required string Region { get; init; }

    /// <summary>Another place than the region's own for every service, such as an emulator's (<c>AWS_ENDPOINT_URL</c>).</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>Another place for one service, by its name in a signature (<c>AWS_ENDPOINT_URL_SQS</c> is <c>sqs</c>). Goes before <see cref="Endpoint"/>.</summary>
    public IReadOnlyDictionary<string, Uri> Endpoints { get; init; } = new Dictionary<string, Uri>();

    /// <summary>Null where it is the region's own.</summary>
    internal Uri? Elsewhere(string service) => Endpoints.GetValueOrDefault(service) ?? Endpoint;

    internal Uri At(string service) => Elsewhere(service) ?? new Uri($"https://{service}.{Region}.{Suffix}");

    internal string Suffix => Region.StartsWith("cn-", StringComparison.Ordinal) ? "amazonaws.com.cn" : "amazonaws.com";
}
