using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Amazon.Runtime;
using Amazon.Runtime.Internal.Auth;

namespace Penstock.Aws.Api;

/// <summary>Signature Version 4 over everything that goes out. https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html</summary>
internal static class Signature
{
    public static HttpRequestMessage Sign(AwsRequest request, ImmutableCredentials credentials, string region, DateTimeOffset now)
    {
        var query = Query(request.Query);
        var address = request.Endpoint.GetLeftPart(UriPartial.Authority) + request.Path + (query.Length > 0 ? $"?{query}" : "");
        // As it was signed: a URI that is tidied up would be another one.
        var message = new HttpRequestMessage(request.Method, new Uri(address, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        var hash = Convert.ToHexStringLower(SHA256.HashData(request.Body.Span));
        var headers = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["host"] = request.Endpoint.Authority,
            ["x-amz-content-sha256"] = hash,
            ["x-amz-date"] = now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture),
        };
        if (credentials.UseToken) headers["x-amz-security-token"] = credentials.Token;
        foreach (var (name, value) in request.Headers) headers[name] = value;
        foreach (var (name, value) in headers) message.Headers.TryAddWithoutValidation(name, value);
        if (request.Body.Length > 0 || request.Method != HttpMethod.Get)
        {
            message.Content = new ReadOnlyMemoryContent(request.Body);
            message.Content.Headers.TryAddWithoutValidation("Content-Type", request.ContentType);
            headers["content-type"] = request.ContentType;
        }

        var names = string.Join(';', headers.Keys);
        var canonical = $"{request.Method.Method}\n{request.Path}\n{query}\n{string.Concat(headers.Select(header => $"{header.Key}:{header.Value}\n"))}\n{names}\n{hash}";
        var signed = AWS4Signer.ComputeSignature(credentials, region, now.UtcDateTime, request.Service, names, canonical);
        message.Headers.TryAddWithoutValidation("Authorization", signed.ForAuthorizationHeader);
        return message;
    }

    private static string Query(IReadOnlyList<(string Name, string Value)> query)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in query.OrderBy(each => each.Name, StringComparer.Ordinal))
            text.Append(text.Length > 0 ? "&" : "").Append(Uri.EscapeDataString(name)).Append('=').Append(Uri.EscapeDataString(value));
        return text.ToString();
    }
}
