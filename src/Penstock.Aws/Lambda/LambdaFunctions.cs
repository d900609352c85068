using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Amazon.Runtime;
using Penstock.Tools.Functions;

namespace Penstock.Aws.Lambda;

/// <summary>
/// Tools as functions of AWS Lambda, by its Invoke API
/// (<see href="https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"/>), synchronous. A call that may not be repeated is sent once, whatever happens to it.
/// </summary>
/// <param name="credentials">Throws <see cref="AmazonClientException"/> where there are none.</param>
internal sealed class LambdaFunctions(LambdaFunctionOptions options, Func<AWSCredentials> credentials, TimeProvider time) : IToolFunctions, IDisposable
{
    private const int LargestPayload = 6 * 1024 * 1024;
    private const int LargestError = 64 * 1024;
    private const int LongestCode = 100;

    private static readonly TimeSpan Connecting = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ActivityHeadersPropagator = null,
        ConnectTimeout = Connecting,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    });

    // Looked for when the first call needs them: a server that calls no function needs none.
    private readonly Lazy<AWSCredentials> _credentials = new(credentials, LazyThreadSafetyMode.PublicationOnly);

    public async Task<FunctionAnswer> InvokeAsync(FunctionCall call, CancellationToken ct)
    {
        if (call.Payload.Length > LargestPayload) return new FunctionAnswer.NotBegun($"its arguments are larger than the {LargestPayload} bytes that Lambda takes", null);
        var answer = await SendAsync(call, ct);
        if (answer is not FunctionAnswer.Failed || !call.MayRepeat) return answer;
        await Task.Delay(Pause, time, ct);
        return await SendAsync(call, ct);
    }

    public void Dispose() => _http.Dispose();

    private async Task<FunctionAnswer> SendAsync(FunctionCall call, CancellationToken ct)
    {
        try
        {
            using var request = Sign(await _credentials.Value.GetCredentialsAsync(), call);
            using var answer = await _http.SendAsync(request, ct);
            return await ReadAsync(answer, ct);
        }
        catch (AmazonClientException)
        {
            return new FunctionAnswer.NotBegun("this server has no credentials of AWS", null);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError)
        {
            return new FunctionAnswer.NotBegun($"Lambda cannot be reached ({e.HttpRequestError})", null);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new FunctionAnswer.Failed("the connection to Lambda broke off");
        }
    }

    private HttpRequestMessage Sign(ImmutableCredentials identity, FunctionCall call)
    {
        var path = $"/2015-03-31/functions/{Uri.EscapeDataString(call.Function)}/invocations";
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(options.Address, path)) { Content = new ReadOnlyMemoryContent(call.Payload) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Add("X-Amz-Invocation-Type", "RequestResponse");
        RestSignature.AddTo(request, call.Payload.Span, identity, options.Region, "lambda", time.GetUtcNow());
        return request;
    }

    private static async Task<FunctionAnswer> ReadAsync(HttpResponseMessage answer, CancellationToken ct)
    {
        if (answer.StatusCode == HttpStatusCode.OK)
        {
            var payload = await answer.Content.ReadAsByteArrayAsync(ct);
            // Only what kind of error it was: its message and its stack are the function's, and stand in its log.
            return answer.Headers.Contains("X-Amz-Function-Error") ? new FunctionAnswer.Failed($"its function ended with an error ({Text(payload, "errorType") ?? "of no name"})") : new FunctionAnswer.Answered(payload);
        }

        var body = await answer.Content.ReadAsByteArrayAsync(ct);
        var status = (int)answer.StatusCode;
        var code = Code(answer, body.Length <= LargestError ? body : []) is { } name ? $"{status} {name}" : status.ToString(CultureInfo.InvariantCulture);
        // What Lambda refuses, it does not run; of an error of its own nobody knows.
        return status is >= 400 and < 500 ? new FunctionAnswer.NotBegun($"Lambda answered {code}", Wait(answer)) : new FunctionAnswer.Failed($"Lambda answered {code}");
    }

    private static TimeSpan? Wait(HttpResponseMessage answer) => answer.Headers.RetryAfter?.Delta;

    private static string? Code(HttpResponseMessage answer, byte[] body)
    {
        var code = answer.Headers.TryGetValues("x-amzn-ErrorType", out var values) ? values.First().Split(':')[0] : Text(body, "Type") ?? Text(body, "__type");
        return code is { Length: <= LongestCode } && code.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '#') ? code : null;
    }

    private static string? Text(byte[] json, string name)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var text = document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.String ? member.GetString() : null;
            return text is { Length: > 0 and <= LongestCode } ? text : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>Where functions are.</summary>
public sealed record LambdaFunctionOptions
{
    /// <summary>AWS's region; it is part of every signature.</summary>
    public required string Region { get; init; }

    /// <summary>Elsewhere than in the region, such as an emulator; null for the region's own.</summary>
    public Uri? Endpoint { get; init; }

    internal Uri Address => Endpoint ?? new Uri($"https://lambda.{Region}.amazonaws.com{(Region.StartsWith("cn-", StringComparison.Ordinal) ? ".cn" : "")}");
}
