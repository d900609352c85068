using Penstock.Gateway;
using Penstock.Gateway.Wire;
using Penstock.Kernel;
using Penstock.Providers.Local;
using Xunit;

namespace Penstock.Tests.Providers.Local;

/// <summary>Calls the local provider as the gateway does.</summary>
internal static class Asking
{
    public static readonly LocalProvider Provider = new("local");

    public static ChatCall Call(string user, string? system = null, string? schema = null)
    {
        var messages = new List<ChatMessage>();
        if (system is not null) messages.Add(new ChatMessage(ChatRole.System, [new TextPart(system)]));
        messages.Add(new ChatMessage(ChatRole.User, [new TextPart(user)]));
        return new ChatCall { Dialect = Dialect.OpenAi, Model = "local", Messages = messages, ResponseFormat = schema is null ? null : new ResponseFormat("out", schema) };
    }

    public static ProviderCall At(ChatCall call, int? most = null) => new(call, "local", most, new AttemptId("att_1"));

    public static Task<List<ProviderFrame>> Frames(IChatProvider provider, ProviderCall call) => FramesUntil(provider, call, TestContext.Current.CancellationToken);

    public static async Task<List<ProviderFrame>> FramesUntil(IChatProvider provider, ProviderCall call, CancellationToken ct)
    {
        var frames = new List<ProviderFrame>();
        await foreach (var frame in provider.ChatAsync(call, ct)) frames.Add(frame);
        return frames;
    }

    public static async Task<AnswerFold> Whole(IChatProvider provider, ProviderCall call)
    {
        var fold = new AnswerFold();
        foreach (var frame in await Frames(provider, call)) fold.Add(frame);
        return fold;
    }

    public static async Task<string> Ask(string user, string? system = null, string? schema = null) => (await Whole(Provider, At(Call(user, system, schema)))).First.Text;
}
