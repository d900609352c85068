using System.Text.Json;

namespace Penstock.Upstream;

/// <summary><c>GET /_seen</c> lists what was received, <c>DELETE /_seen</c> forgets it; times are milliseconds since 1970.</summary>
internal static class SeenRoute
{
    public static async Task HandleAsync(HttpContext http, SeenLog seen, long fastCalls)
    {
        if (HttpMethods.IsDelete(http.Request.Method))
        {
            seen.Clear();
            http.Response.StatusCode = 204;
            return;
        }

        http.Response.ContentType = "application/json";
        await http.Response.BodyWriter.WriteAsync(
            Exchange.Json(json =>
            {
                json.WriteStartObject();
                json.WriteNumber("fastCalls", fastCalls);
                json.WriteStartArray("calls");
                foreach (var call in seen.All()) Write(json, call);
                json.WriteEndArray();
                json.WriteEndObject();
            }),
            http.RequestAborted);
    }

    private static void Write(Utf8JsonWriter json, SeenCall call)
    {
        json.WriteStartObject();
        json.WriteNumber("number", call.Number);
        json.WriteString("method", call.Method);
        json.WriteString("path", call.Path);
        json.WriteString("clientRequestId", call.ClientRequestId);
        json.WriteString("model", call.Model);
        json.WriteBoolean("streamed", call.Streamed);
        json.WriteString("outcome", call.Outcome.ToString().ToLowerInvariant());
        json.WriteNumber("status", call.Status);
        WriteBilled(json, call);
        WriteTime(json, "at", call.At);
        WriteTime(json, "firstContentAt", call.FirstContentAt);
        WriteTime(json, "endedAt", call.EndedAt);
        WriteTime(json, "abortedAt", call.AbortedAt);
        json.WriteStartObject("headers");
        foreach (var (name, value) in call.Headers) json.WriteString(name, value);
        json.WriteEndObject();
        json.WriteString("body", call.BodyText);
        json.WriteEndObject();
    }

    private static void WriteBilled(Utf8JsonWriter json, SeenCall call)
    {
        json.WriteBoolean("usageSent", call.UsageSent);
        json.WriteStartObject("billed");
        json.WriteNumber("input", call.Billed.Input);
        json.WriteNumber("cacheRead", call.Billed.CacheRead);
        json.WriteNumber("cacheWrite5m", call.Billed.CacheWrite5m);
        json.WriteNumber("cacheWrite1h", call.Billed.CacheWrite1h);
        json.WriteNumber("output", call.Billed.Output);
        json.WriteNumber("reasoning", call.Billed.Reasoning);
        json.WriteEndObject();
    }

    private static void WriteTime(Utf8JsonWriter json, string name, DateTimeOffset? at)
    {
        if (at is { } time) json.WriteNumber(name, time.ToUnixTimeMilliseconds());
        else json.WriteNull(name);
    }
}
