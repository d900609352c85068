using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.OpenAi;

/// <summary><c>{"error":{"message","type","param","code"}}</c>, with the types and headers the official clients act on.</summary>
internal sealed class OpenAiErrors : ErrorShape
{
    public static readonly OpenAiErrors Instance = new();

    public override void AddHeaders(Refusal refusal, RequestId request, IHeaderDictionary headers)
    {
        // The official clients retry 408, 409, 429 and 5xx on their own unless told not to. A spent budget is no 429, but other
        // clients treat 402 as they please, so it is said there too.
        if (!refusal.Retryable && refusal.Status is 402 or 408 or 409 or 429 or >= 500) headers["x-should-retry"] = "false";

        // They read this before Retry-After, which counts whole seconds only.
        if (refusal.RetryAfter is { } wait && wait > TimeSpan.Zero)
            headers["retry-after-ms"] = ((long)Math.Ceiling(wait.TotalMilliseconds)).ToString(CultureInfo.InvariantCulture);
    }

    public override void Write(Refusal refusal, RequestId request, Utf8JsonWriter json) => Write(refusal, json);

    /// <summary>The same object stands in a stream's error frame.</summary>
    public static void Write(Refusal refusal, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteStartObject("error");
        json.WriteString("message", refusal.Message);
        json.WriteString("type", TypeOf(refusal.Kind));
        json.WriteString("param", refusal.Field is { Length: > 0 } field ? field : null);
        json.WriteString("code", CodeOf(refusal));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static string TypeOf(RefusalKind kind) => kind switch
    {
        RefusalKind.Unauthenticated => "authentication_error",
        RefusalKind.Unaffordable => "insufficient_quota",
        RefusalKind.Forbidden => "permission_error",
        RefusalKind.Limited => "rate_limit_exceeded",
        >= RefusalKind.Broken => "server_error",
        _ => "invalid_request_error",
    };

    // Where clients look for a certain code, they get it; elsewhere our own, which says more.
    private static string CodeOf(Refusal refusal) => refusal.Kind switch
    {
        RefusalKind.Unauthenticated => "invalid_api_key",
        RefusalKind.Unaffordable => "budget_exceeded",
        RefusalKind.Limited => "rate_limit_exceeded",
        _ => refusal.Code,
    };
}
