namespace Penstock.Sqlite;

internal static partial class Schema
{
    /// <summary>A run's balance begins at nothing with its first call, and not from rollups, which know no runs: when that was says whether retention dropped any of it.</summary>
    public const string LedgerRuns = """
        ALTER TABLE ledger ADD COLUMN run TEXT;
        ALTER TABLE budget_balances ADD COLUMN opened_at INTEGER;
        """;
}
