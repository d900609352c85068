using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Penstock.Upstream.Bedrock;

/// <summary>
/// Lets a request in by its bearer token, or by Signature Version 4, which is made anew from the request and compared
/// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
/// </summary>
internal sealed class Signatures(UpstreamOptions options)
{
    private const string Algorithm = "AWS4-HMAC-SHA256";

    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(5);

    /// <param name="target">The path as it came, before anything decoded it.</param>
    public void Check(HttpRequest request, string target, ReadOnlySpan<byte> body, string service)
    {
        var authorization = request.Headers.Authorization.ToString();
        if (authorization.Length == 0) throw Refuse("MissingAuthenticationTokenException", "Missing Authentication Token");
        if (authorization.StartsWith("Bearer ", StringComparison.Ordinal))
        {
            if (service == "bedrock" && authorization["Bearer ".Length..] == options.AwsToken) return;
            throw Refuse("AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.");
        }

        if (!authorization.StartsWith(Algorithm + " ", StringComparison.Ordinal)) throw Refuse("IncompleteSignatureException", "Authorization header requires a known algorithm.");
        var parts = authorization[(Algorithm.Length + 1)..].Split(',', StringSplitOptions.TrimEntries).Select(part => part.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        var scope = parts["Credential"].Split('/');
        if (scope is not [var key, var day, var region, var named, "aws4_request"] || named != service) throw Refuse("InvalidSignatureException", $"Credential should be scoped to correct service: '{service}'.");
        if (key != options.AwsKeyId) throw Refuse("UnrecognizedClientException", "The security token included in the request is invalid.");
        var date = request.Headers["x-amz-date"].ToString();
        if (!DateTimeOffset.TryParseExact(date, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) || !date.StartsWith(day, StringComparison.Ordinal) || (at - options.Time.GetUtcNow()).Duration() > Skew)
            throw Refuse("InvalidSignatureException", $"Signature expired or not yet current: {date}");

        var hash = Convert.ToHexStringLower(SHA256.HashData(body));
        if (request.Headers["x-amz-content-sha256"].ToString() is { Length: > 0 } said && said != hash) throw Refuse("InvalidSignatureException", "The provided 'x-amz-content-sha256' header does not match what was computed.");
        var signed = parts["SignedHeaders"].Split(';');
        if (!signed.Contains("host")) throw Refuse("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.");
        var canonical = $"{request.Method}\n{Canonical(target)}\n\n{string.Concat(signed.Select(name => $"{name}:{string.Join(',', request.Headers[name].Select(value => value!.Trim()))}\n"))}\n{parts["SignedHeaders"]}\n{hash}";
        var toSign = $"{Algorithm}\n{date}\n{day}/{region}/{service}/aws4_request\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var made = Convert.ToHexStringLower(Mac(Mac(Mac(Mac(Mac(Encoding.UTF8.GetBytes("AWS4" + options.AwsSecret), day), region), service), "aws4_request"), toSign));
        if (made != parts["Signature"]) throw Refuse("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.");
    }

    /// <summary>Every piece of the path is encoded once more than it was sent.</summary>
    private static string Canonical(string target) => string.Join('/', target.Split('/').Select(Uri.EscapeDataString));

    private static byte[] Mac(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));

    private static VendorRefusal Refuse(string type, string message) => new(403, type, message);
}
