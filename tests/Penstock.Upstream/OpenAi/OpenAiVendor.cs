using System.Globalization;
using System.Text.Json;

namespace Penstock.Upstream.OpenAi;

/// <summary>OpenAI's side of the HTTP conversation: key, headers, error bodies, whole answers.</summary>
internal sealed class OpenAiVendor(IReadOnlyList<Model> models, IReadOnlyList<string> keys) : IVendor
{
    private const string Broken = "The server had an error while processing your request. Sorry about that!";

    private readonly OpenAiRequest _requests = new(models);

    public void Authenticate(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        if (header.Length == 0)
            throw new VendorRefusal(401, "invalid_request_error", "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).");
        var key = header.StartsWith("Bearer ", StringComparison.Ordinal) ? header["Bearer ".Length..] : header;
        if (!keys.Contains(key))
            throw new VendorRefusal(401, "invalid_request_error", $"Incorrect API key provided: {key[..Math.Min(6, key.Length)]}***. You can find your API key at https://platform.openai.com/account/api-keys.", null, "invalid_api_key");
        if (HttpMethods.IsPost(request.Method) && request.ContentType?.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) != true)
            throw new VendorRefusal(415, "invalid_request_error", $"Unsupported content type: '{request.ContentType}'. This API method only accepts 'application/json' requests, but you specified the header 'Content-Type: {request.ContentType}'. Please try again with a supported content type.", null, "unsupported_content_type");
    }

    public Ask Read(JsonElement body, HttpRequest request) => _requests.Read(body);

    public VendorRefusal NotJson() => OpenAiWording.Refuse(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)");

    public void AddHeaders(Exchange exchange)
    {
        var headers = exchange.Http.Response.Headers;
        headers["x-request-id"] = string.Create(CultureInfo.InvariantCulture, $"req_openai{exchange.Number:d8}");
        headers["openai-version"] = "2020-10-01";
        headers["openai-organization"] = "org-standin";
        headers["openai-processing-ms"] = "1";
        headers["x-ratelimit-limit-requests"] = "10000";
        headers["x-ratelimit-limit-tokens"] = "2000000";
        headers["x-ratelimit-remaining-requests"] = "9999";
        headers["x-ratelimit-remaining-tokens"] = "1999000";
        headers["x-ratelimit-reset-requests"] = "6ms";
        headers["x-ratelimit-reset-tokens"] = "30ms";
    }

    public byte[] Error(VendorRefusal refusal, int number) => Exchange.Json(json => WriteError(json, refusal));

    public VendorRefusal Failure(int status, string model) => status switch
    {
        401 => new VendorRefusal(401, "invalid_request_error", "Incorrect API key provided: sk-***.", null, "invalid_api_key"),
        403 => new VendorRefusal(403, "request_forbidden", "Country, region, or territory not supported", null, "unsupported_country_region_territory"),
        404 => new VendorRefusal(404, "invalid_request_error", $"The model `{model}` does not exist or you do not have access to it.", null, "model_not_found"),
        429 => new VendorRefusal(429, "requests", $"Rate limit reached for {model} in organization org-standin on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 1s.", null, "rate_limit_exceeded"),
        >= 400 and < 500 => new VendorRefusal(status, "invalid_request_error", "The request was refused by order of a marker.", "messages", "marker"),
        503 => new VendorRefusal(503, "server_error", "The engine is currently overloaded, please try again later"),
        _ => new VendorRefusal(status, "server_error", Broken),
    };

    public VendorRefusal QuotaSpent(Marker marker) => new(
        429, "insufficient_quota", "You exceeded your current quota, please check your plan and billing details.", null, "insufficient_quota");

    public byte[] Whole(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) => Exchange.Json(json =>
    {
        json.WriteStartObject();
        WriteHead(json, ask, exchange, "chat.completion");
        json.WriteStartArray("choices");
        for (var choice = 0; choice < ask.Choices; choice++) WriteChoice(json, ask, answer, choice, exchange);
        json.WriteEndArray();
        if (usage is { } counts) WriteUsage(json, counts);
        if (ask.Has("unknown-event")) json.WriteString("added_later", "kept");
        json.WriteEndObject();
    });

    public IStreamWriter Stream(Ask ask, Answer answer, BilledTokens? usage, Exchange exchange) => new OpenAiStream(ask, answer, usage, exchange);

    public static void WriteError(Utf8JsonWriter json, VendorRefusal refusal)
    {
        json.WriteStartObject();
        json.WriteStartObject("error");
        json.WriteString("message", refusal.Message);
        json.WriteString("type", refusal.Type);
        json.WriteString("param", refusal.Param);
        json.WriteString("code", refusal.Code);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    public static VendorRefusal InStream() => new(500, "server_error", Broken);

    public static void WriteHead(Utf8JsonWriter json, Ask ask, Exchange exchange, string kind)
    {
        json.WriteString("id", string.Create(CultureInfo.InvariantCulture, $"chatcmpl-{exchange.Number:d8}"));
        json.WriteString("object", kind);
        json.WriteNumber("created", exchange.Now.ToUnixTimeSeconds());
        json.WriteString("model", ask.Model.Name);
        json.WriteString("service_tier", ask.ServiceTier);
        json.WriteString("system_fingerprint", "fp_standin");
    }

    public static string EndingOf(Answer answer) => answer.Ending switch
    {
        Ending.Length => "length",
        Ending.ToolCalls => "tool_calls",
        Ending.Filter => "content_filter",
        _ => "stop",
    };

    public static string CallId(Exchange exchange, int choice, int call) => string.Create(CultureInfo.InvariantCulture, $"call_{exchange.Number:d6}x{choice}x{call}");

    public static void WriteUsage(Utf8JsonWriter json, BilledTokens counts)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", counts.TotalInput);
        json.WriteNumber("completion_tokens", counts.TotalOutput);
        json.WriteNumber("total_tokens", counts.TotalInput + counts.TotalOutput);
        json.WriteStartObject("prompt_tokens_details");
        json.WriteNumber("cached_tokens", counts.CacheRead);
        json.WriteNumber("audio_tokens", 0);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details");
        json.WriteNumber("reasoning_tokens", counts.Reasoning);
        json.WriteNumber("audio_tokens", 0);
        json.WriteNumber("accepted_prediction_tokens", 0);
        json.WriteNumber("rejected_prediction_tokens", 0);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    public static void WriteLogprob(Utf8JsonWriter json, string token, int top)
    {
        json.WriteStartObject();
        WriteToken(json, token, -0.25);
        json.WriteStartArray("top_logprobs");
        for (var i = 0; i < top; i++)
        {
            json.WriteStartObject();
            WriteToken(json, i == 0 ? token : $"{token}{i}", -0.25 - i);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteToken(Utf8JsonWriter json, string token, double logprob)
    {
        json.WriteString("token", token);
        json.WriteNumber("logprob", logprob);
        json.WriteStartArray("bytes");
        foreach (var value in System.Text.Encoding.UTF8.GetBytes(token)) json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    private static void WriteChoice(Utf8JsonWriter json, Ask ask, Answer answer, int choice, Exchange exchange)
    {
        var (calls, refused) = (answer.CallsOf(choice), answer.Ending == Ending.Refusal);
        var text = answer.TextOf(StepKind.Text, choice);
        json.WriteStartObject();
        json.WriteNumber("index", choice);
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        json.WriteString("content", refused || (calls.Count > 0 && text.Length == 0) ? null : text);
        if (calls.Count > 0) WriteCalls(json, ask, calls, choice, exchange);
        json.WriteString("refusal", refused ? answer.TextOf(StepKind.Refusal, choice) : null);
        json.WriteStartArray("annotations");
        json.WriteEndArray();
        json.WriteEndObject();
        if (!ask.Logprobs) json.WriteNull("logprobs");
        else
        {
            json.WriteStartObject("logprobs");
            json.WriteStartArray("content");
            foreach (var step in answer.Steps.Where(step => step.Kind == StepKind.Text && step.Choice == choice)) WriteLogprob(json, step.Text, ask.TopLogprobs);
            json.WriteEndArray();
            json.WriteNull("refusal");
            json.WriteEndObject();
        }

        json.WriteString("finish_reason", EndingOf(answer));
        json.WriteEndObject();
    }

    private static void WriteCalls(Utf8JsonWriter json, Ask ask, IReadOnlyList<(string Name, string Arguments)> calls, int choice, Exchange exchange)
    {
        json.WriteStartArray("tool_calls");
        for (var call = 0; call < calls.Count; call++)
        {
            json.WriteStartObject();
            json.WriteString("id", CallId(exchange, choice, call));
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", calls[call].Name);
            json.WriteString("arguments", calls[call].Arguments.Length > 0 || ask.Has("empty-args") ? calls[call].Arguments : "{}");
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
