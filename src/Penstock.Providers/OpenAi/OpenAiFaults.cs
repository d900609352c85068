using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.Gateway;

namespace Penstock.Providers.OpenAi;

/// <summary>
/// Turns OpenAI's error objects, and what compatible servers send in their place, into a <see cref="ProviderException"/>
/// (https://platform.openai.com/docs/guides/error-codes).
/// </summary>
internal sealed partial class OpenAiFaults(string provider, string? apiKey, TimeProvider time)
{
    private const int LongestMessage = 1000;
    private const int LongestCode = 100;
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    /// <summary>An answer that is no success.</summary>
    public ProviderException OfAnswer(int status, ReadOnlyMemory<byte> body, HttpResponseHeaders headers)
    {
        var error = Read(body);
        return Make(FaultOf(status, error), error, status, RetryAfter(headers));
    }

    /// <summary>An error object inside a stream that began as a success; some servers put an HTTP status in its code.</summary>
    public ProviderException InBand(JsonElement error)
    {
        var told = Describe(error);
        var status = int.TryParse(told.Code, NumberStyles.None, CultureInfo.InvariantCulture, out var code) && code is >= 400 and < 600 ? code : (int?)null;
        return Make(FaultOf(status ?? 500, told), told, status, null);
    }

    public ProviderException Broken(string what, Exception? inner = null) => new(ProviderFault.Broken, $"Provider '{provider}' {what}.", inner: inner);

    public ProviderException CutShort() => new(ProviderFault.CutShort, $"Provider '{provider}' broke off before its answer was complete.");

    private ProviderException Make(ProviderFault fault, Told error, int? status, TimeSpan? wait)
    {
        // What a provider says about a refused key may repeat it, and is the operator's affair.
        var message = fault == ProviderFault.Unauthorized
            ? $"Provider '{provider}' refused its credentials{(status is null ? "" : $" ({status})")}. Check the API key configured for it and what that key may use."
            : error.Message is { Length: > 0 } own
                ? own
                : status is null ? $"Provider '{provider}' reported an error in its stream." : $"Provider '{provider}' answered with status {status}.";
        return new ProviderException(fault, message, status, error.Code, error.Param, wait);
    }

    private static ProviderFault FaultOf(int status, Told error) => (status, error.Code, error.Type) switch
    {
        (402, _, _) => ProviderFault.QuotaSpent,
        (401 or 403, _, _) => ProviderFault.Unauthorized,
        (429 or 500, "insufficient_quota" or "billing_hard_limit_reached" or "billing_not_active", _) or (429 or 500, _, "insufficient_quota") => ProviderFault.QuotaSpent,
        (429, _, _) => ProviderFault.Limited,
        (404, _, _) or (400 or 500, "model_not_found", _) => ProviderFault.ModelUnknown,
        (408 or 504, _, _) => ProviderFault.TimedOut,
        (503 or 529, _, _) => ProviderFault.Overloaded,
        (409, _, _) => ProviderFault.Broken,
        (>= 400 and < 500, _, _) => ProviderFault.Rejected,
        (500, var code, var type) => ByName(code) ?? ByName(type) ?? ProviderFault.Broken,
        _ => ProviderFault.Broken,
    };

    /// <summary>Only a name tells what an error in a stream is.</summary>
    private static ProviderFault? ByName(string? name) => name switch
    {
        "rate_limit_exceeded" or "rate_limit_error" or "requests" or "tokens" => ProviderFault.Limited,
        "invalid_api_key" or "authentication_error" or "permission_error" => ProviderFault.Unauthorized,
        "invalid_request_error" or "context_length_exceeded" or "BadRequestError" => ProviderFault.Rejected,
        "overloaded" or "overloaded_error" or "service_unavailable" or "server_overloaded" => ProviderFault.Overloaded,
        "timeout" or "timeout_error" => ProviderFault.TimedOut,
        _ => null,
    };

    private Told Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0) root = root[0];
            return Describe(OpenAiText.Member(root, "error") ?? root);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // A page of a proxy says nothing to a client; a line of text may.
            var text = Encoding.UTF8.GetString(body.Span).Trim();
            return new Told(text.StartsWith('<') ? null : Fit(text, LongestMessage), null, null, null);
        }
    }

    private Told Describe(JsonElement error)
    {
        if (error.ValueKind == JsonValueKind.String) return new Told(Fit(OpenAiText.Of(error), LongestMessage), null, null, null);
        var message = OpenAiText.String(error, "message") ?? OpenAiText.String(error, "detail");
        var code = OpenAiText.Member(error, "code") is { ValueKind: JsonValueKind.Number } number ? number.GetRawText() : OpenAiText.String(error, "code");
        return new Told(Fit(message, LongestMessage), Fit(OpenAiText.String(error, "type"), LongestCode), Fit(code, LongestCode), Fit(OpenAiText.String(error, "param"), LongestCode));
    }

    private string? Fit(string? text, int longest)
    {
        if (string.IsNullOrWhiteSpace(text)) return null;
        var masked = Keys().Replace(apiKey is { Length: > 0 } ? text.Replace(apiKey, "***", StringComparison.Ordinal) : text, "***");
        if (masked.Length <= longest) return masked;
        return string.Concat(masked.AsSpan(0, char.IsHighSurrogate(masked[longest - 2]) ? longest - 2 : longest - 1), "…");
    }

    private TimeSpan? RetryAfter(HttpResponseHeaders headers)
    {
        if (First(headers, "retry-after-ms") is { } ms && double.TryParse(ms, NumberStyles.Float, CultureInfo.InvariantCulture, out var milliseconds))
            return Wait(milliseconds);
        if (First(headers, "Retry-After") is not { } after) return null;
        if (double.TryParse(after, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)) return Wait(seconds * 1000);
        return DateTimeOffset.TryParse(after, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            ? Wait((at - time.GetUtcNow()).TotalMilliseconds)
            : null;
    }

    private static TimeSpan? Wait(double milliseconds) =>
        milliseconds > 0 ? TimeSpan.FromMilliseconds(Math.Min(milliseconds, LongestWait.TotalMilliseconds)) : null;

    private static string? First(HttpResponseHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out var values) && values.Count > 0 ? values.First() : null;

    [GeneratedRegex(@"(?:\bsk-|\bgsk_|\bxai-|\bAIza|\bBearer\s+)[A-Za-z0-9_*.\-]{4,}", RegexOptions.CultureInvariant)]
    private static partial Regex Keys();

    private readonly record struct Told(string? Message, string? Type, string? Code, string? Param);
}
