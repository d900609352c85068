using Penstock.Agents;
using Penstock.Aws.DynamoDb.Agents;
using Penstock.Contracts;

namespace Penstock.Aws.Tests;

public sealed class DynamoRunStoreTests(Emulator emulator) : RunStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override async ValueTask<IRunStore> OpenAsync() => new DynamoRunStore(await _tables.OpenAsync());

    protected override ValueTask<IRunStore> ReopenAsync() => ValueTask.FromResult<IRunStore>(new DynamoRunStore(_tables.Database));

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoMemoryStoreTests(Emulator emulator) : MemoryStoreContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override async ValueTask<IMemoryStore> OpenAsync() => new DynamoMemoryStore(await _tables.OpenAsync());

    protected override ValueTask<IMemoryStore> ReopenAsync() => ValueTask.FromResult<IMemoryStore>(new DynamoMemoryStore(_tables.Database));

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}

public sealed class DynamoRunFaultsTests(Emulator emulator) : RunFaultsContract
{
    private readonly OpenedTables _tables = new(emulator);

    protected override int Cases => 60;

    protected override async ValueTask<IRunStore> OpenAsync() => new DynamoRunStore(await _tables.OpenAsync());

    protected override ValueTask CloseAsync() => _tables.DisposeAsync();
}
