using System.Text.Json;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Mcp;

/// <summary>An error of the protocol itself; what a tool cannot do is a result and not one of these.</summary>
/// <param name="Status">HTTP status it goes out with.</param>
internal sealed record McpError(int Code, string Message, int Status = 200)
{
    public const int ParseError = -32700;
    public const int InvalidRequest = -32600;
    public const int MethodNotFound = -32601;
    public const int InvalidParams = -32602;

    /// <summary>Headers that say other than the body.</summary>
    public const int HeaderMismatch = -32020;

    public const int UnsupportedVersion = -32022;

    /// <summary>For the server to define: the key, the origin or the body was refused before there was a message.</summary>
    public const int Refused = -32000;

    /// <summary>The version that was asked for and is not spoken here.</summary>
    public string? Requested { get; init; }

    public void Write(Utf8JsonWriter json, JsonElement? id)
    {
        json.WriteString("jsonrpc", "2.0");
        json.WritePropertyName("id");
        if (id is { } known) known.WriteTo(json);
        else json.WriteNullValue();
        json.WriteStartObject("error");
        json.WriteNumber("code", Code);
        json.WriteString("message", Message);
        if (Requested is { } version)
        {
            json.WriteStartObject("data");
            json.WriteStartArray("supported");
            foreach (var supported in McpVersions.All) json.WriteStringValue(supported);
            json.WriteEndArray();
            json.WriteString("requested", version);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }
}

/// <summary>Carries an <see cref="McpError"/> to where the message's id is known.</summary>
internal sealed class McpException(McpError error) : Exception(error.Message)
{
    public McpError Error { get; } = error;
}

/// <summary>A refusal that ends the HTTP request, such as an unknown key: a JSON-RPC error without an id, under the refusal's own status.</summary>
internal sealed class McpErrorShape : ErrorShape
{
    public static readonly McpErrorShape Instance = new();

    public override void Write(Refusal refusal, RequestId request, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("jsonrpc", "2.0");
        json.WriteNull("id");
        json.WriteStartObject("error");
        json.WriteNumber("code", McpError.Refused);
        json.WriteString("message", refusal.Message);
        json.WriteStartObject("data");
        json.WriteString("code", refusal.Code);
        json.WriteString("request_id", request.Value);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
