using Penstock.Budgets;
using Penstock.Contracts;
using Penstock.Sqlite.Budgets;
using Penstock.Sqlite.Usage;
using Penstock.Usage;
using Xunit;

namespace Penstock.Sqlite.Tests;

public sealed class BudgetPropertyTests(ITestOutputHelper output) : BudgetProperties(output)
{
    private readonly TemporaryFolder _folder = new();
    private SqliteDatabase? _database;

    protected override ValueTask<(IBudgetStore Budgets, IUsageStore Usage)> OpenAsync()
    {
        _database = _folder.Open();
        return ValueTask.FromResult<(IBudgetStore, IUsageStore)>((new SqliteBudgetStore(_database), new SqliteUsageStore(_database)));
    }

    protected override async ValueTask CloseAsync()
    {
        if (_database is not null) await _database.DisposeAsync();
        _folder.Dispose();
    }
}
