using Penstock.Http;

namespace Penstock.Gateway.Wire.Anthropic;

/// <summary>The client's side of <c>/v1/messages</c> and <c>/v1/messages/count_tokens</c>.</summary>
internal sealed class AnthropicDialect : IChatDialect
{
    public Dialect Name => Dialect.Anthropic;

    public ErrorShape Errors => AnthropicErrors.Instance;

    public ChatCall Read(ReadOnlyMemory<byte> body) => new AnthropicRequest(body, counting: false).Read();

    /// <summary>A body of <c>count_tokens</c>: the same but for <c>max_tokens</c>, which nobody needs to count what goes in.</summary>
    public static ChatCall ReadCount(ReadOnlyMemory<byte> body) => new AnthropicRequest(body, counting: true).Read();

    public IAnswerWriter Answer(AnswerHead head) => head.SameDialect ? new AnthropicPassage(head) : new AnthropicAnswerWriter(head);
}
