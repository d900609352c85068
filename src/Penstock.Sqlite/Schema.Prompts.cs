namespace Penstock.Sqlite;

internal static partial class Schema
{
    public const string Prompts = """
        CREATE TABLE prompt_versions (
          tenant TEXT NOT NULL,
          name TEXT NOT NULL,
          hash TEXT NOT NULL,
          at INTEGER NOT NULL,
          added_by TEXT NOT NULL,
          text TEXT NOT NULL,
          PRIMARY KEY (tenant, name, hash)
        );

        -- A label points where its last move says; its number decides between two movers.
        CREATE TABLE prompt_moves (
          tenant TEXT NOT NULL,
          name TEXT NOT NULL,
          label TEXT NOT NULL,
          number INTEGER NOT NULL,
          from_hash TEXT,
          to_hash TEXT NOT NULL,
          before INTEGER NOT NULL,
          moved_by TEXT NOT NULL,
          at INTEGER NOT NULL,
          reason TEXT NOT NULL,
          PRIMARY KEY (tenant, name, label, number)
        ) WITHOUT ROWID;
        """;
}
