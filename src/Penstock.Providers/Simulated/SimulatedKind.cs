using Penstock.Gateway;

namespace Penstock.Providers.Simulated;

/// <summary>Makes the provider that paces made-up tokens, for load tests and development.</summary>
internal sealed class SimulatedKind(TimeProvider time) : IProviderKind
{
    public string Kind => "simulated";

    public IChatProvider Create(ProviderSettings settings) => new SimulatedProvider(settings.Name, time);
}
