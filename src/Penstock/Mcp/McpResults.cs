using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Mcp;

/// <summary>Results as each revision wants them.</summary>
internal static class McpResults
{
    private const string ServerInfo = "io.modelcontextprotocol/serverInfo";
    private const string Instructions = "Classify, extract and summarise texts through Penstock, within the caller's limits and budgets. Long texts cost more than short ones.";
    private const int KeepForMs = 300_000;

    private static readonly string Version = typeof(McpResults).Assembly.GetName().Version!.ToString(3);

    public static void WriteInitialize(Utf8JsonWriter json, string version)
    {
        json.WriteString("protocolVersion", version);
        WriteCapabilities(json);
        json.WritePropertyName("serverInfo");
        WriteServer(json);
        json.WriteString("instructions", Instructions);
    }

    public static void WriteDiscover(Utf8JsonWriter json)
    {
        json.WriteStartArray("supportedVersions");
        foreach (var version in McpVersions.All) json.WriteStringValue(version);
        json.WriteEndArray();
        WriteCapabilities(json);
        json.WriteString("instructions", Instructions);
        json.WriteStartObject("_meta");
        json.WritePropertyName(ServerInfo);
        WriteServer(json);
        json.WriteEndObject();
        WriteCaching(json);
    }

    public static void WriteTools(Utf8JsonWriter json, McpTools tools, bool noHandshake)
    {
        json.WritePropertyName("tools");
        json.WriteRawValue(tools.Definitions);
        if (noHandshake) WriteCaching(json);
    }

    /// <summary>The answer twice, as clients of before and after structured answers read it.</summary>
    public static void WriteAnswer(Utf8JsonWriter json, Action<Utf8JsonWriter> members)
    {
        var answer = new ArrayBufferWriter<byte>(512);
        using (var own = new Utf8JsonWriter(answer, Json.Options))
        {
            own.WriteStartObject();
            members(own);
            own.WriteEndObject();
        }

        WriteText(json, Encoding.UTF8.GetString(answer.WrittenSpan));
        json.WritePropertyName("structuredContent");
        json.WriteRawValue(answer.WrittenSpan);
        json.WriteBoolean("isError", false);
    }

    /// <summary>What a model can read and act on, and what a program can beside it.</summary>
    public static void WriteRefusal(Utf8JsonWriter json, Refusal refusal, RequestId request)
    {
        var wait = refusal.RetryAfter is { } after ? string.Create(CultureInfo.InvariantCulture, $" Try again in {Math.Max(1, Math.Ceiling(after.TotalSeconds))} s.") : "";
        WriteText(json, $"{refusal.Message}{wait}");
        json.WriteBoolean("isError", true);
        json.WriteStartObject("_meta");
        json.WriteStartObject("penstock/error");
        json.WriteNumber("status", refusal.Status);
        json.WriteString("code", refusal.Code);
        if (refusal.Field is { Length: > 0 } field) json.WriteString("field", field);
        if (refusal.RetryAfter is { } pause) json.WriteNumber("retryAfterMs", Math.Ceiling(pause.TotalMilliseconds));
        json.WriteString("request_id", request.Value);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter json, string text)
    {
        json.WriteStartArray("content");
        json.WriteStartObject();
        json.WriteString("type", "text");
        json.WriteString("text", text);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private static void WriteCapabilities(Utf8JsonWriter json)
    {
        json.WriteStartObject("capabilities");
        json.WriteStartObject("tools");
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteServer(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", "penstock");
        json.WriteString("title", "Penstock");
        json.WriteString("version", Version);
        json.WriteEndObject();
    }

    private static void WriteCaching(Utf8JsonWriter json)
    {
        json.WriteNumber("ttlMs", KeepForMs);
        json.WriteString("cacheScope", "public");
    }
}
