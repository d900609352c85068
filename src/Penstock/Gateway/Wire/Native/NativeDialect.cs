using Penstock.Http;

namespace Penstock.Gateway.Wire.Native;

/// <summary>Our own JSON, on <c>/v1/complete</c> and <c>/v1/stream</c>. Strict: a field it does not know is refused by name.</summary>
internal sealed class NativeDialect : IChatDialect
{
    public Dialect Name => Dialect.Native;

    public ErrorShape Errors => ProblemShape.Instance;

    public ChatCall Read(ReadOnlyMemory<byte> body) => NativeRequest.Read(body);

    public IAnswerWriter Answer(AnswerHead head) => new NativeAnswer(head);
}
