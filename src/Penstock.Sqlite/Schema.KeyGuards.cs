namespace Penstock.Sqlite;

internal static partial class Schema
{
    public const string KeyGuards = """
        ALTER TABLE keys ADD COLUMN guards TEXT; -- JSON; NULL where the key has no rules of its own
        """;
}
