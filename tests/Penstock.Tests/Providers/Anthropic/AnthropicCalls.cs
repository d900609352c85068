using System.Text;
using Penstock.Contracts;
using Penstock.Gateway;
using Penstock.Gateway.Wire.Anthropic;
using Penstock.Kernel;
using Penstock.Providers.Anthropic;
using Penstock.Providers.Http;

namespace Penstock.Tests.Providers.Anthropic;

internal static class AnthropicCalls
{
    public const string Key = "sk-ant-api03-secret_value-0";

    public static ProviderCall FromAnthropic(string body, string model = "claude-haiku-4-5", int? cap = null)
    {
        var call = new AnthropicDialect().Read(Encoding.UTF8.GetBytes(body));
        return new ProviderCall(call, model, cap ?? call.MaxOutputTokens, new AttemptId("att_1"));
    }

    public static ProviderCall FromOpenAi(bool stream = false, params ChatMessage[] messages) => Of(new ChatCall
    {
        Dialect = Dialect.OpenAi,
        Model = "standard",
        Stream = stream,
        Messages = messages.Length > 0 ? messages : [new ChatMessage(ChatRole.User, [new TextPart("Hello")])],
    });

    public static ProviderCall Of(ChatCall call) => new(call, "claude-haiku-4-5", call.MaxOutputTokens, new AttemptId("att_1"));

    public static IChatProvider Provider(Uri address, UpstreamConnections connections, TimeProvider? time = null) =>
        new AnthropicKind(connections, time ?? new ManualTime()).Create(new ProviderSettings("anthropic", "anthropic", address, Key));

    public static async Task<List<ProviderFrame>> AnswerAsync(RawUpstream upstream, ProviderCall call, CancellationToken ct)
    {
        using var connections = new UpstreamConnections();
        var frames = new List<ProviderFrame>();
        await foreach (var frame in Provider(upstream.Address, connections).ChatAsync(call, ct)) frames.Add(frame);
        return frames;
    }
}
