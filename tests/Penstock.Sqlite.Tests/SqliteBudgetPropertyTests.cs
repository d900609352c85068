using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Usage;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed class SqliteBudgetPropertyTests(ITestOutputHelper output) : BudgetProperties(output)
{
    private readonly OpenedStore _store = new();

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync() => ValueTask.FromResult(_store.Ledger);

    protected override ValueTask CloseAsync() => _store.DisposeAsync();
}
