using System.Globalization;
using System.Text.Json;

namespace Penstock.Upstream.Anthropic;

/// <summary>Anthropic's side of the HTTP conversation: key, version, headers, error bodies, whole answers.</summary>
internal sealed class AnthropicVendor(IReadOnlyList<Model> models, IReadOnlyList<string> keys) : IVendor
{
    /// <summary>Signs every thinking block; one that comes back with another is refused.</summary>
    public const string Signature = "c2lnbmVkIGJ5IHRoZSBzdGFuZC1pbg==";

    private readonly AnthropicRequest _requests = new(models);

    public void Authenticate(HttpRequest request)
    {
        var key = request.Headers["x-api-key"].ToString();
        var bearer = request.Headers.Authorization.ToString();
        if (key.Length == 0 && bearer.StartsWith("Bearer ", StringComparison.Ordinal)) key = bearer["Bearer ".Length..];
        if (key.Length == 0) throw new VendorRefusal(401, "authentication_error", "x-api-key header is required");
        if (!keys.Contains(key)) throw new VendorRefusal(401, "authentication_error", "invalid x-api-key");
        var version = VersionOf(request);
        if (version.Length == 0) throw AnthropicWording.Refuse("anthropic-version: header is required");
        if (version is not (AnthropicRequest.Version2023 or AnthropicRequest.Version2026)) throw AnthropicWording.Refuse($"anthropic-version: \"{version}\" is not a valid version");
        if (HttpMethods.IsPost(request.Method) && request.ContentType?.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) != true)
            throw AnthropicWording.Refuse("content-type: should be application/json");
    }

    public Ask Read(JsonElement body, HttpRequest request) => _requests.Read(body, VersionOf(request), count: false);

    public VendorRefusal NotJson() => AnthropicWording.Refuse("The request body is not valid JSON.");

    public void AddHeaders(Exchange exchange)
    {
        var headers = exchange.Http.Response.Headers;
        headers["request-id"] = RequestId(exchange.Number);
        headers["anthropic-organization-id"] = "4f0d4a1e-0000-4000-8000-000000000000";
        foreach (var (kind, limit) in (ReadOnlySpan<(string, int)>)[("requests", 4_000), ("tokens", 480_000), ("input-tokens", 400_000), ("output-tokens", 80_000)])
        {
            headers[$"anthropic-ratelimit-{kind}-limit"] = limit.ToString(CultureInfo.InvariantCulture);
            headers[$"anthropic-ratelimit-{kind}-remaining"] = (limit - 1).ToString(CultureInfo.InvariantCulture);
            headers[$"anthropic-ratelimit-{kind}-reset"] = exchange.Now.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        }
    }

    public byte[] Error(VendorRefusal refusal, int number) => Exchange.Json(json =>
    {
        json.WriteStartObject();
        json.WriteString("type", "error");
        WriteErrorDetail(json, refusal);
        json.WriteString("request_id", RequestId(number));
        json.WriteEndObject();
    });

    public VendorRefusal Failure(int status, string model) => status switch
    {
        400 => AnthropicWording.Refuse("messages: refused by order of a marker"),
        401 => new VendorRefusal(401, "authentication_error", "invalid x-api-key"),
        402 => new VendorRefusal(402, "billing_error", "Your account has a billing problem. Please check your payment details."),
        403 => new VendorRefusal(403, "permission_error", "Your API key does not have permission to use the specified resource."),
        404 => new VendorRefusal(404, "not_found_error", $"model: {model}"),
        413 => new VendorRefusal(413, "request_too_large", "Request exceeds the maximum size"),
        429 => new VendorRefusal(429, "rate_limit_error", "This request would exceed your organization's rate limit of 50 requests per minute."),
        529 => Overloaded(),
        _ => new VendorRefusal(status, "api_error", "Internal server error"),
    };

    public VendorRefusal QuotaSpent(Marker marker) => marker.Value(0, 402) == 400
        ? AnthropicWording.Refuse("Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.")
        : Failure(402, "");

    public byte[] Whole(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) => Exchange.Json(json =>
    {
        json.WriteStartObject();
        WriteHead(json, ask, exchange);
        json.WriteStartArray("content");
        if (answer.TextOf(StepKind.Thinking) is { Length: > 0 } thought) WriteThinking(json, thought, Signature);
        if (answer.TextOf(StepKind.Text) + answer.TextOf(StepKind.Refusal) is { Length: > 0 } text) WriteText(json, text);
        var calls = answer.CallsOf(0);
        for (var call = 0; call < calls.Count; call++) WriteCall(json, CallId(exchange, call), calls[call].Name, calls[call].Arguments);
        json.WriteEndArray();
        WriteEnding(json, answer);
        if (usage is { } counts) WriteUsage(json, counts, counts.TotalOutput);
        if (ask.Has("unknown-event")) json.WriteString("added_later", "kept");
        json.WriteEndObject();
    });

    public IStreamWriter Stream(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) => new AnthropicStream(ask, answer, usage, exchange);

    /// <summary><c>/v1/messages/count_tokens</c>.</summary>
    public async Task CountAsync(Exchange exchange, ReadOnlyMemory<byte> body)
    {
        AddHeaders(exchange);
        try
        {
            Authenticate(exchange.Http.Request);
            using var document = JsonDocument.Parse(body);
            var ask = _requests.Read(document.RootElement, VersionOf(exchange.Http.Request), count: true);
            exchange.Note(call => call with { Model = ask.Model.Name });
            if (ask.Find("status") is { } order) throw Failure(order.Value(0, 500), ask.Model.Name);
            exchange.Close(SeenOutcome.Answered);
            await exchange.SendAsync(200, Exchange.Json(json =>
            {
                json.WriteStartObject();
                json.WriteNumber("input_tokens", ask.InputTokens);
                json.WriteEndObject();
            }));
        }
        catch (Exception e) when (e is VendorRefusal or JsonException)
        {
            var refusal = e as VendorRefusal ?? NotJson();
            exchange.Http.Response.StatusCode = refusal.Status;
            exchange.Close(SeenOutcome.Refused);
            await exchange.SendAsync(refusal.Status, Error(refusal, exchange.Number));
        }
    }

    public static VendorRefusal Overloaded() => new(529, "overloaded_error", "Overloaded");

    public static void WriteErrorDetail(Utf8JsonWriter json, VendorRefusal refusal)
    {
        json.WriteStartObject("error");
        json.WriteString("type", refusal.Type);
        json.WriteString("message", refusal.Message);
        json.WriteEndObject();
    }

    public static void WriteHead(Utf8JsonWriter json, Ask ask, Exchange exchange)
    {
        json.WriteString("model", ask.Model.Name);
        json.WriteString("id", string.Create(CultureInfo.InvariantCulture, $"msg_{exchange.Number:d8}"));
        json.WriteString("type", "message");
        json.WriteString("role", "assistant");
    }

    public static void WriteEnding(Utf8JsonWriter json, Answer answer)
    {
        json.WriteString("stop_reason", answer.Ending switch
        {
            Ending.StopSequence => "stop_sequence",
            Ending.Length => "max_tokens",
            Ending.ToolCalls => "tool_use",
            Ending.Refusal or Ending.Filter => "refusal",
            _ => "end_turn",
        });
        json.WriteString("stop_sequence", answer.StopSequence);
    }

    public static string CallId(Exchange exchange, int call) => string.Create(CultureInfo.InvariantCulture, $"toolu_{exchange.Number:d8}x{call}");

    public static void WriteThinking(Utf8JsonWriter json, string text, string signature)
    {
        json.WriteStartObject();
        json.WriteString("type", "thinking");
        json.WriteString("thinking", text);
        json.WriteString("signature", signature);
        json.WriteEndObject();
    }

    public static void WriteText(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type", "text");
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    public static void WriteCall(Utf8JsonWriter json, string id, string name, string arguments)
    {
        json.WriteStartObject();
        json.WriteString("type", "tool_use");
        json.WriteString("id", id);
        json.WriteString("name", name);
        json.WritePropertyName("input");
        json.WriteRawValue(arguments.Length > 0 ? arguments : "{}");
        json.WriteEndObject();
    }

    public static void WriteUsage(Utf8JsonWriter json, BilledTokens counts, long output)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("input_tokens", counts.Input);
        json.WriteNumber("cache_creation_input_tokens", counts.CacheWrite5m + counts.CacheWrite1h);
        json.WriteNumber("cache_read_input_tokens", counts.CacheRead);
        json.WriteStartObject("cache_creation");
        json.WriteNumber("ephemeral_5m_input_tokens", counts.CacheWrite5m);
        json.WriteNumber("ephemeral_1h_input_tokens", counts.CacheWrite1h);
        json.WriteEndObject();
        json.WriteNumber("output_tokens", output);
        WriteThinkingTokens(json, counts);
        json.WriteString("service_tier", "standard");
        json.WriteEndObject();
    }

    public static void WriteThinkingTokens(Utf8JsonWriter json, BilledTokens counts)
    {
        if (counts.Reasoning == 0) return;
        json.WriteStartObject("output_tokens_details");
        json.WriteNumber("thinking_tokens", counts.Reasoning);
        json.WriteEndObject();
    }

    private static string VersionOf(HttpRequest request) => request.Headers["anthropic-version"].ToString();

    private static string RequestId(int number) => string.Create(CultureInfo.InvariantCulture, $"req_anthropic{number:d8}");
}
