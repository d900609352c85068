using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;

namespace Penstock.Lambda.Http;

/// <summary>What the shapes have in common.</summary>
internal static class EventParts
{
    /// <summary>Of one connection between two machines, or said by the front itself.</summary>
    private static readonly string[] NotOurs = ["Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Date", "Upgrade"];

    public static string? Text(JsonElement root, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty(name, out root)) return null;
        }

        return root.ValueKind == JsonValueKind.String ? root.GetString() : null;
    }

    public static string Required(JsonElement root, params ReadOnlySpan<string> path) =>
        Text(root, path) ?? throw EventException.Broken($"The event has no '{string.Join('.', path!)}'.");

    public static JsonElement? Object(JsonElement root, string name) => root.TryGetProperty(name, out var found) && found.ValueKind == JsonValueKind.Object ? found : null;

    /// <param name="path">As the client wrote it, still encoded.</param>
    /// <param name="query">Without its question mark.</param>
    public static EventRequest Request(JsonElement root, string method, string path, string query, string pathBase, string? address)
    {
        var body = Body(root);
        var http = new HttpRequestFeature
        {
            Method = method,
            Scheme = "https",
            Protocol = "HTTP/1.1",
            PathBase = pathBase,
            Path = Decode(path.Length == 0 ? "/" : path),
            RawTarget = path + (query.Length == 0 ? "" : "?" + query),
            QueryString = query.Length == 0 ? "" : "?" + query,
            Body = new MemoryStream(body, writable: false),
        };
        return new EventRequest { Http = http, Address = address, BodyLength = body.Length };
    }

    /// <summary>A length is what it is here, whatever was said of it on the way.</summary>
    public static EventRequest WithLength(this EventRequest request)
    {
        request.Http.Headers.Remove("Transfer-Encoding");
        request.Http.Headers.ContentLength = request.BodyLength > 0 || HttpMethods.IsPost(request.Http.Method) || HttpMethods.IsPut(request.Http.Method) ? request.BodyLength : null;
        return request;
    }

    public static void AddSingle(IHeaderDictionary headers, JsonElement? from)
    {
        if (from is not { } members) return;
        foreach (var header in members.EnumerateObject())
        {
            if (header.Value.ValueKind == JsonValueKind.String) headers[header.Name] = header.Value.GetString();
        }
    }

    public static void AddMulti(IHeaderDictionary headers, JsonElement from)
    {
        foreach (var header in from.EnumerateObject())
        {
            if (header.Value.ValueKind == JsonValueKind.Array) headers[header.Name] = header.Value.EnumerateArray().Select(value => value.GetString()).ToArray();
        }
    }

    /// <summary>A query whose names and values stand in members of their own.</summary>
    /// <param name="encode">What makes a value of the event into one of a URL.</param>
    public static string Query(JsonElement root, Func<string, string> encode)
    {
        var query = new StringBuilder();
        void Add(string name, JsonElement value) => query.Append(query.Length == 0 ? "" : "&").Append(encode(name)).Append('=').Append(encode(value.GetString() ?? ""));
        if (Object(root, "multiValueQueryStringParameters") is { } several)
        {
            foreach (var parameter in several.EnumerateObject())
            {
                foreach (var value in parameter.Value.EnumerateArray()) Add(parameter.Name, value);
            }
        }
        else if (Object(root, "queryStringParameters") is { } single)
        {
            foreach (var parameter in single.EnumerateObject()) Add(parameter.Name, parameter.Value);
        }

        return query.ToString();
    }

    public static IEnumerable<KeyValuePair<string, Microsoft.Extensions.Primitives.StringValues>> Ours(IHeaderDictionary headers) =>
        headers.Where(header => header.Value.Count > 0 && !NotOurs.Contains(header.Key, StringComparer.OrdinalIgnoreCase));

    /// <summary>The members <c>body</c> and <c>isBase64Encoded</c>: text where it is text, because an API that is not told of binary types passes nothing else.</summary>
    public static void WriteBody(Utf8JsonWriter json, IHeaderDictionary headers, ReadOnlySpan<byte> body)
    {
        var text = headers.ContentEncoding.Count == 0 && IsText(headers.ContentType.ToString()) && System.Text.Unicode.Utf8.IsValid(body);
        if (text) json.WriteString("body", body);
        else json.WriteBase64String("body", body);
        json.WriteBoolean("isBase64Encoded", !text);
    }

    public static IPAddress? Address(string? text) => IPAddress.TryParse(text, out var address) ? address : null;

    private static bool IsText(string type)
    {
        var end = type.IndexOf(';', StringComparison.Ordinal);
        var name = (end < 0 ? type : type[..end]).Trim().ToLower(CultureInfo.InvariantCulture);
        return name.Length == 0 || name.StartsWith("text/", StringComparison.Ordinal) || name.EndsWith("json", StringComparison.Ordinal) || name.EndsWith("+xml", StringComparison.Ordinal)
            || name is "application/xml" or "application/yaml" or "application/jsonl" or "application/x-ndjson";
    }

    private static byte[] Body(JsonElement root)
    {
        if (Text(root, "body") is not { } text) return [];
        if (!root.TryGetProperty("isBase64Encoded", out var encoded) || encoded.ValueKind != JsonValueKind.True) return Encoding.UTF8.GetBytes(text);
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var length) ? bytes[..length] : throw EventException.Broken("The event says that its body is base64, and it is not.");
    }

    /// <summary>As Kestrel decodes a path: all but a slash within a segment.</summary>
    private static string Decode(string path) => path.Contains("%2f", StringComparison.OrdinalIgnoreCase)
        ? string.Join("%2F", path.Split(["%2F", "%2f"], StringSplitOptions.None).Select(Uri.UnescapeDataString))
        : Uri.UnescapeDataString(path);
}
