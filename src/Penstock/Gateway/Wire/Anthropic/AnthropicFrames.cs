using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>Frames of Anthropic's stream: <c>event: X</c>, <c>data: …</c>, an empty line.</summary>
internal static class AnthropicFrames
{
    // The bytes go to JSON parsers, never into a page: nothing but JSON's own escapes is needed.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Anthropic sends these from the first moment on, also before <c>message_start</c>.</summary>
    public static void WritePing(IBufferWriter<byte> output) => output.Write("event: ping\ndata: {\"type\":\"ping\"}\n\n"u8);

    public static void WriteError(ErrorShape errors, Refusal refusal, RequestId request, IBufferWriter<byte> output) =>
        Write("error", output, json => errors.Write(refusal, request, json));

    public static void Write(string name, IBufferWriter<byte> output, Action<Utf8JsonWriter> writeData)
    {
        Begin(name, output);
        WriteJson(output, writeData);
        output.Write("\n\n"u8);
    }

    /// <summary>A provider's event as it came.</summary>
    public static void Pass(string? name, ReadOnlySpan<byte> data, IBufferWriter<byte> output)
    {
        if (name is null && data.IsEmpty) return;
        if (name is not null) Write(output, "event: "u8, Encoding.UTF8.GetBytes(name));
        // Data of several lines came as several data fields, and goes as several.
        foreach (var line in data.Split((byte)'\n')) Write(output, "data: "u8, data[line]);
        output.Write("\n"u8);
    }

    public static void WriteJson(IBufferWriter<byte> output, Action<Utf8JsonWriter> write)
    {
        using var json = new Utf8JsonWriter(output, Options);
        write(json);
    }

    private static void Begin(string name, IBufferWriter<byte> output)
    {
        Write(output, "event: "u8, Encoding.UTF8.GetBytes(name));
        output.Write("data: "u8);
    }

    private static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> field, ReadOnlySpan<byte> value)
    {
        output.Write(field);
        output.Write(value);
        output.Write("\n"u8);
    }
}

internal static class AnthropicUsage
{
    /// <summary>
    /// Anthropic's <c>input_tokens</c> excludes both caches. <paramref name="whole"/> adds the split of cache writes, which
    /// <c>message_delta</c> does not carry.
    /// </summary>
    public static void Write(Utf8JsonWriter json, TokenCounts tokens, bool whole)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("input_tokens", tokens.Input);
        json.WriteNumber("cache_creation_input_tokens", tokens.CacheWrite5m + tokens.CacheWrite1h);
        json.WriteNumber("cache_read_input_tokens", tokens.CacheRead);
        if (whole)
        {
            json.WriteStartObject("cache_creation");
            json.WriteNumber("ephemeral_5m_input_tokens", tokens.CacheWrite5m);
            json.WriteNumber("ephemeral_1h_input_tokens", tokens.CacheWrite1h);
            json.WriteEndObject();
        }

        json.WriteNumber("output_tokens", tokens.TotalOutput);
        if (tokens.Reasoning > 0)
        {
            json.WriteStartObject("output_tokens_details");
            json.WriteNumber("thinking_tokens", tokens.Reasoning);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }
}
