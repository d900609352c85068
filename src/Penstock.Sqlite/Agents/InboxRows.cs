using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Agents;

/// <summary>Rows of <c>agent_inbox</c>. One that was folded keeps its id, and nothing else.</summary>
internal static class InboxRows
{
    private const string InsertItem = """
        INSERT INTO agent_inbox (tenant, run, id, number, kind, at, body)
        VALUES ($tenant, $run, $id, (SELECT coalesce(max(number), 0) + 1 FROM agent_inbox WHERE tenant = $tenant AND run = $run AND folded = 0), $kind, $at, $body)
        """;

    private const string SelectFolded = "SELECT folded FROM agent_inbox WHERE tenant = $tenant AND run = $run AND id = $id";

    private const string SelectUnread = "SELECT id, kind, at, body FROM agent_inbox WHERE tenant = $tenant AND run = $run AND folded = 0 ORDER BY number";

    private const string SelectAnyUnread = "SELECT 1 FROM agent_inbox WHERE tenant = $tenant AND run = $run AND folded = 0 LIMIT 1";

    private const string FoldItem = "UPDATE agent_inbox SET folded = 1, body = '' WHERE tenant = $tenant AND run = $run AND id = $id";

    private const string DeleteItems = "DELETE FROM agent_inbox WHERE tenant = $tenant AND run = $run";

    public static void Insert(Session session, TenantId tenant, RunId run, InboxItem item)
    {
        using var insert = session.Use(InsertItem);
        RunRows.Key(insert, tenant, run).Set("$id", item.Id).Set("$kind", item.Kind).Set("$at", RunRows.Milliseconds(item.At)).Set("$body", item.Body).Run();
    }

    /// <summary>Null where no item of the id ever came.</summary>
    public static bool? IsFolded(Session session, TenantId tenant, RunId run, string id)
    {
        using var row = session.Use(SelectFolded);
        return RunRows.Key(row, tenant, run).Set("$id", id).Step() ? row.Flag(0) : null;
    }

    public static List<InboxItem> Read(Session session, TenantId tenant, RunId run)
    {
        using var rows = session.Use(SelectUnread);
        RunRows.Key(rows, tenant, run);
        var found = new List<InboxItem>();
        while (rows.Step()) found.Add(new InboxItem(rows.Text(0), rows.Text(1), RunRows.Time(rows.Long(2)), rows.Text(3)));
        return found;
    }

    public static bool AnyUnread(Session session, TenantId tenant, RunId run)
    {
        using var row = session.Use(SelectAnyUnread);
        return RunRows.Key(row, tenant, run).Step();
    }

    public static void Fold(Session session, TenantId tenant, RunId run, IReadOnlyList<string> ids)
    {
        foreach (var id in ids)
        {
            using var fold = session.Use(FoldItem);
            RunRows.Key(fold, tenant, run).Set("$id", id).Run();
        }
    }

    public static void Delete(Session session, TenantId tenant, RunId run)
    {
        using var delete = session.Use(DeleteItems);
        RunRows.Key(delete, tenant, run).Run();
    }
}
