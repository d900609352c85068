using System.Buffers;
using System.Text.Json;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>
/// Any other provider's answer in Anthropic's words. Only choice 0 is written: Anthropic's clients cannot ask for more.
/// </summary>
/// <remarks>
/// <c>message_start</c> carries the usage known by then, often nothing: OpenAI counts at the end. <c>message_delta</c> carries what was
/// booked, input included, and Anthropic's clients take the later value.
/// </remarks>
internal sealed class AnthropicAnswerWriter(AnswerHead head) : IAnswerWriter
{
    private readonly AnthropicStreamBlocks _blocks = new();
    private TokenCounts _soFar;
    private Finished? _finished;
    private bool _started;

    public void WriteFrame(in ProviderFrame frame, IBufferWriter<byte> output)
    {
        // A frame that starts the answer may count its input as well, in whatever order.
        foreach (var update in frame.Updates)
        {
            if (update is UsageReported usage) _soFar = usage.Counts;
        }

        foreach (var update in frame.Updates) Write(update, output);
    }

    public void WritePing(IBufferWriter<byte> output) => AnthropicFrames.WritePing(output);

    public void WriteEnd(in ProviderFrame last, Receipt receipt, IBufferWriter<byte> output)
    {
        WriteFrame(last, output);
        Start(null, output);
        _blocks.End(output);
        AnthropicFrames.Write("message_delta", output, json =>
        {
            json.WriteStartObject();
            json.WriteString("type", "message_delta");
            json.WriteStartObject("delta");
            WriteStop(json, _finished?.Reason, _finished?.StopSequence, _blocks.Refused, _blocks.ToolsCalled);
            json.WriteEndObject();
            AnthropicUsage.Write(json, receipt.Tokens, whole: false);
            json.WriteEndObject();
        });
        AnthropicFrames.Write("message_stop", output, json =>
        {
            json.WriteStartObject();
            json.WriteString("type", "message_stop");
            json.WriteEndObject();
        });
    }

    public void WriteError(Refusal refusal, IBufferWriter<byte> output) => AnthropicFrames.WriteError(AnthropicErrors.Instance, refusal, head.Request, output);

    public void WriteWhole(in ProviderFrame frame, Receipt receipt, IBufferWriter<byte> output)
    {
        var fold = new AnswerFold().Add(frame);
        var choice = fold.First;
        AnthropicFrames.WriteJson(output, json =>
        {
            WriteHead(json, fold.Model);
            json.WriteStartArray("content");
            foreach (var part in choice.Parts) AnthropicContent.Write(json, part);
            json.WriteEndArray();
            WriteStop(json, choice.Reason, choice.StopSequence, choice.Refusal is not null, choice.ToolCalls.Count > 0);
            AnthropicUsage.Write(json, receipt.Tokens, whole: true);
            json.WriteEndObject();
        });
    }

    private void Write(ChatUpdate update, IBufferWriter<byte> output)
    {
        if (update is UsageReported) return;
        Start((update as AnswerStarted)?.Model, output);
        switch (update)
        {
            case TextDelta { Choice: 0 } or RefusalDelta { Choice: 0 } or ThinkingDelta or ThinkingSigned or ThinkingRedacted
                or ToolCallStarted { Choice: 0 } or ToolCallDelta { Choice: 0 }:
                _blocks.Add(update, output);
                break;
            case Finished { Choice: 0 } finished:
                _finished = finished;
                break;
        }
    }

    private void Start(string? model, IBufferWriter<byte> output)
    {
        if (_started) return;
        _started = true;
        AnthropicFrames.Write("message_start", output, json =>
        {
            json.WriteStartObject();
            json.WriteString("type", "message_start");
            json.WritePropertyName("message");
            WriteHead(json, model);
            json.WriteStartArray("content");
            json.WriteEndArray();
            json.WriteNull("stop_reason");
            json.WriteNull("stop_sequence");
            AnthropicUsage.Write(json, _soFar, whole: true);
            json.WriteEndObject();
            json.WriteEndObject();
        });
    }

    private void WriteHead(Utf8JsonWriter json, string? model)
    {
        json.WriteStartObject();
        // Other vendors' ids look different; ours lets both sides name the request.
        json.WriteString("id", "msg_" + head.Request.Value[(head.Request.Value.IndexOf('_', StringComparison.Ordinal) + 1)..]);
        json.WriteString("type", "message");
        json.WriteString("role", "assistant");
        json.WriteString("model", model is { Length: > 0 } ? model : head.Model);
    }

    private static void WriteStop(Utf8JsonWriter json, FinishReason? reason, string? stopSequence, bool refused, bool toolsCalled)
    {
        json.WriteString("stop_reason", reason switch
        {
            _ when refused => "refusal",
            FinishReason.ContentFilter => "refusal",
            FinishReason.Length => "max_tokens",
            FinishReason.ToolCalls => "tool_use",
            // OpenAI says "stop" where a tool was called because the client named it; Anthropic's clients go by "tool_use".
            _ when toolsCalled => "tool_use",
            FinishReason.StopSequence => "stop_sequence",
            _ => "end_turn",
        });
        json.WriteString("stop_sequence", stopSequence);
    }
}
