namespace Penstock.Sqlite;

internal static partial class Schema
{
    /// <summary>A key of before may call what is built in, as its scopes say.</summary>
    public const string Tools = "ALTER TABLE keys ADD COLUMN tools TEXT NOT NULL DEFAULT '[]';";
}
