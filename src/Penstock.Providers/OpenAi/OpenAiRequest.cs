using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Penstock.Gateway;
using Penstock.Kernel;

namespace Penstock.Providers.OpenAi;

/// <summary>
/// Writes the body of <c>POST /chat/completions</c>. A client of this dialect has its own bytes sent with the model, the cap and the wish
/// for usage put in; any other call is written anew.
/// </summary>
internal static class OpenAiRequest
{
    public const string Older = "max_tokens";
    public const string Newer = "max_completion_tokens";

    public static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static ReadOnlyMemory<byte> Write(ProviderCall call) => OpenAiCrossing.IsHome(call.Call) ? Splice(call) : Compose(call);

    /// <summary>Reasoning models take only the newer name; compatible servers may know only the older one.</summary>
    public static string CapField(string model)
    {
        var name = model.AsSpan(model.LastIndexOf('/') + 1);
        if (name.StartsWith("ft:")) name = name[3..];
        var reasons = name is ['o', >= '1' and <= '9', ..] || (name.StartsWith("gpt-", StringComparison.OrdinalIgnoreCase) && name is [_, _, _, _, >= '5' and <= '9', ..]);
        return reasons ? Newer : Older;
    }

    private static byte[] Splice(ProviderCall call)
    {
        var body = call.Call.Body.Span;
        var found = Members.Find(body);
        var edits = new List<KeyValuePair<string, string?>> { new("model", Quote(call.Model)) };
        if (call.Call.Stream && !call.Call.IncludeUsage) edits.Add(new("stream_options", AskForUsage(body[found.StreamOptions])));
        if (call.MaxOutputTokens is { } cap)
        {
            var text = cap.ToString(System.Globalization.CultureInfo.InvariantCulture);
            if (found.Older) edits.Add(new(Older, text));
            if (found.Newer) edits.Add(new(Newer, text));
            if (!found.Older && !found.Newer) edits.Add(new(CapField(call.Model), text));
        }

        return JsonSplice.Apply(body, edits);
    }

    private static string AskForUsage(ReadOnlySpan<byte> options) => options is [(byte)'{', ..]
        ? Encoding.UTF8.GetString(JsonSplice.Apply(options, [new("include_usage", "true")]))
        : "{\"include_usage\":true}";

    private static ReadOnlyMemory<byte> Compose(ProviderCall provider)
    {
        var call = provider.Call;
        var output = new ArrayBufferWriter<byte>(1024);
        using var json = new Utf8JsonWriter(output, Json);
        json.WriteStartObject();
        json.WriteString("model", provider.Model);
        OpenAiMessages.Write(call.Messages, json);
        WriteTools(call, json);
        WriteFormat(call.ResponseFormat, json);
        if (provider.MaxOutputTokens is { } cap) json.WriteNumber(CapField(provider.Model), cap);
        WriteSampling(call, json);
        if (call.EndUser is { } user) json.WriteString("user", user);
        if (call.Stream)
        {
            json.WriteBoolean("stream", true);
            json.WriteStartObject("stream_options");
            json.WriteBoolean("include_usage", true);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.Flush();
        return output.WrittenMemory;
    }

    private static void WriteTools(ChatCall call, Utf8JsonWriter json)
    {
        if (call.Tools.Count > 0)
        {
            json.WriteStartArray("tools");
            foreach (var tool in call.Tools) WriteTool(tool, json);
            json.WriteEndArray();
        }

        // Without tools the provider refuses both of these, and they ask for nothing.
        if (call.Tools.Count == 0) return;
        if (call.ToolChoice is { } choice) WriteChoice(choice, json);
        if (call.ParallelToolCalls is { } parallel) json.WriteBoolean("parallel_tool_calls", parallel);
    }

    private static void WriteTool(ToolDefinition tool, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.WriteString("name", tool.Name);
        if (tool.Description is { } description) json.WriteString("description", description);
        WriteRaw("parameters", tool.Schema, json);
        if (tool.Strict is { } strict) json.WriteBoolean("strict", strict);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteChoice(ToolChoice choice, Utf8JsonWriter json)
    {
        if (choice.Kind != ToolChoiceKind.Named)
        {
            json.WriteString("tool_choice", choice.Kind switch { ToolChoiceKind.None => "none", ToolChoiceKind.Required => "required", _ => "auto" });
            return;
        }

        json.WriteStartObject("tool_choice");
        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.WriteString("name", choice.Name);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteFormat(ResponseFormat? format, Utf8JsonWriter json)
    {
        if (format is null) return;
        json.WriteStartObject("response_format");
        json.WriteString("type", format.Schema is null ? "json_object" : "json_schema");
        if (format.Schema is not null)
        {
            json.WriteStartObject("json_schema");
            // Required here, optional elsewhere.
            json.WriteString("name", format.Name ?? "answer");
            if (format.Description is { } description) json.WriteString("description", description);
            WriteRaw("schema", format.Schema, json);
            if (format.Strict is { } strict) json.WriteBoolean("strict", strict);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteSampling(ChatCall call, Utf8JsonWriter json)
    {
        if (call.Temperature is { } temperature) json.WriteNumber("temperature", temperature);
        if (call.TopP is { } topP) json.WriteNumber("top_p", topP);
        if (call.FrequencyPenalty is { } frequency) json.WriteNumber("frequency_penalty", frequency);
        if (call.PresencePenalty is { } presence) json.WriteNumber("presence_penalty", presence);
        if (call.Stop.Count > 0)
        {
            json.WriteStartArray("stop");
            foreach (var stop in call.Stop) json.WriteStringValue(stop);
            json.WriteEndArray();
        }

        if (call.Seed is { } seed) json.WriteNumber("seed", seed);
        if (call.Logprobs) json.WriteBoolean("logprobs", true);
        if (call.TopLogprobs is { } top) json.WriteNumber("top_logprobs", top);
        if (call.Choices != 1) json.WriteNumber("n", call.Choices);
    }

    private static void WriteRaw(string name, string? value, Utf8JsonWriter json)
    {
        if (value is null) return;
        json.WritePropertyName(name);
        json.WriteRawValue(value);
    }

    private static string Quote(string text) => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";

    /// <summary>Where in the client's body the members stand that may have to change. A null counts as not given.</summary>
    private readonly record struct Members(bool Older, bool Newer, Range StreamOptions)
    {
        public static Members Find(ReadOnlySpan<byte> body)
        {
            var found = new Members(false, false, 0..0);
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 64 });
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var older = reader.ValueTextEquals(OpenAiRequest.Older);
                var newer = reader.ValueTextEquals(OpenAiRequest.Newer);
                var options = reader.ValueTextEquals("stream_options");
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                var given = reader.TokenType != JsonTokenType.Null;
                reader.Skip();
                if (older) found = found with { Older = given };
                if (newer) found = found with { Newer = given };
                if (options && given) found = found with { StreamOptions = start..(int)reader.BytesConsumed };
            }

            return found;
        }
    }
}
