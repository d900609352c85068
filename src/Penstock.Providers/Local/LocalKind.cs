using Penstock.Gateway;

namespace Penstock.Providers.Local;

/// <summary>Makes the provider that computes its answers in this process and needs no key.</summary>
internal sealed class LocalKind : IProviderKind
{
    public string Kind => "local";

    public IChatProvider Create(ProviderSettings settings) => new LocalProvider(settings.Name);
}
