using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Agents;

/// <summary>Rows of <c>agent_chunks</c>.</summary>
internal static class ChunkRows
{
    private const string InsertChunk = "INSERT INTO agent_chunks (tenant, run, seq, sub, at, body) VALUES ($tenant, $run, $seq, $sub, $at, $body) ON CONFLICT DO NOTHING";

    private const string SelectChunks = """
        SELECT seq, sub, at, body FROM agent_chunks
        WHERE tenant = $tenant AND run = $run AND (seq, sub) > ($seq, $sub) AND seq <= $to
        ORDER BY seq, sub LIMIT $limit
        """;

    private const string DeleteOfRun = "DELETE FROM agent_chunks WHERE tenant = $tenant AND run = $run";

    // Every tenant's: age is all that counts.
    internal const string DeleteOld = """
        DELETE FROM agent_chunks WHERE (tenant, run, seq, sub) IN
          (SELECT tenant, run, seq, sub FROM agent_chunks WHERE at < $before ORDER BY at LIMIT $limit)
        """;

    public static void Insert(Session session, TenantId tenant, RunId run, IReadOnlyList<RunChunk> chunks)
    {
        foreach (var chunk in chunks)
        {
            using var insert = session.Use(InsertChunk);
            RunRows.Key(insert, tenant, run).Set("$seq", chunk.Seq).Set("$sub", chunk.Sub).Set("$at", RunRows.Milliseconds(chunk.At)).Set("$body", chunk.Body).Run();
        }
    }

    public static List<RunChunk> Read(Session session, TenantId tenant, RunId run, (long Seq, int Sub) after, long to, int limit)
    {
        using var rows = session.Use(SelectChunks);
        RunRows.Key(rows, tenant, run).Set("$seq", after.Seq).Set("$sub", after.Sub).Set("$to", to).Set("$limit", limit);
        var found = new List<RunChunk>();
        while (rows.Step()) found.Add(new RunChunk(rows.Long(0), rows.Int(1), RunRows.Time(rows.Long(2)), rows.Text(3)));
        return found;
    }

    public static void Delete(Session session, TenantId tenant, RunId run)
    {
        using var delete = session.Use(DeleteOfRun);
        RunRows.Key(delete, tenant, run).Run();
    }

    /// <summary>How many there were, at most <paramref name="limit"/>.</summary>
    public static int DeleteBefore(Session session, DateTimeOffset before, int limit)
    {
        using var delete = session.Use(DeleteOld);
        return delete.Set("$before", RunRows.Milliseconds(before)).Set("$limit", limit).Run();
    }
}
