using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Gateway;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Kernel;
using Penstock.Providers.Http;
using Penstock.Providers.OpenAi;
using Penstock.Providers.Tokens;

namespace Penstock.Tests.Providers.OpenAi;

/// <summary>Calls and providers to test with.</summary>
internal static class OpenAiCalls
{
    public const string Key = "sk-secret-0123456789";

    public static readonly AttemptId Attempt = new("att_1");

    public static ChatCall Hello { get; } = new() { Dialect = Dialect.Anthropic, Model = "standard", Messages = [new ChatMessage(ChatRole.User, [new TextPart("Hello")])] };

    /// <summary>A call as a client of this dialect makes it.</summary>
    public static ChatCall Client(string body) => OpenAiRequestReader.Read(Encoding.UTF8.GetBytes(body));

    public static ProviderCall To(this ChatCall call, string model = "gpt-4o-mini", int? cap = null) => new(call, model, cap, Attempt);

    public static IChatProvider Provider(Uri url, UpstreamConnections connections, TimeProvider? time = null, string? key = Key, TimeSpan? idle = null) =>
        new OpenAiKind(connections, new TokenCounter(new Tokenizers(NullLogger<Tokenizers>.Instance)), time ?? TimeProvider.System)
            .Create(new ProviderSettings("openai", "openai", url, key) { IdleTimeout = idle ?? TimeSpan.FromSeconds(20) });

    public static async Task<List<ProviderFrame>> FramesAsync(ReplayServer.Answer answer, ChatCall call, CancellationToken ct)
    {
        await using var server = new ReplayServer(answer);
        using var connections = new UpstreamConnections();
        return await FramesAsync(Provider(server.Url, connections), call, ct);
    }

    public static async Task<List<ProviderFrame>> FramesAsync(IChatProvider provider, ChatCall call, CancellationToken ct)
    {
        var frames = new List<ProviderFrame>();
        await foreach (var frame in provider.ChatAsync(call.To(), ct)) frames.Add(frame);
        return frames;
    }

    public static IReadOnlyList<ChatUpdate> Updates(this IEnumerable<ProviderFrame> frames) => [.. frames.SelectMany(frame => frame.Updates)];

    public static string Text(this ProviderFrame frame) => Encoding.UTF8.GetString(frame.Data.Span);
}
