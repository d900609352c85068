using System.Buffers;
using Penstock.Kernel;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>An Anthropic provider's answer for an Anthropic client: every byte as it came.</summary>
internal sealed class AnthropicPassage(AnswerHead head) : IAnswerWriter
{
    public void WriteFrame(in ProviderFrame frame, IBufferWriter<byte> output) => AnthropicFrames.Pass(frame.Event, frame.Data.Span, output);

    public void WritePing(IBufferWriter<byte> output) => AnthropicFrames.WritePing(output);

    public void WriteEnd(in ProviderFrame last, Receipt receipt, IBufferWriter<byte> output) => WriteFrame(last, output);

    public void WriteError(Refusal refusal, IBufferWriter<byte> output) => AnthropicFrames.WriteError(AnthropicErrors.Instance, refusal, head.Request, output);

    public void WriteWhole(in ProviderFrame frame, Receipt receipt, IBufferWriter<byte> output) => output.Write(frame.Data.Span);
}
