using System.Globalization;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.Runtime.Internal.Auth;

namespace Penstock.Aws.Lambda;

/// <summary>
/// Signature Version 4 of a request to a REST API of AWS that is not S3
/// (<see href="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"/>).
/// </summary>
internal static class RestSignature
{
    public static void AddTo(HttpRequestMessage request, ReadOnlySpan<byte> body, ImmutableCredentials identity, string region, string service, DateTimeOffset now)
    {
        var url = request.RequestUri!;
        request.Headers.Host = url.IsDefaultPort ? url.Host : $"{url.Host}:{url.Port}";
        request.Headers.Add("X-Amz-Date", now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture));
        if (identity.UseToken) request.Headers.Add("X-Amz-Security-Token", identity.Token);
        var headers = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["content-type"] = request.Content!.Headers.ContentType!.ToString() };
        foreach (var (name, values) in request.Headers) headers[name.ToLowerInvariant()] = string.Join(',', values).Trim();
        var names = string.Join(';', headers.Keys);
        // Of a path that is encoded already, the encoding is encoded once more.
        var path = url.AbsolutePath.Replace("%", "%25", StringComparison.Ordinal);
        var canonical = $"{request.Method}\n{path}\n{url.Query.TrimStart('?')}\n{string.Concat(headers.Select(header => $"{header.Key}:{header.Value}\n"))}\n{names}\n{Convert.ToHexStringLower(SHA256.HashData(body))}";
        request.Headers.TryAddWithoutValidation("Authorization", AWS4Signer.ComputeSignature(identity, region, now.UtcDateTime, service, names, canonical).ForAuthorizationHeader);
    }
}
