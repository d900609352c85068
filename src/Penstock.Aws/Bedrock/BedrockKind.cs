using Penstock.Aws.Signing;
using Penstock.Gateway;
using Penstock.Providers.Http;

namespace Penstock.Aws.Bedrock;

/// <summary>Amazon Bedrock in one region: that of the address where it is AWS's own, else the server's. An API key is a bearer token; without one, requests are signed.</summary>
internal sealed class BedrockKind(AwsModelOptions options, UpstreamConnections connections, ITokenCounter tokens, TimeProvider time) : IProviderKind
{
    private const string Host = "bedrock-runtime";

    public string Kind => "bedrock";

    public IChatProvider Create(ProviderSettings settings)
    {
        var known = settings with { BaseUrl = AwsRuntime.AddressOf(settings, options.BedrockEndpoint, Host, options.Region) };
        var access = new AwsAccess(settings.Name, AwsRuntime.RegionOf(known.BaseUrl, Host, options.Region), "bedrock", settings.ApiKey, options.Credentials, time);
        return new BedrockProvider(known, new Upstream(known, connections, time), access, tokens, time);
    }
}
