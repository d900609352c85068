using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Penstock.Agents;
using Penstock.Blobs;
using Penstock.Budgets;
using Penstock.Gateway.Cache;
using Penstock.Idempotency;
using Penstock.Jobs;
using Penstock.Keys;
using Penstock.Prompts;
using Penstock.Sqlite.Agents;
using Penstock.Sqlite.Blobs;
using Penstock.Sqlite.Budgets;
using Penstock.Sqlite.Cache;
using Penstock.Sqlite.Idempotency;
using Penstock.Sqlite.Jobs;
using Penstock.Sqlite.Keys;
using Penstock.Sqlite.Prompts;
using Penstock.Sqlite.Usage;
using Penstock.Usage;

namespace Penstock.Sqlite;

public static class SqliteSetup
{
    /// <summary>
    /// The embedded store behind every port it has an adapter for. The database opens when it is first resolved, on which a host insists at its start:
    /// see <see cref="SqliteDatabase.Open"/> for what that can throw. It closes with the service provider.
    /// </summary>
    public static IServiceCollection AddSqliteStore(this IServiceCollection services, SqliteOptions options)
    {
        services.AddSingleton(provider =>
            SqliteDatabase.Open(options, provider.GetService<TimeProvider>(), provider.GetService<ILogger<SqliteDatabase>>()));
        services.AddSingleton<IKeyStore, SqliteKeyStore>();
        services.AddSingleton<IProviderKeyStore, SqliteProviderKeyStore>();
        services.AddSingleton<IUsageStore, SqliteUsageStore>();
        services.AddSingleton<IBudgetStore, SqliteBudgetStore>();
        services.AddSingleton<ICacheStore, SqliteCacheStore>();
        services.AddSingleton<IIdempotencyStore, SqliteIdempotencyStore>();
        services.AddSingleton<IAlertStore, SqliteAlertStore>();
        services.AddSingleton<IPromptStore, SqlitePromptStore>();
        services.AddSingleton<IRunStore, SqliteRunStore>();
        services.AddSingleton<IMemoryStore, SqliteMemoryStore>();
        services.AddSingleton<IBlobStore>(provider => new FolderBlobStore(Path.Combine(Path.GetDirectoryName(provider.GetRequiredService<SqliteDatabase>().File)!, "blobs")));
        services.AddSingleton<IJobQueue, SqliteJobQueue>();
        services.AddSingleton<IJobStore, SqliteJobStore>();
        return services;
    }
}
