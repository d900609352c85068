using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.Native;

/// <summary>
/// Writes one answer in our own JSON. There are no bytes of a provider to pass through: all is written from the updates.
/// Signatures of thinking are not shown, because no request of this dialect could send them back.
/// </summary>
internal sealed class NativeAnswer(AnswerHead head) : IAnswerWriter, IDisposable
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // Pointed at the real output before each use.
    private readonly Utf8JsonWriter _json = new(new ArrayBufferWriter<byte>(), Options);
    private readonly SortedSet<int> _withoutArguments = [];
    private bool _started;
    private Finished? _finished;

    public void WriteFrame(in ProviderFrame frame, IBufferWriter<byte> output)
    {
        foreach (var update in frame.Updates) WriteUpdate(update, output);
    }

    public void WritePing(IBufferWriter<byte> output) => output.Write(": ping\n\n"u8);

    public void WriteEnd(in ProviderFrame last, Receipt receipt, IBufferWriter<byte> output)
    {
        WriteFrame(last, output);
        Start(head.Request.Value, head.Model, output);
        // A call for which no piece came has no arguments, and "" is no JSON.
        foreach (var index in _withoutArguments) WriteArguments(index, "{}", output);
        Open("done", output);
        WriteFinish(_finished);
        WriteReceipt(receipt);
        Close(output);
        output.Write("data: [DONE]\n\n"u8);
    }

    public void WriteError(Refusal refusal, IBufferWriter<byte> output)
    {
        Open("error", output);
        _json.WritePropertyName("error");
        ProblemShape.Instance.Write(refusal, head.Request, _json);
        Close(output);
    }

    public void WriteWhole(in ProviderFrame frame, Receipt receipt, IBufferWriter<byte> output)
    {
        var fold = new AnswerFold().Add(frame);
        var answer = fold.First;
        _json.Reset(output);
        _json.WriteStartObject();
        _json.WriteString("id", fold.Id ?? head.Request.Value);
        _json.WriteString("content", answer.Text);
        _json.WriteString("model", fold.Model ?? head.Model);
        _json.WriteString("provider", head.Provider);
        WriteFinish(answer.Reason is { } reason ? new Finished(0, reason, answer.StopSequence) : null);
        WriteCalls(answer.ToolCalls);
        if (answer.Refusal is { } declined) _json.WriteString("refusal", declined);
        if (answer.Thinking is { Count: > 0 } thinking) _json.WriteString("thinking", string.Join("\n\n", thinking.Select(block => block.Text)));
        WriteReceipt(receipt);
        _json.WriteEndObject();
        _json.Flush();
    }

    public void Dispose() => _json.Dispose();

    private void WriteUpdate(ChatUpdate update, IBufferWriter<byte> output)
    {
        switch (update)
        {
            case AnswerStarted started:
                Start(Given(started.Id, head.Request.Value), Given(started.Model, head.Model), output);
                break;
            case TextDelta { Choice: 0 } text:
                WriteText("text", text.Text, output);
                break;
            case RefusalDelta { Choice: 0 } declined:
                WriteText("refusal", declined.Text, output);
                break;
            case ThinkingDelta thinking:
                WriteText("thinking", thinking.Text, output);
                break;
            case ToolCallStarted { Choice: 0 } call:
                _withoutArguments.Add(call.Index);
                Begin("toolCall", output);
                _json.WriteNumber("index", call.Index);
                _json.WriteString("id", call.Id);
                _json.WriteString("name", call.Name);
                Close(output);
                break;
            case ToolCallDelta { Choice: 0, Arguments.Length: > 0 } piece:
                _withoutArguments.Remove(piece.Index);
                WriteArguments(piece.Index, piece.Arguments, output);
                break;
            case Finished { Choice: 0 } finished:
                _finished = finished;
                break;
        }
    }

    private static string Given(string value, string otherwise) => value.Length > 0 ? value : otherwise;

    private void WriteText(string type, string text, IBufferWriter<byte> output)
    {
        if (text.Length == 0) return;
        Begin(type, output);
        _json.WriteString("text", text);
        Close(output);
    }

    private void WriteArguments(int index, string piece, IBufferWriter<byte> output)
    {
        Begin("toolCallDelta", output);
        _json.WriteNumber("index", index);
        _json.WriteString("arguments", piece);
        Close(output);
    }

    /// <summary>Writes the start event unless it was written: a client may rely on its being the first.</summary>
    private void Start(string id, string model, IBufferWriter<byte> output)
    {
        if (_started) return;
        _started = true;
        Open("start", output);
        _json.WriteString("id", id);
        _json.WriteString("model", model);
        _json.WriteString("provider", head.Provider);
        Close(output);
    }

    private void Begin(string type, IBufferWriter<byte> output)
    {
        Start(head.Request.Value, head.Model, output);
        Open(type, output);
    }

    private void Open(string type, IBufferWriter<byte> output)
    {
        output.Write("data: "u8);
        _json.Reset(output);
        _json.WriteStartObject();
        _json.WriteString("type", type);
    }

    private void Close(IBufferWriter<byte> output)
    {
        _json.WriteEndObject();
        _json.Flush();
        output.Write("\n\n"u8);
    }

    private void WriteFinish(Finished? finished)
    {
        _json.WriteString("finishReason", (finished?.Reason ?? FinishReason.Stop) switch
        {
            FinishReason.StopSequence => "stopSequence",
            FinishReason.Length => "length",
            FinishReason.ToolCalls => "toolCalls",
            FinishReason.ContentFilter => "contentFilter",
            _ => "stop",
        });
        if (finished?.StopSequence is { } sequence) _json.WriteString("stopSequence", sequence);
    }

    private void WriteCalls(IReadOnlyList<ToolCallPart> calls)
    {
        if (calls.Count == 0) return;
        _json.WriteStartArray("toolCalls");
        foreach (var call in calls)
        {
            _json.WriteStartObject();
            _json.WriteString("id", call.Id);
            _json.WriteString("name", call.Name);
            WriteArguments(call.Arguments);
            _json.WriteEndObject();
        }

        _json.WriteEndArray();
    }

    /// <summary>As an object, or as text where the model wrote none: a client must see what came.</summary>
    private void WriteArguments(string arguments)
    {
        try
        {
            using var parsed = JsonDocument.Parse(arguments);
            if (parsed.RootElement.ValueKind == JsonValueKind.Object)
            {
                _json.WritePropertyName("arguments");
                _json.WriteRawValue(arguments, skipInputValidation: true);
                return;
            }
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            // Shown as text below.
        }

        _json.WriteString("argumentsText", arguments);
    }

    private void WriteReceipt(Receipt receipt)
    {
        NativeUsage.Write(_json, receipt);
    }
}
