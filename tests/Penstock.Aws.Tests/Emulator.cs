using Amazon.Runtime;
using Penstock.Aws.DynamoDb;
using Penstock.Emulators;
using Penstock.Kernel;
using Xunit;

[assembly: AssemblyFixture(typeof(Penstock.Aws.Tests.Emulator))]

namespace Penstock.Aws.Tests;

/// <summary>One emulator for all tests; each test has tables of its own.</summary>
public sealed class Emulator : IAsyncLifetime
{
    private DynamoEmulator? _emulator;
    private int _opened;

    public async ValueTask InitializeAsync()
    {
        if (DynamoEmulator.IsForThisMachine) _emulator = await DynamoEmulator.StartAsync();
    }

    public ValueTask DisposeAsync() => _emulator?.DisposeAsync() ?? ValueTask.CompletedTask;

    public DynamoOptions NewOptions()
    {
        if (_emulator is null) Assert.Skip("The DynamoDB emulator is a program for Linux on x64.");
        return new DynamoOptions { Endpoint = _emulator.Endpoint, TablePrefix = $"t{Interlocked.Increment(ref _opened)}-", Region = "eu-central-1", CreateTables = true };
    }

    /// <summary>Fresh tables.</summary>
    internal async Task<DynamoDatabase> OpenAsync(HttpClientFactory? http = null)
    {
        var database = Connect(NewOptions(), http);
        await database.Tables.EnsureAsync(database.Client, database.Time, TestContext.Current.CancellationToken);
        return database;
    }

    internal static DynamoDatabase Connect(DynamoOptions options, HttpClientFactory? http = null, TimeSpan ahead = default) =>
        new(AwsSetup.Connect(options, new BasicAWSCredentials("test", "test"), http), new DynamoTables(options.TablePrefix), new Hurry(ahead), new IdSource());

    /// <summary>The real time, or ahead of it, in which waits are a fiftieth: an emulator is busy for no longer.</summary>
    private sealed class Hurry(TimeSpan ahead) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + ahead;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => System.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? dueTime / 50 : dueTime, period);
    }
}
