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

    public async Task<JsonElement> CallAsync(EndpointOptions tool, ToolCall call, CancellationToken ct)
    {
        using var request = Request(tool, call);
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
        var body = Body(tool.Spec, call);
        var timestamp = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var request = new HttpRequestMessage(HttpMethod.Post, tool.Url) { Content = new ReadOnlyMemoryContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Penstock", null));
        request.Headers.Add("webhook-id", call.IdempotencyKey);
        request.Headers.Add("webhook-timestamp", timestamp);
        request.Headers.Add("webhook-signature", tool.Secret.Sign(call.IdempotencyKey, timestamp, body.Span));
        if (tool.Spec.Effect == ToolEffect.Idempotent) request.Headers.Add("Idempotency-Key", call.IdempotencyKey);
        return request;
    }

    /// <summary>The same at every try of one call.</summary>
    private static ReadOnlyMemory<byte> Body(ToolSpec tool, ToolCall call)
    {
        var body = new ArrayBufferWriter<byte>(512);
        using var json = new Utf8JsonWriter(body, Json.Options);
        json.WriteStartObject();
        json.WriteString("type", "tool.call");
        json.WriteStartObject("data");
        json.WriteString("tool", tool.Name);
        json.WriteString("tenant", call.Caller.Tenant.Value);
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
