using Amazon.Runtime;
using Amazon.Runtime.Credentials;
using Penstock.Gateway;

namespace Penstock.Aws.Signing;

/// <summary>Where this server stands in AWS, for the providers that are AWS's.</summary>
public sealed record AwsModelOptions
{
    /// <summary>Such as <c>eu-central-1</c>; null where none is set.</summary>
    public string? Region { get; init; }

    /// <summary>Bedrock's runtime elsewhere than in the region, such as a VPC endpoint; null for the region's own.</summary>
    public Uri? BedrockEndpoint { get; init; }

    /// <summary>SageMaker's runtime elsewhere than in the region; null for the region's own.</summary>
    public Uri? SageMakerEndpoint { get; init; }

    internal Func<CancellationToken, Task<ImmutableCredentials>> Credentials { get; init; } = AwsRuntime.CredentialsAsync;
}

internal static class AwsRuntime
{
    /// <summary>From AWS's standard chain, asked anew where they have expired.</summary>
    public static async Task<ImmutableCredentials> CredentialsAsync(CancellationToken ct) =>
        await (await DefaultAWSCredentialsIdentityResolver.GetCredentialsAsync()).GetCredentialsAsync().WaitAsync(ct);

    /// <summary>The region of a provider: that of its address where it is AWS's own, else the server's.</summary>
    /// <param name="host">Such as <c>bedrock-runtime</c>.</param>
    public static string RegionOf(Uri? address, string host, string? otherwise)
    {
        if (address?.Host.Split('.') is [var first, var region, "amazonaws", "com", ..] && first.StartsWith(host, StringComparison.Ordinal)) return region;
        return otherwise ?? "us-east-1";
    }

    public static Uri AddressOf(ProviderSettings settings, Uri? endpoint, string host, string? region) =>
        settings.BaseUrl ?? endpoint ?? new Uri($"https://{host}.{region ?? "us-east-1"}.amazonaws.com");
}
