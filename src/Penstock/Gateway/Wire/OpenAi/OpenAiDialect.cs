using Penstock.Http;

namespace Penstock.Gateway.Wire.OpenAi;

/// <summary>The client's side of <c>/v1/chat/completions</c>.</summary>
internal sealed class OpenAiDialect : IChatDialect
{
    public Dialect Name => Dialect.OpenAi;

    public ErrorShape Errors => OpenAiErrors.Instance;

    public ChatCall Read(ReadOnlyMemory<byte> body) => OpenAiRequestReader.Read(body);

    public IAnswerWriter Answer(AnswerHead head) => new OpenAiAnswerWriter(head);
}
