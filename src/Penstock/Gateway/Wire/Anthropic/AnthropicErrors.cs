using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary><c>{"type":"error","error":{"type","message"},"request_id"}</c>, the shape every Anthropic client library turns into its own typed error.</summary>
internal sealed class AnthropicErrors : ErrorShape
{
    public static readonly AnthropicErrors Instance = new();

    private const int Overloaded = 529;

    /// <summary>Anthropic says "overloaded" with a status of its own, which its clients retry.</summary>
    public override int StatusOf(Refusal refusal) => refusal.Kind == RefusalKind.Unavailable ? Overloaded : refusal.Status;

    public override void AddHeaders(Refusal refusal, RequestId request, IHeaderDictionary headers)
    {
        headers["request-id"] = request.Value;
        // Client libraries retry every 409, 429 and 5xx twice unless they are told not to.
        if (!refusal.Retryable) headers["x-should-retry"] = "false";
    }

    public override void Write(Refusal refusal, RequestId request, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "error");
        json.WriteStartObject("error");
        json.WriteString("type", TypeOf(refusal.Kind));
        json.WriteString("message", refusal.Message);
        json.WriteEndObject();
        json.WriteString("request_id", request.Value);
        json.WriteEndObject();
    }

    internal static string TypeOf(RefusalKind kind) => kind switch
    {
        RefusalKind.Unauthenticated => "authentication_error",
        RefusalKind.Unaffordable => "billing_error",
        RefusalKind.Forbidden => "permission_error",
        RefusalKind.NotFound => "not_found_error",
        RefusalKind.Conflict => "conflict_error",
        RefusalKind.TooLarge => "request_too_large",
        RefusalKind.Limited => "rate_limit_error",
        RefusalKind.Unavailable => "overloaded_error",
        RefusalKind.ProviderTimedOut => "timeout_error",
        RefusalKind.Broken or RefusalKind.ProviderFailed => "api_error",
        _ => "invalid_request_error",
    };
}
