using Penstock.Gateway;
using Penstock.Providers.Http;
using Penstock.Providers.Tokens;

namespace Penstock.Providers.OpenAi;

/// <summary>OpenAI, and every server that speaks its dialect.</summary>
internal sealed class OpenAiKind(UpstreamConnections connections, TokenCounter tokens, TimeProvider time) : IProviderKind
{
    private static readonly Uri Usual = new("https://api.openai.com/v1");

    public string Kind => "openai";

    /// <summary>Without a base URL it is OpenAI's own. Throws <see cref="ArgumentException"/> for a key that cannot stand in a header.</summary>
    public IChatProvider Create(ProviderSettings settings)
    {
        if (settings.ApiKey is { } key && key.AsSpan().ContainsAnyExceptInRange('!', '~'))
            throw new ArgumentException($"The API key of provider '{settings.Name}' holds a space, a line break or a character beyond ASCII; set it again without.", nameof(settings));
        return new OpenAiProvider(settings with { BaseUrl = settings.BaseUrl ?? Usual }, connections, tokens, time);
    }
}
