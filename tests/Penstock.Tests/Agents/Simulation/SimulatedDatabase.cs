using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Agents;
using Penstock.Budgets;
using Penstock.Gateway;
using Penstock.Gateway.Cache;
using Penstock.Idempotency;
using Penstock.Keys;
using Penstock.Prompts;
using Penstock.Providers.Tokens;
using Penstock.Sqlite;
using Penstock.Usage;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>One embedded store for many simulations, each of which is a tenant of it.</summary>
internal sealed class SimulatedDatabase : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"penstock-simulation-{Guid.NewGuid():N}"));
    private readonly ServiceProvider _services;
    private readonly List<ServiceDescriptor> _ports = [];
    private readonly ITokenCounter _counter;

    public SimulatedDatabase()
    {
        _services = new ServiceCollection().AddSqliteStore(new SqliteOptions { DataFolder = Path.Combine(_folder.FullName, "data") }).BuildServiceProvider();
        Agents = Directory.CreateDirectory(Path.Combine(_folder.FullName, "agents")).FullName;
        File.WriteAllText(Path.Combine(Agents, "sim-child.yaml"), Simulation.Definition("sim-child", new(0), hands: false));
        Catalog.Use(Agents);
        _counter = new TokenCounter(new Tokenizers(NullLogger<Tokenizers>.Instance, Path.Combine(_folder.FullName, "none")));
        Port<IKeyStore>();
        Port<IProviderKeyStore>();
        Port<IUsageStore>();
        Port<IBudgetStore>();
        Port<ICacheStore>();
        Port<IIdempotencyStore>();
        Port<IAlertStore>();
        Port<IPromptStore>();
        Port<IMemoryStore>();
        Runs = Blocking.Around(_services.GetRequiredService<IRunStore>());
    }

    public string Agents { get; }

    public AgentCatalog Catalog { get; } = new(NullLogger<AgentCatalog>.Instance);

    public IRunStore Runs { get; }

    public void AddTo(IServiceCollection services)
    {
        foreach (var port in _ports) services.Add(port);
        services.AddSingleton(_counter);
        services.AddSingleton(Catalog);
        services.AddSingleton(Runs);
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private void Port<T>()
        where T : class => _ports.Add(ServiceDescriptor.Singleton(Blocking.Around(_services.GetRequiredService<T>())));
}
