using System.Security.Cryptography;
using System.Xml.Linq;
using Penstock.Aws.Api;
using Penstock.Blobs;
using Penstock.Kernel;

namespace Penstock.Aws.S3;

/// <summary>
/// Objects of a bucket. A put is conditional (<c>If-None-Match: *</c>), so that the bucket decides who was first; each body goes with its SHA-256, which S3
/// holds it against and keeps, and which a read is held against.
/// </summary>
internal sealed class S3BlobStore(AwsClient aws, S3Options options) : IBlobStore
{
    private const string Service = "s3";
    private const string Checksum = "x-amz-checksum-sha256";

    /// <summary>A name that is taken and gone again, over and over, is somebody's error.</summary>
    private const int MostTries = 5;

    /// <summary>Beside the time any call has: 1 MiB a second is little.</summary>
    private const int SlowestBytesASecond = 1024 * 1024;

    private static readonly XNamespace Names = "http://s3.amazonaws.com/doc/2006-03-01/";

    public async Task PutAsync(TenantId tenant, BlobName name, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        var key = BlobKeys.Of(tenant, name);
        for (var tries = 1; ; tries++)
        {
            var put = Request(HttpMethod.Put, key) with { Body = body, Headers = [("if-none-match", "*"), (Checksum, Hash(body))] };
            var answer = await aws.SendAsync(put with { Timeout = put.Timeout + TimeSpan.FromSeconds(body.Length / SlowestBytesASecond) }, ct);
            if (answer.Succeeded) return;
            if (answer.Status != 412) throw AwsClient.Refused(Service, answer);

            // Ours, from a try whose answer was lost, or another's.
            if (await GetAsync(tenant, name, ct) is { } there)
            {
                if (there.Span.SequenceEqual(body.Span)) return;
                throw name.Taken();
            }

            if (tries == MostTries) throw AwsClient.Refused(Service, answer);
        }
    }

    public async Task<ReadOnlyMemory<byte>?> GetAsync(TenantId tenant, BlobName name, CancellationToken ct)
    {
        var get = Request(HttpMethod.Get, BlobKeys.Of(tenant, name)) with { Headers = [("x-amz-checksum-mode", "ENABLED")] };
        var answer = await aws.SendAsync(get with { Timeout = TimeSpan.FromMinutes(2) }, ct);
        if (answer.Status == 404 && AwsClient.Refused(Service, answer) is var refused) return refused.Code == "NoSuchKey" ? null : throw refused;
        if (!answer.Succeeded) throw AwsClient.Refused(Service, answer);
        if (answer.Headers.TryGetValue(Checksum, out var hash) && hash != Hash(answer.Body)) throw new AwsException(Service, "BadDigest", $"'{name}' is not what was put: its checksum differs.", answer.Status);
        return answer.Body;
    }

    public async Task RemoveAsync(TenantId tenant, string folder, CancellationToken ct)
    {
        var prefix = BlobKeys.Of(tenant, folder);
        string? next = null;
        do
        {
            (var keys, next) = await ListAsync(prefix, next, ct);
            if (keys.Count > 0) await DeleteAsync(keys, ct);
        }
        while (next is not null);
    }

    private async Task<(IReadOnlyList<string> Keys, string? Next)> ListAsync(string prefix, string? after, CancellationToken ct)
    {
        var list = Request(HttpMethod.Get, "") with { Query = [("list-type", "2"), ("prefix", prefix), .. after is null ? Array.Empty<(string, string)>() : [("continuation-token", after)]] };
        var answer = await aws.SendAsync(list, ct);
        if (!answer.Succeeded) throw AwsClient.Refused(Service, answer);
        var page = Parse(answer);
        return ([.. page.Elements(Names + "Contents").Select(found => (string)found.Element(Names + "Key")!)], (string?)page.Element(Names + "NextContinuationToken"));
    }

    /// <summary>At most a thousand, as a page has.</summary>
    private async Task DeleteAsync(IReadOnlyList<string> keys, CancellationToken ct)
    {
        var document = new XElement(Names + "Delete", new XElement(Names + "Quiet", "true"), keys.Select(key => new XElement(Names + "Object", new XElement(Names + "Key", key))));
        var body = System.Text.Encoding.UTF8.GetBytes(document.ToString(SaveOptions.DisableFormatting));
        var delete = Request(HttpMethod.Post, "") with { Query = [("delete", "")], Body = body, ContentType = "application/xml", Headers = [(Checksum, Hash(body))] };
        var answer = await aws.SendAsync(delete with { Timeout = TimeSpan.FromMinutes(1) }, ct);
        if (!answer.Succeeded) throw AwsClient.Refused(Service, answer);
        // The answer is 200 also where some were not deleted.
        if (Parse(answer).Element(Names + "Error") is { } error) throw new AwsException(Service, (string?)error.Element(Names + "Code") ?? "Unknown", "not all of the folder was removed", answer.Status);
    }

    /// <summary>By the bucket's own name where it can be part of one, else by path.</summary>
    private AwsRequest Request(HttpMethod method, string key)
    {
        if (aws.Options.Elsewhere(Service) is not { } elsewhere)
        {
            if (!options.Bucket.Contains('.')) return new AwsRequest(Service, method, new Uri($"https://{options.Bucket}.s3.{aws.Options.Region}.{aws.Options.Suffix}"), $"/{key}");
            elsewhere = aws.Options.At(Service);
        }

        return new AwsRequest(Service, method, elsewhere, $"/{options.Bucket}{(key.Length > 0 ? $"/{key}" : "")}");
    }

    private static XElement Parse(AwsAnswer answer) => XDocument.Load(new MemoryStream(answer.Body.ToArray())).Root!;

    private static string Hash(ReadOnlyMemory<byte> body) => Convert.ToBase64String(SHA256.HashData(body.Span));
}
