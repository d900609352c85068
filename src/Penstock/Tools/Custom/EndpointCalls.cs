using System.Buffers;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Tools.Custom;

/// <summary>Signed calls to the operator's own endpoints. Nothing is followed, and an answer is read up to its limit.</summary>
internal sealed class EndpointCalls(TimeProvider time) : IDisposable
{
    private const int LongestReason = 500;

    private readonly HttpMessageInvoker _connections = new(PlainConnections.Create());

    private static readonly string[] Outcomes = ["happened", "did_not_happen", "unknown"];

    public Task<JsonElement> CallAsync(EndpointOptions tool, ToolCall call, CancellationToken ct) => SendAsync(tool, Request(tool, call), ct);

    /// <summary>Asks what became of a call. What it answered then is held to the tool's schema as an answer is.</summary>
    public async Task<ToolWord> ReconcileAsync(EndpointOptions tool, ToolCall call, CancellationToken ct)
    {
        // A message of its own: whoever takes each id once would else take this for the call.
        var answer = await SendAsync(tool, Request(tool, tool.Reconcile!, call.IdempotencyKey + "_reconcile", Body(tool.Spec, call, "tool.reconcile", call.IdempotencyKey)), ct);
        var said = answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("outcome", out var outcome) && outcome.ValueKind == JsonValueKind.String ? Array.IndexOf(Outcomes, outcome.GetString()) : -1;
        if (said < 0) throw ToolRefusals.Unfit(tool.Spec, $"'outcome' must be one of {string.Join(", ", Outcomes)}");
        if (said > 0) return new ToolWord(said == 1 ? false : null, null);
        if (!answer.TryGetProperty("output", out var output)) return new ToolWord(true, null);
        return tool.Spec.Output?.Check(output) is { } problem ? throw ToolRefusals.Unfit(tool.Spec, problem.ToString()) : new ToolWord(true, output.GetRawText());
    }

    private async Task<JsonElement> SendAsync(EndpointOptions tool, HttpRequestMessage made, CancellationToken ct)
    {
        using var request = made;
        try
        {
            using var answer = await _connections.SendAsync(request, ct);
            var body = await ReadAsync(answer, tool, ct);
            var status = (int)answer.StatusCode;
            if (status is >= 400 and < 500) throw Refused(tool.Spec, status, Parse(body));
            if (!answer.IsSuccessStatusCode) throw ToolRefusals.Failed(tool.Spec, string.Create(CultureInfo.InvariantCulture, $"it answered {status}"));
            return Parse(body) ?? throw ToolRefusals.Unfit(tool.Spec, "it is no JSON");
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError)
        {
            throw ToolRefusals.NotThere(tool.Spec, $"it cannot be reached ({e.HttpRequestError})");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw ToolRefusals.Failed(tool.Spec, "the connection broke off");
        }
    }

    public void Dispose() => _connections.Dispose();

    private HttpRequestMessage Request(EndpointOptions tool, ToolCall call)
    {
        var request = Request(tool, tool.Url, call.IdempotencyKey, Body(tool.Spec, call, "tool.call", key: null));
        if (tool.Spec.Effect == ToolEffect.Idempotent) request.Headers.Add("Idempotency-Key", call.IdempotencyKey);
        return request;
    }

    private HttpRequestMessage Request(EndpointOptions tool, Uri url, string id, ReadOnlyMemory<byte> body)
    {
        var timestamp = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ReadOnlyMemoryContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Penstock", null));
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", timestamp);
        request.Headers.Add("webhook-signature", tool.Secret.Sign(id, timestamp, body.Span));
        return request;
    }

    /// <summary>The same at every try of one call.</summary>
    private static ReadOnlyMemory<byte> Body(ToolSpec tool, ToolCall call, string type, string? key)
    {
        var body = new ArrayBufferWriter<byte>(512);
        using var json = new Utf8JsonWriter(body, Json.Options);
        json.WriteStartObject();
        json.WriteString("type", type);
        json.WriteStartObject("data");
        json.WriteString("tool", tool.Name);
        json.WriteString("tenant", call.Caller.Tenant.Value);
        if (key is not null) json.WriteString("key", key);
        json.WritePropertyName("arguments");
        call.Arguments.Element.WriteTo(json);
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return body.WrittenMemory;
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpResponseMessage answer, EndpointOptions tool, CancellationToken ct)
    {
        await using var body = await answer.Content.ReadAsStreamAsync(ct);
        using var read = new MemoryStream();
        var buffer = new byte[16 * 1024];
        for (int length; (length = await body.ReadAsync(buffer, ct)) > 0;)
        {
            if (read.Length + length > tool.MaxBytes) throw ToolRefusals.Unfit(tool.Spec, $"it is larger than {tool.MaxBytes} bytes");
            read.Write(buffer, 0, length);
        }

        return read.ToArray();
    }

    private static JsonElement? Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 64 }).RootElement;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Its own words, because whoever called has to put the call right.</summary>
    private static RefusedException Refused(ToolSpec tool, int status, JsonElement? body)
    {
        string[] names = ["detail", "error", "message"];
        var said = body is { ValueKind: JsonValueKind.Object } json
            ? names.Select(name => json.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null).FirstOrDefault(text => text is { Length: > 0 } && OneLine.Is(text))
            : null;
        var reason = said is null ? "" : $": {(said.Length > LongestReason ? said[..LongestReason] : said)}";
        return new RefusedException(new Refusal(RefusalKind.Unprocessable, ToolRefusals.Refused, string.Create(CultureInfo.InvariantCulture, $"The tool '{tool.Name}' refused the call with {status}{reason}")));
    }
}
