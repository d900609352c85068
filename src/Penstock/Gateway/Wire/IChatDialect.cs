using System.Buffers;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Usage;

namespace Penstock.Gateway.Wire;

/// <summary>The client's side of a wire format: reads its requests, writes its answers and its errors.</summary>
internal interface IChatDialect
{
    Dialect Name { get; }

    ErrorShape Errors { get; }

    /// <summary>Throws <see cref="RefusedException"/> (400) that names the field.</summary>
    ChatCall Read(ReadOnlyMemory<byte> body);

    /// <summary>A writer for one answer.</summary>
    IAnswerWriter Answer(AnswerHead head);
}

/// <summary>What is known before the provider answers.</summary>
/// <param name="SameDialect">The provider speaks the client's dialect, so that frames pass through byte for byte.</param>
internal sealed record AnswerHead(RequestId Request, ChatCall Call, string Provider, string Model, bool SameDialect, DateTimeOffset At);

/// <summary>What was booked for the answer.</summary>
internal sealed record Receipt(TokenCounts Tokens, Money Cost, bool Estimated, int LatencyMs);

/// <summary>
/// Writes one answer. For a stream: any number of <see cref="WritePing"/>, <see cref="WriteFrame"/> for each frame but the last, then
/// <see cref="WriteEnd"/> with the last; or <see cref="WriteError"/> at any point, after which nothing follows. Else: one <see cref="WriteWhole"/>.
/// </summary>
internal interface IAnswerWriter
{
    void WriteFrame(in ProviderFrame frame, IBufferWriter<byte> output);

    /// <summary>Keeps a silent connection open; must be legal before the first frame.</summary>
    void WritePing(IBufferWriter<byte> output);

    void WriteEnd(in ProviderFrame last, Receipt receipt, IBufferWriter<byte> output);

    /// <summary>An error after the answer began, as a frame of this dialect.</summary>
    void WriteError(Refusal refusal, IBufferWriter<byte> output);

    void WriteWhole(in ProviderFrame frame, Receipt receipt, IBufferWriter<byte> output);
}
