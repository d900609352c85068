using System.Text.Json;
using static Penstock.Lambda.Http.EventParts;

namespace Penstock.Lambda.Http;

/// <summary>
/// Payload format 2.0: HTTP APIs of API Gateway, and function URLs
/// (<see href="https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"/>).
/// Several values of a header are one with commas; cookies stand apart. Only a function URL takes an answer while it is made.
/// </summary>
internal sealed class HttpApiShape(bool functionUrl) : IHttpShape
{
    public static readonly HttpApiShape Api = new(functionUrl: false);
    public static readonly HttpApiShape Url = new(functionUrl: true);

    private const string NoStage = "$default";

    public bool MayStream => functionUrl;

    public static bool IsUrl(JsonElement root) => Text(root, "requestContext", "domainName")?.Contains(".lambda-url.", StringComparison.Ordinal) == true;

    public EventRequest Read(JsonElement root)
    {
        var path = Required(root, "rawPath");
        var stage = Text(root, "requestContext", "stage") is { } name and not NoStage ? "/" + name : "";
        // The path of a stage with a name begins with it; behind a domain of one's own it does not.
        var within = stage.Length > 0 && (path == stage || path.StartsWith(stage + "/", StringComparison.Ordinal));
        var request = Request(
            root, Required(root, "requestContext", "http", "method"), within ? path[stage.Length..] : path, Text(root, "rawQueryString") ?? "", within ? stage : "", Text(root, "requestContext", "http", "sourceIp"));
        AddSingle(request.Http.Headers, Object(root, "headers"));
        if (root.TryGetProperty("cookies", out var cookies) && cookies.ValueKind == JsonValueKind.Array)
            request.Http.Headers.Cookie = string.Join("; ", cookies.EnumerateArray().Select(cookie => cookie.GetString()));
        return request.WithLength();
    }

    public void WriteHead(Utf8JsonWriter json, int status, IHeaderDictionary headers)
    {
        json.WriteNumber("statusCode", status);
        json.WriteStartObject("headers");
        foreach (var (name, values) in Ours(headers))
        {
            if (!name.Equals("Set-Cookie", StringComparison.OrdinalIgnoreCase)) json.WriteString(name.ToLowerInvariant(), string.Join(", ", values.AsEnumerable()));
        }

        json.WriteEndObject();
        if (headers.SetCookie.Count == 0) return;
        json.WriteStartArray("cookies");
        foreach (var cookie in headers.SetCookie) json.WriteStringValue(cookie);
        json.WriteEndArray();
    }
}
