using System.Buffers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Penstock.LambdaFront;

/// <summary>Which of AWS's fronts writes the event.</summary>
internal enum FrontKind
{
    FunctionUrl,
    HttpApi,
    Rest,
}

/// <summary>Turns a request into the event that AWS would send for it.</summary>
internal static class EventWriter
{
    public static async Task<ReadOnlyMemory<byte>> WriteAsync(HttpContext http, FrontKind kind)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        var bytes = new ArrayBufferWriter<byte>();
        await using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            if (kind == FrontKind.Rest) WriteRest(json, http);
            else WriteHttp(json, http, kind);
            WriteBody(json, http, body.ToArray());
            json.WriteEndObject();
        }

        return bytes.WrittenMemory;
    }

    private static void WriteHttp(Utf8JsonWriter json, HttpContext http, FrontKind kind)
    {
        var path = Target(http);
        json.WriteString("version", "2.0");
        json.WriteString("routeKey", "$default");
        json.WriteString("rawPath", path);
        json.WriteString("rawQueryString", http.Request.QueryString.Value?.TrimStart('?') ?? "");
        json.WriteStartObject("headers");
        foreach (var (name, values) in http.Request.Headers)
        {
            if (name != "Cookie") json.WriteString(name.ToLowerInvariant(), string.Join(",", values.AsEnumerable()));
        }

        json.WriteEndObject();
        if (http.Request.Headers.Cookie.Count > 0)
        {
            json.WriteStartArray("cookies");
            foreach (var cookie in http.Request.Headers.Cookie.ToString().Split("; ")) json.WriteStringValue(cookie);
            json.WriteEndArray();
        }

        json.WriteStartObject("requestContext");
        json.WriteString("stage", "$default");
        json.WriteString("domainName", kind == FrontKind.FunctionUrl ? "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws" : "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com");
        json.WriteStartObject("http");
        json.WriteString("method", http.Request.Method);
        json.WriteString("path", path);
        json.WriteString("protocol", "HTTP/1.1");
        json.WriteString("sourceIp", "192.0.2.7");
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteRest(Utf8JsonWriter json, HttpContext http)
    {
        var path = Target(http);
        json.WriteString("resource", "/{proxy+}");
        json.WriteString("path", path);
        json.WriteString("httpMethod", http.Request.Method);
        json.WriteStartObject("headers");
        foreach (var (name, values) in http.Request.Headers) json.WriteString(name, values[^1]);
        json.WriteEndObject();
        WriteSeveral(json, "multiValueHeaders", http.Request.Headers.Select(header => (header.Key, header.Value.ToArray())));
        if (http.Request.Query.Count == 0) json.WriteNull("multiValueQueryStringParameters");
        else WriteSeveral(json, "multiValueQueryStringParameters", http.Request.Query.Select(pair => (pair.Key, pair.Value.ToArray())));
        json.WriteStartObject("requestContext");
        json.WriteString("stage", "prod");
        json.WriteString("path", "/prod" + path);
        json.WriteStartObject("identity");
        json.WriteString("sourceIp", "192.0.2.7");
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteSeveral(Utf8JsonWriter json, string member, IEnumerable<(string Name, string?[] Values)> pairs)
    {
        json.WriteStartObject(member);
        foreach (var (name, values) in pairs)
        {
            json.WriteStartArray(name);
            foreach (var value in values) json.WriteStringValue(value);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteBody(Utf8JsonWriter json, HttpContext http, byte[] body)
    {
        var type = http.Request.ContentType ?? "";
        var text = body.Length == 0 || type.StartsWith("text/", StringComparison.Ordinal) || type.StartsWith("application/json", StringComparison.Ordinal);
        if (body.Length == 0) json.WriteNull("body");
        else json.WriteString("body", text ? Encoding.UTF8.GetString(body) : Convert.ToBase64String(body));
        json.WriteBoolean("isBase64Encoded", !text);
    }

    private static string Target(HttpContext http) => http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?')[0];
}
