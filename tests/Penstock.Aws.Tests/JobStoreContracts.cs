using Penstock.Aws.DynamoDb.Jobs;
using Penstock.Contracts;
using Penstock.Jobs;

namespace Penstock.Aws.Tests;

public sealed class DynamoJobStoreTests(Emulator emulator) : JobStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override async ValueTask<IJobStore> OpenAsync() => new DynamoJobStore(await _tables.OpenAsync());

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}
