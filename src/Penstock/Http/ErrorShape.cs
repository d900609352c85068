using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Penstock.Kernel;

namespace Penstock.Http;

/// <summary>How a route writes a refusal. Put on an endpoint as metadata; <see cref="ProblemShape"/> where there is none.</summary>
internal abstract class ErrorShape
{
    public virtual string ContentType => "application/json";

    /// <summary>Most dialects use the refusal's own status.</summary>
    public virtual int StatusOf(Refusal refusal) => refusal.Status;

    public virtual void AddHeaders(Refusal refusal, RequestId request, IHeaderDictionary headers)
    {
    }

    public abstract void Write(Refusal refusal, RequestId request, Utf8JsonWriter json);
}

/// <summary>RFC 9457 with <c>code</c>, <c>field</c> and <c>request_id</c>.</summary>
internal sealed class ProblemShape : ErrorShape
{
    public static readonly ProblemShape Instance = new();

    public override string ContentType => "application/problem+json";

    public override void Write(Refusal refusal, RequestId request, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "about:blank");
        json.WriteString("title", Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(refusal.Status));
        json.WriteNumber("status", refusal.Status);
        json.WriteString("detail", refusal.Message);
        json.WriteString("code", refusal.Code);
        if (refusal.Field is { Length: > 0 } field) json.WriteString("field", field);
        json.WriteString("request_id", request.Value);
        json.WriteEndObject();
    }
}
