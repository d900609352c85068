using System.Text;
using System.Text.Json;
using Penstock.Aws.EventStreams;
using Penstock.Gateway;
using Penstock.Providers.Http;

namespace Penstock.Aws.Bedrock;

/// <summary>
/// Errors of Bedrock's and SageMaker's runtimes as provider faults, whether they come as a status or as a message of a stream
/// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors).
/// </summary>
internal sealed class BedrockFaults(string provider, TimeProvider time)
{
    private const int LongestMessage = 1000;

    public async Task<ProviderException> OfAnswerAsync(UpstreamAnswer answer, CancellationToken ct)
    {
        var (type, said) = Parse(await ErrorAsync(answer, ct));
        if (answer.Headers.TryGetValues("x-amzn-errortype", out var named)) type = named.First();
        // The type may have a namespace before it and an address behind it.
        type = type?.Split('#')[^1].Split(':')[0];
        return Make(FaultOf(type, answer.Status, said), answer.Status, type, said, RetryAfter(answer));
    }

    /// <summary>An exception that a stream carries has no status of its own, but its type has one.</summary>
    public ProviderException InStream(EventFrame frame)
    {
        var said = frame.ErrorMessage ?? Parse(frame.Payload).Said;
        var type = frame.Name.Length > 0 ? char.ToUpperInvariant(frame.Name[0]) + frame.Name[1..] : null;
        var status = StatusOf(type);
        return Make(FaultOf(type, status, said), status, type, said, null);
    }

    public ProviderException Broken(string what, Exception? inner = null) => new(ProviderFault.Broken, $"Provider '{provider}' {what}.", inner: inner);

    public ProviderException CutShort() => new(ProviderFault.CutShort, $"Provider '{provider}' ended its stream before its answer was complete.");

    private ProviderException Make(ProviderFault fault, int status, string? type, string? said, TimeSpan? wait)
    {
        var message = fault switch
        {
            // What is said of a refused signature tells how it was made.
            ProviderFault.Unauthorized => $"Provider '{provider}' refused our credentials ({type ?? status.ToString(System.Globalization.CultureInfo.InvariantCulture)}); whoever operates this server must check them, and whether they may call the model.",
            _ when !string.IsNullOrWhiteSpace(said) => $"Provider '{provider}': {Fit(said)}",
            _ => $"Provider '{provider}' answered with {type ?? $"status {status}"} and did not say why.",
        };
        return new ProviderException(fault, message, status, type, retryAfter: wait);
    }

    private static ProviderFault FaultOf(string? type, int status, string? said) => type switch
    {
        "ThrottlingException" when Says(said, "per day") => ProviderFault.QuotaSpent,
        "ThrottlingException" or "TooManyRequestsException" => ProviderFault.Limited,
        "ServiceQuotaExceededException" => ProviderFault.QuotaSpent,
        "ModelNotReadyException" or "ServiceUnavailableException" or "ServiceUnavailable" => ProviderFault.Overloaded,
        "ModelTimeoutException" => ProviderFault.TimedOut,
        "ResourceNotFoundException" => ProviderFault.ModelUnknown,
        "ValidationException" when Says(said, "model identifier is invalid") || Says(said, "on-demand throughput") => ProviderFault.ModelUnknown,
        // SageMaker's word for an endpoint that is not there.
        "ValidationError" when Says(said, "not found") => ProviderFault.ModelUnknown,
        "ValidationException" or "ValidationError" => ProviderFault.Rejected,
        "ModelErrorException" or "ModelError" or "ModelStreamErrorException" or "ModelStreamError" or "InternalServerException" or "InternalFailure" or "InternalStreamFailure" => ProviderFault.Broken,
        _ => OfStatus(status),
    };

    private static bool Says(string? said, string what) => said?.Contains(what, StringComparison.OrdinalIgnoreCase) == true;

    private static ProviderFault OfStatus(int status) => status switch
    {
        401 or 403 => ProviderFault.Unauthorized,
        404 => ProviderFault.ModelUnknown,
        408 or 504 => ProviderFault.TimedOut,
        424 => ProviderFault.Broken,
        429 => ProviderFault.Limited,
        503 => ProviderFault.Overloaded,
        >= 400 and < 500 => ProviderFault.Rejected,
        _ => ProviderFault.Broken,
    };

    private static int StatusOf(string? type) => type switch
    {
        "ThrottlingException" => 429,
        "ValidationException" => 400,
        "ServiceUnavailableException" => 503,
        "ModelTimeoutException" => 408,
        "ModelStreamErrorException" => 424,
        _ => 500,
    };

    private TimeSpan? RetryAfter(UpstreamAnswer answer)
    {
        var asked = answer.Headers.RetryAfter;
        var wait = asked?.Delta ?? asked?.Date - time.GetUtcNow();
        return wait > TimeSpan.Zero ? wait : null;
    }

    private static async Task<ReadOnlyMemory<byte>> ErrorAsync(UpstreamAnswer answer, CancellationToken ct)
    {
        try
        {
            return await answer.ReadErrorAsync(ct);
        }
        catch (ProviderException)
        {
            // The status says what kind of failure it is, whether or not its explanation arrived.
            return default;
        }
    }

    private static (string? Type, string? Said) Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return (Text(json.RootElement, "__type") ?? Text(json.RootElement, "code"), Text(json.RootElement, "message") ?? Text(json.RootElement, "Message"));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // A proxy on the way answers in HTML, which is no message for a client.
            return (null, null);
        }
    }

    private static string? Text(JsonElement error, string name) =>
        error.ValueKind == JsonValueKind.Object && error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string Fit(string said)
    {
        if (said.Length <= LongestMessage) return said;
        var cut = char.IsHighSurrogate(said[LongestMessage - 2]) ? LongestMessage - 2 : LongestMessage - 1;
        return new StringBuilder(said, 0, cut, LongestMessage).Append('…').ToString();
    }
}
