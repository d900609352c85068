using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Penstock.Gateway;

namespace Penstock.Aws.Bedrock;

/// <summary>Writes the body of <c>converse</c> and <c>converse-stream</c>, which is the same. What cannot be written was refused before (<see cref="ConverseObjections"/>).</summary>
internal static partial class ConverseRequest
{
    private const string AnyObject = """{"type":"object","properties":{}}""";

    public static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Llama streams no answer that may call tools: it is asked for the whole of it.</summary>
    public static bool Streams(ChatCall call, BedrockModel model) => call.Stream && !(TakesTools(call) && model.Family == ModelFamily.Llama);

    public static ReadOnlyMemory<byte> Write(ProviderCall sent)
    {
        var (call, model) = (sent.Call, new BedrockModel(sent.Model));
        var output = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(output, Json))
        {
            json.WriteStartObject();
            WriteSystem(call, model.Family, json);
            json.WriteStartArray("messages");
            foreach (var turn in ConverseTurns.Of(call)) ConverseBlocks.Write(turn, model.Family, json);
            json.WriteEndArray();
            WriteInference(sent, json);
            WriteTools(call, model.Family, json);
            WriteFormat(call.ResponseFormat, json);
            WriteOfFamily(call, model.Family, json);
            WriteUser(call.EndUser, json);
            json.WriteEndObject();
        }

        return output.WrittenMemory;
    }

    /// <summary>What a value of <c>requestMetadata</c> may hold.</summary>
    public static bool FitsMetadata(string value) => MetadataValue().IsMatch(value);

    /// <summary>Bedrock has no field for the end user, but a log in which the call stands with what it is labelled with.</summary>
    private static void WriteUser(string? user, Utf8JsonWriter json)
    {
        if (user is null) return;
        json.WriteStartObject("requestMetadata");
        json.WriteString("user", user);
        json.WriteEndObject();
    }

    private static bool TakesTools(ChatCall call) => call.Tools.Count > 0 && call.ToolChoice?.Kind != ToolChoiceKind.None;

    private static void WriteSystem(ChatCall call, ModelFamily family, Utf8JsonWriter json)
    {
        TextPart[] instructions = [.. ConverseTurns.Instructions(call)];
        if (instructions.Length == 0) return;
        json.WriteStartArray("system");
        foreach (var part in instructions)
        {
            ConverseBlocks.WriteText(part.Text, json);
            ConverseBlocks.WriteCache(part.Cache, family, json);
        }

        json.WriteEndArray();
    }

    private static void WriteInference(ProviderCall sent, Utf8JsonWriter json)
    {
        var call = sent.Call;
        if (sent.MaxOutputTokens is null && call.Temperature is null && call.TopP is null && call.Stop.Count == 0) return;
        json.WriteStartObject("inferenceConfig");
        if (sent.MaxOutputTokens is { } cap) json.WriteNumber("maxTokens", cap);
        if (call.Temperature is { } temperature) json.WriteNumber("temperature", temperature);
        if (call.TopP is { } topP) json.WriteNumber("topP", topP);
        if (call.Stop.Count > 0)
        {
            json.WriteStartArray("stopSequences");
            foreach (var stop in call.Stop) json.WriteStringValue(stop);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteTools(ChatCall call, ModelFamily family, Utf8JsonWriter json)
    {
        if (!TakesTools(call)) return;
        json.WriteStartObject("toolConfig");
        json.WriteStartArray("tools");
        foreach (var tool in call.Tools)
        {
            WriteTool(tool, json);
            // Nova marks no tools.
            if (family == ModelFamily.Claude) ConverseBlocks.WriteCache(tool.Cache, family, json);
        }

        json.WriteEndArray();
        if (call.ToolChoice is { Kind: ToolChoiceKind.Required or ToolChoiceKind.Named } choice)
        {
            json.WriteStartObject("toolChoice");
            json.WriteStartObject(choice.Kind == ToolChoiceKind.Required ? "any" : "tool");
            if (choice.Kind == ToolChoiceKind.Named) json.WriteString("name", choice.Name);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteTool(ToolDefinition tool, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteStartObject("toolSpec");
        json.WriteString("name", tool.Name);
        if (!string.IsNullOrWhiteSpace(tool.Description)) json.WriteString("description", tool.Description);
        json.WriteStartObject("inputSchema");
        json.WritePropertyName("json");
        json.WriteRawValue(SchemaOf(tool));
        json.WriteEndObject();
        if (tool.Strict == true) json.WriteBoolean("strict", true);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>A tool without parameters, or with <c>{}</c>, is common elsewhere; Bedrock wants the type said.</summary>
    private static string SchemaOf(ToolDefinition tool)
    {
        if (tool.Schema is not { } schema) return AnyObject;
        using var parsed = JsonDocument.Parse(schema);
        return parsed.RootElement.TryGetProperty("type", out _)
            ? schema
            : System.Text.Encoding.UTF8.GetString(Kernel.JsonSplice.Apply(System.Text.Encoding.UTF8.GetBytes(schema), [new("type", "\"object\"")]));
    }

    /// <summary>The schema goes as text, with a name that must be there.</summary>
    private static void WriteFormat(ResponseFormat? format, Utf8JsonWriter json)
    {
        if (format?.Schema is not { } schema) return;
        json.WriteStartObject("outputConfig");
        json.WriteStartObject("textFormat");
        json.WriteString("type", "json_schema");
        json.WriteStartObject("structure");
        json.WriteStartObject("jsonSchema");
        json.WriteString("schema", schema);
        json.WriteString("name", format.Name ?? "answer");
        if (format.Description is { Length: > 0 } description) json.WriteString("description", description);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>What Converse has no field for and the family has.</summary>
    private static void WriteOfFamily(ChatCall call, ModelFamily family, Utf8JsonWriter json)
    {
        if (call.TopK is { } topK)
        {
            json.WriteStartObject("additionalModelRequestFields");
            if (family == ModelFamily.Nova) json.WriteStartObject("inferenceConfig");
            json.WriteNumber(family == ModelFamily.Nova ? "topK" : "top_k", topK);
            if (family == ModelFamily.Nova) json.WriteEndObject();
            json.WriteEndObject();
        }

        if (family != ModelFamily.Claude || call.Stop.Count == 0) return;
        // Else nobody says which of them was met.
        json.WriteStartArray("additionalModelResponseFieldPaths");
        json.WriteStringValue(ConverseAnswer.StopSequencePath);
        json.WriteEndArray();
    }

    [GeneratedRegex(@"^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}\z", RegexOptions.CultureInvariant)]
    private static partial Regex MetadataValue();
}
