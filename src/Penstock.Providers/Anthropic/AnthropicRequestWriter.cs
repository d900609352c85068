using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Penstock.Gateway;
using Penstock.Kernel;

namespace Penstock.Providers.Anthropic;

/// <summary>Writes the body of <c>/v1/messages</c>: the client's own bytes with what must change, or a whole body from a call of another dialect.</summary>
internal static class AnthropicRequestWriter
{
    /// <summary>Anthropic wants a cap on every call; this one is sent where nobody set any.</summary>
    private const int DefaultMaxTokens = 4096;

    // The bytes go to a JSON parser, never into a page: nothing but JSON's own escapes is needed.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What a count does not take, of what a call may hold.</summary>
    private static readonly string[] NotCounted =
        ["max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier", "container", "inference_geo", "diagnostics"];

    /// <summary>The client spoke Anthropic's dialect, so that its bytes are sent on.</summary>
    public static bool Passes(ChatCall call) => call.Dialect == Dialect.Anthropic && !call.Body.IsEmpty;

    public static ReadOnlyMemory<byte> Write(ProviderCall call)
    {
        if (!Passes(call.Call)) return WriteAll(call, counting: false);
        var edits = new List<KeyValuePair<string, string?>>();
        if (call.Model != call.Call.Model) edits.Add(new("model", Quoted(call.Model)));
        if (call.MaxOutputTokens is { } cap && cap != call.Call.MaxOutputTokens) edits.Add(new("max_tokens", cap.ToString(CultureInfo.InvariantCulture)));
        return edits.Count == 0 ? call.Call.Body : JsonSplice.Apply(call.Call.Body.Span, edits);
    }

    public static ReadOnlyMemory<byte> WriteCount(ProviderCall call)
    {
        if (!Passes(call.Call)) return WriteAll(call, counting: true);
        var edits = NotCounted.Select(name => new KeyValuePair<string, string?>(name, null)).Append(new("model", Quoted(call.Model)));
        return JsonSplice.Apply(call.Call.Body.Span, [.. edits]);
    }

    private static ReadOnlyMemory<byte> WriteAll(ProviderCall call, bool counting)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(output, Options))
        {
            json.WriteStartObject();
            json.WriteString("model", call.Model);
            if (!counting) WriteSettings(json, call);
            WriteSystem(json, call.Call);
            json.WriteStartArray("messages");
            foreach (var turn in AnthropicTurns.Of(call.Call)) AnthropicBlockWriter.Write(json, turn);
            json.WriteEndArray();
            WriteTools(json, call.Call);
            WriteToolChoice(json, call.Call);
            WriteFormat(json, call.Call.ResponseFormat);
            json.WriteEndObject();
        }

        return output.WrittenMemory;
    }

    private static void WriteSettings(Utf8JsonWriter json, ProviderCall call)
    {
        var asked = call.Call;
        json.WriteNumber("max_tokens", call.MaxOutputTokens ?? DefaultMaxTokens);
        if (asked.Temperature is { } temperature) json.WriteNumber("temperature", temperature);
        if (asked.TopP is { } topP) json.WriteNumber("top_p", topP);
        if (asked.TopK is { } topK) json.WriteNumber("top_k", topK);
        if (asked.Stream) json.WriteBoolean("stream", true);
        if (asked.Stop.Count > 0)
        {
            json.WriteStartArray("stop_sequences");
            foreach (var stop in asked.Stop) json.WriteStringValue(stop);
            json.WriteEndArray();
        }

        if (asked.EndUser is { } user)
        {
            json.WriteStartObject("metadata");
            json.WriteString("user_id", user);
            json.WriteEndObject();
        }
    }

    private static void WriteSystem(Utf8JsonWriter json, ChatCall call)
    {
        var instructions = AnthropicTurns.Instructions(call).ToList();
        if (instructions.Count == 0) return;
        json.WriteStartArray("system");
        foreach (var text in instructions) AnthropicBlockWriter.WriteText(json, text);
        json.WriteEndArray();
    }

    private static void WriteTools(Utf8JsonWriter json, ChatCall call)
    {
        if (call.Tools.Count == 0) return;
        json.WriteStartArray("tools");
        foreach (var tool in call.Tools)
        {
            json.WriteStartObject();
            json.WriteString("name", tool.Name);
            if (tool.Description is { } description) json.WriteString("description", description);
            json.WritePropertyName("input_schema");
            json.WriteRawValue(SchemaOf(tool));
            if (tool.Strict is { } strict) json.WriteBoolean("strict", strict);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>A tool without parameters, or with <c>{}</c>, is common elsewhere; Anthropic wants the type said.</summary>
    private static string SchemaOf(ToolDefinition tool)
    {
        if (tool.Schema is not { } schema) return """{"type":"object","properties":{}}""";
        using var parsed = JsonDocument.Parse(schema);
        return parsed.RootElement.TryGetProperty("type", out _) ? schema : With(schema, "type", "\"object\"");
    }

    private static void WriteToolChoice(Utf8JsonWriter json, ChatCall call)
    {
        if (call.Tools.Count == 0 || (call.ToolChoice is null && call.ParallelToolCalls != false)) return;
        var choice = call.ToolChoice ?? new ToolChoice(ToolChoiceKind.Auto);
        json.WriteStartObject("tool_choice");
        json.WriteString("type", choice.Kind switch
        {
            ToolChoiceKind.None => "none",
            ToolChoiceKind.Required => "any",
            ToolChoiceKind.Named => "tool",
            _ => "auto",
        });
        if (choice.Kind == ToolChoiceKind.Named) json.WriteString("name", choice.Name);
        // A choice of no tool takes no word about how many.
        if (call.ParallelToolCalls == false && choice.Kind != ToolChoiceKind.None) json.WriteBoolean("disable_parallel_tool_use", true);
        json.WriteEndObject();
    }

    /// <summary>
    /// Anthropic's form has a schema and nothing else, and always keeps to it. A description goes into the schema, where the model reads it
    /// too; the name is a label that OpenAI wants and nobody reads.
    /// </summary>
    private static void WriteFormat(Utf8JsonWriter json, ResponseFormat? format)
    {
        if (format?.Schema is not { } schema) return;
        json.WriteStartObject("output_config");
        json.WriteStartObject("format");
        json.WriteString("type", "json_schema");
        json.WritePropertyName("schema");
        json.WriteRawValue(format.Description is { Length: > 0 } description && !Has(schema, "description") ? With(schema, "description", Quoted(description)) : schema);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static bool Has(string schema, string member)
    {
        using var parsed = JsonDocument.Parse(schema);
        return parsed.RootElement.TryGetProperty(member, out _);
    }

    private static string With(string schema, string member, string value) =>
        System.Text.Encoding.UTF8.GetString(JsonSplice.Apply(System.Text.Encoding.UTF8.GetBytes(schema), [new(member, value)]));

    private static string Quoted(string text) => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
}
