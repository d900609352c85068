using Penstock.Gateway;
using Penstock.Providers.Http;

namespace Penstock.Providers.Anthropic;

/// <summary>
/// Anthropic's API, or a server that speaks like it. The base URL is without the version, such as <c>https://api.anthropic.com</c>;
/// one that ends in <c>/v1</c> is understood too.
/// </summary>
public sealed class AnthropicKind(UpstreamConnections connections, TimeProvider time) : IProviderKind
{
    private static readonly Uri Official = new("https://api.anthropic.com");

    public string Kind => "anthropic";

    public IChatProvider Create(ProviderSettings settings) =>
        new AnthropicProvider(settings, new Upstream(settings with { BaseUrl = Origin(settings.BaseUrl ?? Official) }, connections, time), time);

    private static Uri Origin(Uri configured)
    {
        var address = configured.AbsoluteUri.TrimEnd('/');
        return new Uri(address.EndsWith("/v1", StringComparison.Ordinal) ? address[..^3] : address);
    }
}
