using Penstock.Sqlite.Budgets;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Usage;

/// <summary>Makes the rollups of a ledger that is older than they are.</summary>
internal static class RollupsOfOld
{
    /// <summary>Entries between two writes of what they add up to.</summary>
    private const int AtOnce = 20_000;

    // Every tenant's: a migration is of the whole database.
    internal const string SelectWhetherMissing = "SELECT EXISTS (SELECT 1 FROM ledger WHERE kind > 0) AND NOT EXISTS (SELECT 1 FROM rollups)";

    internal const string SelectAllBooked = $"""
        SELECT {LedgerRows.Columns}
        FROM ledger INDEXED BY ledger_by_time WHERE kind > 0 ORDER BY tenant, at
        """;

    private const string Begin = "BEGIN IMMEDIATE";
    private const string Commit = "COMMIT";

    /// <summary>Whole or not at all: a start that is broken off does it again at the next.</summary>
    public static void Make(Session session)
    {
        using (var missing = session.Use(SelectWhetherMissing))
        {
            missing.Step();
            if (!missing.Flag(0)) return;
        }

        session.RunScript(Begin);
        var books = new Books();
        using (var rows = session.Use(SelectAllBooked))
        {
            for (var count = 1; rows.Step(); count++)
            {
                var entry = LedgerRows.ReadEntry(rows);
                books.Book(entry.Kind, entry.Row);
                if (count % AtOnce == 0) books.Flush(session);
            }
        }

        books.Flush(session);
        session.RunScript(Commit);
    }
}
