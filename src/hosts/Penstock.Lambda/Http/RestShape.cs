using System.Text.Json;
using static Penstock.Lambda.Http.EventParts;

namespace Penstock.Lambda.Http;

/// <summary>
/// Payload format 1.0: REST APIs of API Gateway
/// (<see href="https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html"/>). The path is without its stage; values of
/// the query came decoded. Where an integration's transfer mode is STREAM, it takes an answer while it is made.
/// </summary>
internal sealed class RestShape : IHttpShape
{
    public static readonly RestShape Instance = new();

    public bool MayStream => true;

    public EventRequest Read(JsonElement root)
    {
        var path = Required(root, "path");
        var whole = Text(root, "requestContext", "path");
        var stage = whole is not null && whole.Length > path.Length && whole.EndsWith(path, StringComparison.Ordinal) ? whole[..^path.Length].TrimEnd('/') : "";
        var request = Request(root, Required(root, "httpMethod"), path, Query(root, Uri.EscapeDataString), stage, Text(root, "requestContext", "identity", "sourceIp"));
        AddSingle(request.Http.Headers, Object(root, "headers"));
        if (Object(root, "multiValueHeaders") is { } several) AddMulti(request.Http.Headers, several);
        return request.WithLength();
    }

    public void WriteHead(Utf8JsonWriter json, int status, IHeaderDictionary headers)
    {
        json.WriteNumber("statusCode", status);
        WriteMulti(json, headers);
    }

    /// <summary>Every value apart, which is right for one and for several.</summary>
    public static void WriteMulti(Utf8JsonWriter json, IHeaderDictionary headers)
    {
        json.WriteStartObject("multiValueHeaders");
        foreach (var (name, values) in Ours(headers))
        {
            json.WriteStartArray(name.ToLowerInvariant());
            foreach (var value in values) json.WriteStringValue(value);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
