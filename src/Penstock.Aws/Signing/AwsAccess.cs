using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Amazon.Runtime;
using Amazon.Runtime.Internal.Auth;
using Penstock.Gateway;

namespace Penstock.Aws.Signing;

/// <summary>What lets a request into one service of one region: a bearer token, or a signature (Signature Version 4) with credentials.</summary>
/// <param name="service">As it is signed for, such as <c>bedrock</c>.</param>
/// <param name="token">Null to sign.</param>
internal sealed class AwsAccess(string provider, string region, string service, string? token, Func<CancellationToken, Task<ImmutableCredentials>> credentials, TimeProvider time)
{
    public const string Json = "application/json";

    /// <summary>The headers that a POST of <paramref name="body"/> to <paramref name="url"/> goes with. Its path is encoded once.</summary>
    public async Task<List<KeyValuePair<string, string>>> HeadersAsync(Uri url, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        if (token is not null) return [new("Authorization", $"Bearer {token}")];
        ImmutableCredentials who;
        try
        {
            who = await credentials(ct);
        }
        catch (Exception e) when (e is AmazonClientException or AmazonServiceException or HttpRequestException)
        {
            throw new ProviderException(ProviderFault.Unauthorized, $"Provider '{provider}' has no AWS credentials: none were found in AWS's standard chain.", inner: e);
        }

        return Sign(who, url, body.Span);
    }

    private List<KeyValuePair<string, string>> Sign(ImmutableCredentials who, Uri url, ReadOnlySpan<byte> body)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var hash = Convert.ToHexStringLower(SHA256.HashData(body));
        var headers = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["content-type"] = Json,
            ["host"] = url.Authority,
            ["x-amz-content-sha256"] = hash,
            ["x-amz-date"] = now.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture),
        };
        if (who.UseToken) headers["x-amz-security-token"] = who.Token;
        var signed = string.Join(';', headers.Keys);
        var canonical = new StringBuilder("POST\n").Append(Twice(url.AbsolutePath)).Append("\n\n");
        foreach (var (name, value) in headers) canonical.Append(name).Append(':').Append(value).Append('\n');
        canonical.Append('\n').Append(signed).Append('\n').Append(hash);
        var signature = AWS4Signer.ComputeSignature(who, region, now, service, signed, canonical.ToString());

        // The content's type and the host are written by whoever sends it.
        List<KeyValuePair<string, string>> sent = [.. headers.Where(header => header.Key is not ("content-type" or "host")), new("Authorization", signature.ForAuthorizationHeader)];
        return sent;
    }

    /// <summary>All services but S3 sign the path encoded once more than it is sent.</summary>
    private static string Twice(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));
}
