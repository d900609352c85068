using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.Gateway;
using Penstock.Providers.Http;

namespace Penstock.Providers.Anthropic;

/// <summary>Anthropic's errors as provider faults.</summary>
internal sealed partial class AnthropicFailures(ProviderSettings settings, TimeProvider time)
{
    private const int MaxMessage = 1000;

    public async Task<ProviderException> OfStatusAsync(UpstreamAnswer answer, CancellationToken ct)
    {
        var (type, said) = Parse(await answer.ReadErrorAsync(ct));
        var fault = OfStatus(answer.Status, type, said);
        return Make(fault, said, answer.Status, type, RetryAfter(answer));
    }

    /// <summary>An <c>error</c> event, or an error in the place of an answer: there is no status to go by.</summary>
    public ProviderException InBand(JsonElement body)
    {
        var (type, said) = Parse(body);
        return Make(OfType(type, said), said, null, type, null);
    }

    private ProviderException Make(ProviderFault fault, string? said, int? status, string? type, TimeSpan? retryAfter)
    {
        var message = fault switch
        {
            ProviderFault.Unauthorized => $"Provider '{settings.Name}' refused our credentials{(status is null ? "" : $" ({status})")}; whoever operates this server must check its API key.",
            _ when said is { Length: > 0 } => $"Provider '{settings.Name}': {Bounded(said)}",
            _ => $"Provider '{settings.Name}' answered with {(status is null ? "an error" : $"status {status}")} and did not say why.",
        };
        return new ProviderException(fault, message, status, type, retryAfter: retryAfter);
    }

    private static ProviderFault OfStatus(int status, string? type, string? said) => status switch
    {
        _ when IsSpent(type, said) => ProviderFault.QuotaSpent,
        401 or 403 => ProviderFault.Unauthorized,
        402 => ProviderFault.QuotaSpent,
        404 => ProviderFault.ModelUnknown,
        408 or 504 => ProviderFault.TimedOut,
        429 => ProviderFault.Limited,
        503 or 529 => ProviderFault.Overloaded,
        >= 400 and < 500 => ProviderFault.Rejected,
        _ => ProviderFault.Broken,
    };

    private static ProviderFault OfType(string? type, string? said) => type switch
    {
        _ when IsSpent(type, said) => ProviderFault.QuotaSpent,
        "overloaded_error" => ProviderFault.Overloaded,
        "rate_limit_error" => ProviderFault.Limited,
        "timeout_error" => ProviderFault.TimedOut,
        "authentication_error" or "permission_error" => ProviderFault.Unauthorized,
        "not_found_error" => ProviderFault.ModelUnknown,
        "invalid_request_error" or "request_too_large" => ProviderFault.Rejected,
        _ => ProviderFault.Broken,
    };

    /// <summary>An account without credit, or at the limit it set itself, is told so with a 400 of the general type.</summary>
    private static bool IsSpent(string? type, string? said) => type == "billing_error" || (type == "invalid_request_error" && said is not null &&
        (said.Contains("credit balance is too low", StringComparison.OrdinalIgnoreCase) || said.Contains("reached your specified API usage limits", StringComparison.OrdinalIgnoreCase)));

    private TimeSpan? RetryAfter(UpstreamAnswer answer)
    {
        var asked = answer.Headers.RetryAfter;
        var wait = asked?.Delta ?? asked?.Date - time.GetUtcNow();
        return wait > TimeSpan.Zero ? wait : null;
    }

    private static (string? Type, string? Said) Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return Parse(json.RootElement);
        }
        catch (JsonException)
        {
            // A proxy on the way answers in HTML, which is no message for a client.
            return (null, null);
        }
    }

    private static (string? Type, string? Said) Parse(JsonElement body) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object
            ? (Text(error, "type"), Text(error, "message"))
            : (null, null);

    private static string? Text(JsonElement error, string name)
    {
        try
        {
            return error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair is no text.
            return null;
        }
    }

    /// <summary>Fit to show: no key, and no more than a client can use.</summary>
    private string Bounded(string said)
    {
        var masked = VendorKey().Replace(said, "sk-ant-…");
        if (settings.ApiKey is { Length: > 0 } key) masked = masked.Replace(key, "…", StringComparison.Ordinal);
        if (masked.Length <= MaxMessage) return masked;
        var cut = char.IsHighSurrogate(masked[MaxMessage - 2]) ? MaxMessage - 2 : MaxMessage - 1;
        return new StringBuilder(masked, 0, cut, MaxMessage).Append('…').ToString();
    }

    [GeneratedRegex("sk-ant-[A-Za-z0-9_-]+")]
    private static partial Regex VendorKey();
}
