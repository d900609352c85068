using System.Buffers;
using System.Text.Json;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.OpenAi;

/// <summary>
/// Writes one answer of <c>/v1/chat/completions</c>. A provider of this dialect is passed through byte for byte, but for the closing
/// usage chunk that we ask for and the client did not; any other is written from its updates. A frame without bytes is always written
/// from its updates.
/// </summary>
internal sealed class OpenAiAnswerWriter(AnswerHead head) : IAnswerWriter
{
    private readonly OpenAiChunks _chunks = new(head);
    private bool _usageShown;

    public void WriteFrame(in ProviderFrame frame, IBufferWriter<byte> output)
    {
        if (head.SameDialect && !frame.Data.IsEmpty) Pass(frame, output);
        else foreach (var update in frame.Updates) _chunks.Write(update, output);
    }

    public void WritePing(IBufferWriter<byte> output) => output.Write(": ping\n\n"u8);

    public void WriteEnd(in ProviderFrame last, Receipt receipt, IBufferWriter<byte> output)
    {
        WriteFrame(last, output);
        // A provider of this dialect may have left it out, though we ask every time.
        if (head.Call.IncludeUsage && !_usageShown) _chunks.WriteUsage(receipt.Tokens, output);
        output.Write("data: [DONE]\n\n"u8);
    }

    public void WriteError(Refusal refusal, IBufferWriter<byte> output)
    {
        output.Write("data: "u8);
        using (var json = new Utf8JsonWriter(output, OpenAiChunks.Json)) OpenAiErrors.Write(refusal, json);
        output.Write("\n\n"u8);
    }

    public void WriteWhole(in ProviderFrame frame, Receipt receipt, IBufferWriter<byte> output)
    {
        if (head.SameDialect && !frame.Data.IsEmpty) output.Write(frame.Data.Span);
        else OpenAiCompletion.Write(head, new AnswerFold().Add(frame), receipt.Tokens, output);
    }

    private void Pass(in ProviderFrame frame, IBufferWriter<byte> output)
    {
        _chunks.Note(frame.Updates);
        if (frame.Updates.Any(update => update is UsageReported))
        {
            if (!head.Call.IncludeUsage && IsClosingUsage(frame.Data)) return;
            _usageShown = true;
        }

        WriteEvent(frame.Data.Span, output);
    }

    /// <summary>JSON may hold line breaks between its tokens; each line of an event is a data line of its own.</summary>
    private static void WriteEvent(ReadOnlySpan<byte> data, IBufferWriter<byte> output)
    {
        foreach (var line in data.Split((byte)'\n'))
        {
            output.Write("data: "u8);
            output.Write(data[line]);
            output.Write("\n"u8);
        }

        output.Write("\n"u8);
    }

    // Some servers add usage to chunks that carry text: those pass whole.
    private static bool IsClosingUsage(ReadOnlyMemory<byte> data)
    {
        using var chunk = JsonDocument.Parse(data);
        return !chunk.RootElement.TryGetProperty("choices", out var choices) || choices.ValueKind != JsonValueKind.Array || choices.GetArrayLength() == 0;
    }
}
