using Microsoft.Extensions.DependencyInjection;
using Penstock.Gateway;
using Penstock.Providers.Anthropic;
using Penstock.Providers.Http;
using Penstock.Providers.Local;
using Penstock.Providers.OpenAi;
using Penstock.Providers.Simulated;
using Penstock.Providers.Tokens;

namespace Penstock.Providers;

/// <summary>Registers every kind of provider that is plain HTTP or runs in this process, and the token counter.</summary>
public static class ProvidersSetup
{
    public static IServiceCollection AddProviders(this IServiceCollection services)
    {
        services.AddSingleton<UpstreamConnections>();
        services.AddSingleton<Tokenizers>();
        services.AddSingleton<TokenCounter>();
        services.AddSingleton<ITokenCounter>(provider => provider.GetRequiredService<TokenCounter>());
        services.AddSingleton<IProviderKind, OpenAiKind>();
        services.AddSingleton<IProviderKind, AnthropicKind>();
        services.AddSingleton<IProviderKind, LocalKind>();
        services.AddSingleton<IProviderKind, SimulatedKind>();
        return services;
    }
}
