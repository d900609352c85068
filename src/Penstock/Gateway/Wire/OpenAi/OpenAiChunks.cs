using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Penstock.Usage;

namespace Penstock.Gateway.Wire.OpenAi;

/// <summary>
/// Writes <c>chat.completion.chunk</c> events. Reasoning goes out as <c>reasoning_content</c>, as compatible servers do; its signatures
/// have no field here and cannot come back through this dialect, so they end with the answer.
/// </summary>
internal sealed class OpenAiChunks(AnswerHead head)
{
    /// <summary>Text leaves as it came: nothing here is read by a browser as markup.</summary>
    public static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly HashSet<int> _greeted = [];

    /// <summary>By choice: the call that has begun and has no arguments so far.</summary>
    private readonly Dictionary<int, int> _withoutArguments = [];
    private bool _passing;
    private string? _id;
    private string? _model;

    /// <summary>Learns the answer's id and model from a chunk that passes as it came.</summary>
    public void Note(IReadOnlyList<ChatUpdate> updates)
    {
        _passing = true;
        foreach (var update in updates)
        {
            if (update is AnswerStarted started) Note(started);
        }
    }

    public void Write(ChatUpdate update, IBufferWriter<byte> output)
    {
        switch (update)
        {
            case AnswerStarted started:
                Note(started);
                Greet(0, output);
                break;
            case TextDelta { Text.Length: > 0 } text:
                WriteText(text.Choice, "content"u8, text.Text, output);
                break;
            case RefusalDelta { Text.Length: > 0 } refusal:
                WriteText(refusal.Choice, "refusal"u8, refusal.Text, output);
                break;
            case ThinkingDelta { Text.Length: > 0 } thinking:
                WriteText(0, "reasoning_content"u8, thinking.Text, output);
                break;
            case ToolCallStarted started:
                Greet(started.Choice, output);
                CloseCalls(started.Choice, output);
                _withoutArguments[started.Choice] = started.Index;
                WriteCall(started.Choice, started.Index, started, "", output);
                break;
            case ToolCallDelta { Arguments.Length: > 0 } delta:
                if (_withoutArguments.GetValueOrDefault(delta.Choice, -1) == delta.Index) _withoutArguments.Remove(delta.Choice);
                WriteCall(delta.Choice, delta.Index, null, delta.Arguments, output);
                break;
            case Finished finished:
                Finish(finished, output);
                break;
        }
    }

    /// <summary>The closing chunk: no choices, and what the call metered.</summary>
    public void WriteUsage(TokenCounts tokens, IBufferWriter<byte> output)
    {
        var json = Open(output);
        json.WriteStartArray("choices");
        json.WriteEndArray();
        WriteUsage(tokens, json);
        Close(json, output);
    }

    /// <summary>OpenAI's totals: cached tokens are inside the prompt's, reasoning inside the completion's.</summary>
    public static void WriteUsage(TokenCounts tokens, Utf8JsonWriter json)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", tokens.TotalInput);
        json.WriteNumber("completion_tokens", tokens.TotalOutput);
        json.WriteNumber("total_tokens", tokens.Total);
        json.WriteStartObject("prompt_tokens_details");
        json.WriteNumber("cached_tokens", tokens.CacheRead);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details");
        json.WriteNumber("reasoning_tokens", tokens.Reasoning);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Our own request's id stands in where a provider gives none.</summary>
    public static string IdOf(string? given, AnswerHead head) => string.IsNullOrEmpty(given) ? $"chatcmpl-{head.Request}" : given;

    public static string ReasonOf(FinishReason reason) => reason switch
    {
        FinishReason.Length => "length",
        FinishReason.ToolCalls => "tool_calls",
        FinishReason.ContentFilter => "content_filter",
        _ => "stop",
    };

    private void Note(AnswerStarted started)
    {
        _id = started.Id;
        _model = started.Model;
    }

    /// <summary>The role comes first, once for each choice; where chunks pass as they came, they said it.</summary>
    private void Greet(int choice, IBufferWriter<byte> output)
    {
        if (_passing || !_greeted.Add(choice)) return;
        var json = OpenDelta(choice, output);
        json.WriteString("role"u8, "assistant"u8);
        json.WriteString("content"u8, ""u8);
        CloseDelta(json, null, output);
    }

    private void WriteText(int choice, ReadOnlySpan<byte> field, string text, IBufferWriter<byte> output)
    {
        Greet(choice, output);
        var json = OpenDelta(choice, output);
        json.WriteString(field, text);
        CloseDelta(json, null, output);
    }

    private void WriteCall(int choice, int index, ToolCallStarted? start, string arguments, IBufferWriter<byte> output)
    {
        var json = OpenDelta(choice, output);
        json.WriteStartArray("tool_calls"u8);
        json.WriteStartObject();
        json.WriteNumber("index"u8, index);
        if (start is not null)
        {
            json.WriteString("id"u8, start.Id);
            json.WriteString("type"u8, "function"u8);
        }

        json.WriteStartObject("function"u8);
        if (start is not null) json.WriteString("name"u8, start.Name);
        json.WriteString("arguments"u8, arguments);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndArray();
        CloseDelta(json, null, output);
    }

    private void Finish(Finished finished, IBufferWriter<byte> output)
    {
        Greet(finished.Choice, output);
        CloseCalls(finished.Choice, output);
        CloseDelta(OpenDelta(finished.Choice, output), ReasonOf(finished.Reason), output);
    }

    /// <summary>
    /// A call for which no piece came has no arguments, and "" is no JSON. It is closed before the next begins: clients parse a call's
    /// arguments when they see another index.
    /// </summary>
    private void CloseCalls(int choice, IBufferWriter<byte> output)
    {
        if (_withoutArguments.Remove(choice, out var index)) WriteCall(choice, index, null, "{}", output);
    }

    private Utf8JsonWriter OpenDelta(int choice, IBufferWriter<byte> output)
    {
        var json = Open(output);
        json.WriteStartArray("choices"u8);
        json.WriteStartObject();
        json.WriteNumber("index"u8, choice);
        json.WriteStartObject("delta"u8);
        return json;
    }

    private void CloseDelta(Utf8JsonWriter json, string? reason, IBufferWriter<byte> output)
    {
        json.WriteEndObject();
        json.WriteNull("logprobs"u8);
        json.WriteString("finish_reason"u8, reason);
        json.WriteEndObject();
        json.WriteEndArray();
        // Who asked for usage finds the field on every chunk.
        if (head.Call.IncludeUsage) json.WriteNull("usage"u8);
        Close(json, output);
    }

    private Utf8JsonWriter Open(IBufferWriter<byte> output)
    {
        output.Write("data: "u8);
        var json = new Utf8JsonWriter(output, Json);
        json.WriteStartObject();
        json.WriteString("id"u8, IdOf(_id, head));
        json.WriteString("object"u8, "chat.completion.chunk"u8);
        json.WriteNumber("created"u8, head.At.ToUnixTimeSeconds());
        json.WriteString("model"u8, string.IsNullOrEmpty(_model) ? head.Model : _model);
        return json;
    }

    private static void Close(Utf8JsonWriter json, IBufferWriter<byte> output)
    {
        json.WriteEndObject();
        json.Dispose();
        output.Write("\n\n"u8);
    }
}
