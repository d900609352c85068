using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text.Json;
using System.Xml;
using System.Xml.Linq;
using Amazon.Runtime;
using Amazon.Runtime.Credentials;

namespace Penstock.Aws.Api;

/// <summary>
/// Signed calls of services whose SDK is more than we need. What AWS refuses because it is busy, and what it does not answer, is tried again after a
/// random wait below a bound that doubles, so that every call may happen twice; anything else it refuses is an <see cref="AwsException"/>.
/// </summary>
internal sealed class AwsClient : IDisposable
{
    private const int MostTries = 5;
    private const int FirstWaitMilliseconds = 50;
    private const int LongestWaitMilliseconds = 2_000;

    private static readonly FrozenSet<string> Busy = FrozenSet.Create(
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
        "SlowDown", "ServiceUnavailable", "RequestTimeout", "KMSInternalException", "InternalFailure", "InternalError", "ConditionalRequestConflict", "OverLimit");

    private readonly HttpMessageInvoker _http;
    private readonly AwsOptions _options;
    private readonly Lazy<AWSCredentials> _credentials;
    private readonly TimeProvider _time;

    /// <param name="credentials">Null for AWS's standard chain, which is asked when the first call needs it.</param>
    public AwsClient(AwsOptions options, TimeProvider time, AWSCredentials? credentials = null, HttpMessageHandler? http = null)
    {
        (_options, _time) = (options, time);
        _credentials = new Lazy<AWSCredentials>(() => credentials ?? DefaultAWSCredentialsIdentityResolver.GetCredentials(), LazyThreadSafetyMode.PublicationOnly);
        _http = new HttpMessageInvoker(http ?? new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
            ConnectTimeout = TimeSpan.FromSeconds(3),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        });
    }

    public AwsOptions Options => _options;

    /// <summary>A call of a service that speaks AWS's JSON protocol; the answer's document is the caller's to dispose.</summary>
    /// <param name="target">Such as <c>AmazonSQS.SendMessage</c>.</param>
    public async Task<JsonDocument> CallAsync(JsonService service, string target, Action<Utf8JsonWriter> write, CancellationToken ct, TimeSpan? waits = null)
    {
        var body = new MemoryStream();
        await using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        var request = new AwsRequest(service.Name, HttpMethod.Post, _options.At(service.Name), "/")
        {
            Headers = [("x-amz-target", $"{service.Prefix}.{target}")],
            ContentType = $"application/x-amz-json-{service.Version}",
            Body = body.ToArray(),
        };
        var answer = await SendAsync(waits is { } longer ? request with { Timeout = request.Timeout + longer } : request, ct);
        if (!answer.Succeeded) throw Refused(service.Name, answer);
        return Parse(service, answer);
    }

    /// <summary>Any answer that another try would not change.</summary>
    public async Task<AwsAnswer> SendAsync(AwsRequest request, CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            AwsAnswer? answer = null;
            try
            {
                answer = await TryAsync(request, ct);
                if (tries == MostTries || !IsBusy(answer)) return answer;
            }
            catch (Exception e) when (tries < MostTries && e is HttpRequestException or IOException or TimeoutException)
            {
                // Tried again below.
            }
            catch (HttpRequestException e)
            {
                throw new AwsException(request.Service, "Unreachable", e.Message, 0, e);
            }
            catch (Exception e) when (e is TimeoutException or IOException)
            {
                throw new AwsException(request.Service, "TimedOut", e.Message, 0, e);
            }

            var bound = Math.Min(LongestWaitMilliseconds, FirstWaitMilliseconds << tries);
            await Task.Delay(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(1, bound + 1)), _time, ct);
        }
    }

    public static AwsException Refused(string service, AwsAnswer answer)
    {
        var (code, message) = Error(answer);
        return new AwsException(service, code, message, answer.Status);
    }

    public void Dispose() => _http.Dispose();

    private static JsonDocument Parse(JsonService service, AwsAnswer answer)
    {
        try
        {
            var json = JsonDocument.Parse(answer.Body.Length > 0 ? answer.Body : "{}"u8.ToArray());
            if (json.RootElement.ValueKind == JsonValueKind.Object) return json;
            json.Dispose();
            throw new AwsException(service.Name, "BadAnswer", "The answer is no object.", answer.Status);
        }
        catch (JsonException e)
        {
            throw new AwsException(service.Name, "BadAnswer", "The answer is no JSON.", answer.Status, e);
        }
    }

    private async Task<AwsAnswer> TryAsync(AwsRequest request, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(request.Timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            var credentials = await CredentialsAsync(request.Service);
            // Signed anew each time: a signature is good for five minutes.
            using var message = Signature.Sign(request, credentials, _options.Region, _time.GetUtcNow());
            using var answer = await _http.SendAsync(message, either.Token);
            var body = await answer.Content.ReadAsByteArrayAsync(either.Token);
            var headers = answer.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => string.Join(',', header.Value));
            return new AwsAnswer((int)answer.StatusCode, body, headers);
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new TimeoutException($"no answer within {request.Timeout.TotalSeconds:0} s", e);
        }
    }

    private async Task<ImmutableCredentials> CredentialsAsync(string service)
    {
        try
        {
            return await _credentials.Value.GetCredentialsAsync();
        }
        catch (Exception e) when (e is AmazonClientException or AmazonServiceException)
        {
            throw new AwsException(service, "NoCredentials", e.Message, 0, e);
        }
    }

    private static bool IsBusy(AwsAnswer answer) => !answer.Succeeded && (answer.Status is 429 or >= 500 || Busy.Contains(Error(answer).Code));

    /// <summary>Of both protocols; codes may have a namespace before them.</summary>
    private static (string Code, string Message) Error(AwsAnswer answer)
    {
        var (code, message) = (answer.Headers.GetValueOrDefault("x-amzn-errortype")?.Split(':')[0], "");
        try
        {
            if (answer.Body.Span.TrimStart(" \r\n"u8).StartsWith("<"u8))
            {
                var error = XDocument.Load(new MemoryStream(answer.Body.ToArray())).Root;
                (code, message) = (error?.Element("Code")?.Value ?? code, error?.Element("Message")?.Value ?? "");
            }
            else if (answer.Body.Length > 0)
            {
                using var json = JsonDocument.Parse(answer.Body);
                (code, message) = (Text(json, "__type") ?? Text(json, "code") ?? code, Text(json, "message") ?? Text(json, "Message") ?? "");
            }
        }
        catch (Exception e) when (e is JsonException or XmlException)
        {
            message = "The answer is none of AWS's.";
        }

        return (code?.Split('#')[^1] ?? $"Http{answer.Status}", message);
    }

    private static string? Text(JsonDocument json, string name) =>
        json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>A service of AWS's JSON protocol.</summary>
/// <param name="Name">As a signature and an address name it.</param>
/// <param name="Prefix">What stands before an operation's name.</param>
internal sealed record JsonService(string Name, string Prefix, string Version)
{
    public static readonly JsonService Sqs = new("sqs", "AmazonSQS", "1.0");
    public static readonly JsonService Ssm = new("ssm", "AmazonSSM", "1.1");
    public static readonly JsonService Secrets = new("secretsmanager", "secretsmanager", "1.1");
    public static readonly JsonService Kms = new("kms", "TrentService", "1.1");
}
