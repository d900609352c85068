using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Agents;

/// <summary>Rows of <c>agent_journal</c>.</summary>
internal static class JournalRows
{
    private const string InsertEntry = "INSERT INTO agent_journal (tenant, run, seq, kind, at, epoch, body) VALUES ($tenant, $run, $seq, $kind, $at, $epoch, $body)";

    private const string SelectEntries =
        "SELECT seq, kind, at, epoch, body FROM agent_journal WHERE tenant = $tenant AND run = $run AND seq >= $from ORDER BY seq LIMIT $limit";

    private const string DeleteEntries = "DELETE FROM agent_journal WHERE tenant = $tenant AND run = $run";

    public static void Insert(Session session, TenantId tenant, RunId run, IReadOnlyList<JournalEntry> entries)
    {
        foreach (var entry in entries)
        {
            using var insert = session.Use(InsertEntry);
            RunRows.Key(insert, tenant, run)
                .Set("$seq", entry.Seq).Set("$kind", entry.Kind).Set("$at", RunRows.Milliseconds(entry.At)).Set("$epoch", entry.Epoch).Set("$body", entry.Body)
                .Run();
        }
    }

    public static List<JournalEntry> Read(Session session, TenantId tenant, RunId run, long from, int limit)
    {
        using var rows = session.Use(SelectEntries);
        RunRows.Key(rows, tenant, run).Set("$from", from).Set("$limit", limit);
        var found = new List<JournalEntry>();
        while (rows.Step()) found.Add(new JournalEntry(rows.Long(0), rows.Text(1), RunRows.Time(rows.Long(2)), rows.Long(3), rows.Text(4)));
        return found;
    }

    /// <summary>Whether the entries are there, each as it is given.</summary>
    public static bool Holds(Session session, TenantId tenant, RunId run, IReadOnlyList<JournalEntry> entries) =>
        Read(session, tenant, run, entries[0].Seq, entries.Count).SequenceEqual(entries.Select(entry => entry with { At = RunRows.Time(RunRows.Milliseconds(entry.At)) }));

    public static void Delete(Session session, TenantId tenant, RunId run)
    {
        using var delete = session.Use(DeleteEntries);
        RunRows.Key(delete, tenant, run).Run();
    }
}
