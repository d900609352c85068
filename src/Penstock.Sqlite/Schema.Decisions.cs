namespace Penstock.Sqlite;

internal static partial class Schema
{
    public const string Decisions = """
        ALTER TABLE ledger ADD COLUMN template TEXT;
        ALTER TABLE ledger ADD COLUMN decision TEXT;
        """;
}
