using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;

namespace Penstock.Upstream.Bedrock;

/// <summary>Bedrock's side of the HTTP conversation: who may come in, headers, error bodies, whole answers. All of an answer is billed, whoever is there to hear it.</summary>
internal sealed class BedrockVendor(UpstreamOptions options, string asked, bool stream, ReadOnlyMemory<byte> body) : IVendor
{
    private const int LargestBody = 20 * 1024 * 1024;

    private readonly Signatures _signatures = new(options);

    public bool BillsOn => true;

    public string StreamType => EventStream.Type;

    public static string TargetOf(HttpRequest request) => request.HttpContext.Features.Get<IHttpRequestFeature>()!.RawTarget;

    public void Authenticate(HttpRequest request)
    {
        _signatures.Check(request, TargetOf(request), body.Span, "bedrock");
        if (body.Length > LargestBody) throw new VendorRefusal(413, "RequestEntityTooLargeException", "Request entity too large");
        if (request.ContentType != "application/json") throw BedrockWording.Refuse("The Content-Type must be application/json");
    }

    public Ask Read(JsonElement json, HttpRequest request) => new BedrockRequest(asked, stream).Read(json);

    public VendorRefusal NotJson() => new(400, "SerializationException", "Unable to parse the request body");

    public void AddHeaders(Exchange exchange) => exchange.Http.Response.Headers["x-amzn-RequestId"] = string.Create(CultureInfo.InvariantCulture, $"00000000-0000-4000-8000-{exchange.Number:d12}");

    public void Mark(VendorRefusal refusal, HttpResponse response) => response.Headers["x-amzn-ErrorType"] = refusal.Type + ":http://internal.amazon.com/coral/com.amazon.bedrock/";

    public byte[] Error(VendorRefusal refusal, int number) => Exchange.Json(json =>
    {
        json.WriteStartObject();
        json.WriteString("message", refusal.Message);
        json.WriteEndObject();
    });

    public VendorRefusal Failure(int status, string model) => status switch
    {
        400 => BedrockWording.Refuse("refused by order of a marker"),
        403 => new VendorRefusal(403, "AccessDeniedException", "You don't have access to the model with the specified model ID."),
        404 => new VendorRefusal(404, "ResourceNotFoundException", "Could not resolve the foundation model from the provided model identifier."),
        408 => new VendorRefusal(408, "ModelTimeoutException", "The request took too long to process."),
        424 => new VendorRefusal(424, "ModelErrorException", "The model returned an error."),
        429 => new VendorRefusal(429, "ThrottlingException", "Too many requests, please wait before trying again."),
        503 => new VendorRefusal(503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
        _ => new VendorRefusal(status, "InternalServerException", "The system encountered an unexpected error during processing. Try your request again."),
    };

    public VendorRefusal QuotaSpent(Marker marker) => marker.Value(0, 429) == 400
        ? new VendorRefusal(400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account.")
        : new VendorRefusal(429, "ThrottlingException", "Too many tokens per day, please wait before trying again.");

    public byte[] Whole(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) => Exchange.Json(json =>
    {
        json.WriteStartObject();
        json.WriteStartObject("metrics");
        json.WriteNumber("latencyMs", 1);
        json.WriteEndObject();
        json.WriteStartObject("output");
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        json.WriteStartArray("content");
        if (answer.TextOf(StepKind.Thinking) is { Length: > 0 } thought) WriteThought(json, thought);
        if (answer.TextOf(StepKind.Text) + answer.TextOf(StepKind.Refusal) is { Length: > 0 } text) WriteText(json, text);
        var calls = answer.CallsOf(0);
        for (var call = 0; call < calls.Count; call++) WriteCall(json, CallId(exchange, call), calls[call].Name, calls[call].Arguments);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        WriteEnding(json, answer);
        if (usage is { } counts) WriteUsage(json, counts);
        json.WriteEndObject();
    });

    public IStreamWriter Stream(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) => new BedrockStream(ask, answer, usage, exchange);

    public static string CallId(Exchange exchange, int call) => string.Create(CultureInfo.InvariantCulture, $"tooluse_{exchange.Number:d8}x{call}");

    public static void WriteEnding(Utf8JsonWriter json, Answer answer)
    {
        json.WriteString("stopReason", answer.Ending switch
        {
            Ending.StopSequence => "stop_sequence",
            Ending.Length => "max_tokens",
            Ending.ToolCalls => "tool_use",
            Ending.Filter => "content_filtered",
            _ => "end_turn",
        });
        if (answer.StopSequence is null) return;
        json.WriteStartObject("additionalModelResponseFields");
        json.WriteString("stop_sequence", answer.StopSequence);
        json.WriteEndObject();
    }

    public static void WriteUsage(Utf8JsonWriter json, BilledTokens counts)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("inputTokens", counts.Input);
        json.WriteNumber("outputTokens", counts.TotalOutput);
        json.WriteNumber("totalTokens", counts.TotalInput + counts.TotalOutput);
        json.WriteNumber("cacheReadInputTokens", counts.CacheRead);
        json.WriteNumber("cacheWriteInputTokens", counts.CacheWrite5m + counts.CacheWrite1h);
        json.WriteStartArray("cacheDetails");
        WriteCacheDetail(json, "5m", counts.CacheWrite5m);
        WriteCacheDetail(json, "1h", counts.CacheWrite1h);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteCacheDetail(Utf8JsonWriter json, string ttl, long tokens)
    {
        if (tokens == 0) return;
        json.WriteStartObject();
        json.WriteString("ttl", ttl);
        json.WriteNumber("inputTokens", tokens);
        json.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    private static void WriteThought(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteStartObject("reasoningContent");
        json.WriteStartObject("reasoningText");
        json.WriteString("text", text);
        json.WriteString("signature", Anthropic.AnthropicVendor.Signature);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteCall(Utf8JsonWriter json, string id, string name, string arguments)
    {
        json.WriteStartObject();
        json.WriteStartObject("toolUse");
        json.WriteString("toolUseId", id);
        json.WriteString("name", name);
        json.WritePropertyName("input");
        json.WriteRawValue(arguments.Length > 0 ? arguments : "{}");
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
