using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Budgets;
using Penstock.Keys;
using Penstock.Prompts;
using Penstock.Sqlite;
using Penstock.Usage;

namespace Penstock.Tests.Keys;

/// <summary>The embedded store in a folder of its own, gone after the test.</summary>
internal sealed class EmbeddedStore : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("penstock-");
    private readonly ServiceProvider _services;

    public EmbeddedStore() =>
        _services = new ServiceCollection().AddSqliteStore(new SqliteOptions { DataFolder = Path.Combine(_folder.FullName, "data") }).BuildServiceProvider();

    public IKeyStore Keys => _services.GetRequiredService<IKeyStore>();

    public IProviderKeyStore ProviderKeys => _services.GetRequiredService<IProviderKeyStore>();

    public IBudgetStore Budgets => _services.GetRequiredService<IBudgetStore>();

    public IAlertStore Alerts => _services.GetRequiredService<IAlertStore>();

    public IPromptStore Prompts => _services.GetRequiredService<IPromptStore>();

    public IRunStore Runs => _services.GetRequiredService<IRunStore>();

    public IUsageStore Usage => _services.GetRequiredService<IUsageStore>();

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
