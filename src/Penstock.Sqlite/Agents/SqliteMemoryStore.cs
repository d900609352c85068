using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Agents;

/// <summary>Threads and facts in SQLite. Times are kept to the millisecond.</summary>
internal sealed class SqliteMemoryStore(SqliteDatabase database) : IMemoryStore
{
    private const string SelectOfRun =
        "SELECT 1 FROM memory_messages WHERE tenant = $tenant AND project = $project AND conversation = $conversation AND run = $run LIMIT 1";

    private const string InsertMessage = """
        INSERT INTO memory_messages (tenant, project, conversation, number, run, role, text, at) VALUES ($tenant, $project, $conversation,
          (SELECT coalesce(max(number), 0) + 1 FROM memory_messages WHERE tenant = $tenant AND project = $project AND conversation = $conversation), $run, $role, $text, $at)
        """;

    private const string SelectLatest = """
        SELECT role, text, at FROM memory_messages WHERE tenant = $tenant AND project = $project AND conversation = $conversation
        ORDER BY number DESC LIMIT $limit
        """;

    private const string DeleteMessages = "DELETE FROM memory_messages WHERE tenant = $tenant AND project = $project AND conversation = $conversation";

    private const string PutFact = """
        INSERT INTO memory_facts (tenant, project, end_user, id, text, at, run) VALUES ($tenant, $project, $user, $id, $text, $at, $run)
        ON CONFLICT (tenant, project, end_user, id) DO UPDATE SET text = excluded.text, at = excluded.at, run = excluded.run
        """;

    private const string SelectFacts = """
        SELECT id, text, at, run FROM memory_facts WHERE tenant = $tenant AND project = $project AND end_user = $user
        ORDER BY at DESC, id DESC LIMIT $limit
        """;

    private const string DeleteFact = "DELETE FROM memory_facts WHERE tenant = $tenant AND project = $project AND end_user = $user AND id = $id";

    private const string DeleteFacts = "DELETE FROM memory_facts WHERE tenant = $tenant AND project = $project AND end_user = $user";

    public Task<bool> AddMessagesAsync(ThreadId thread, RunId run, IReadOnlyList<ThreadMessage> messages, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            if (Has(session, thread, run)) return false;
            foreach (var message in messages)
            {
                using var insert = session.Use(InsertMessage);
                Key(insert, thread).Set("$run", run.Value).Set("$role", message.Role).Set("$text", message.Text).Set("$at", RunRows.Milliseconds(message.At)).Run();
            }

            return true;
        },
        ct);

    public Task<IReadOnlyList<ThreadMessage>> MessagesAsync(ThreadId thread, int limit, CancellationToken ct) => database.ReadAsync<IReadOnlyList<ThreadMessage>>(
        session =>
        {
            using var rows = session.Use(SelectLatest);
            Key(rows, thread).Set("$limit", limit);
            var found = new List<ThreadMessage>();
            while (rows.Step()) found.Add(new ThreadMessage(rows.Text(0), rows.Text(1), RunRows.Time(rows.Long(2))));
            found.Reverse();
            return found;
        },
        ct);

    public Task<int> ForgetThreadAsync(ThreadId thread, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var delete = session.Use(DeleteMessages);
            return Key(delete, thread).Run();
        },
        ct);

    public Task PutFactAsync(MemoryFact fact, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var put = session.Use(PutFact);
            return Key(put, fact.Owner).Set("$id", fact.Id).Set("$text", fact.Text).Set("$at", RunRows.Milliseconds(fact.At)).Set("$run", fact.Run?.Value).Run();
        },
        ct);

    public Task<IReadOnlyList<MemoryFact>> FactsAsync(MemoryOwner owner, int limit, CancellationToken ct) => database.ReadAsync<IReadOnlyList<MemoryFact>>(
        session =>
        {
            using var rows = session.Use(SelectFacts);
            Key(rows, owner).Set("$limit", limit);
            var found = new List<MemoryFact>();
            while (rows.Step()) found.Add(new MemoryFact(owner, rows.Text(0), rows.Text(1), RunRows.Time(rows.Long(2)), rows.TextOrNull(3) is { } run ? new RunId(run) : null));
            return found;
        },
        ct);

    public Task<bool> ForgetFactAsync(MemoryOwner owner, string id, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var delete = session.Use(DeleteFact);
            return Key(delete, owner).Set("$id", id).Run() > 0;
        },
        ct);

    public Task<int> ForgetAllAsync(MemoryOwner owner, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var delete = session.Use(DeleteFacts);
            return Key(delete, owner).Run();
        },
        ct);

    private static bool Has(Session session, ThreadId thread, RunId run)
    {
        using var row = session.Use(SelectOfRun);
        return Key(row, thread).Set("$run", run.Value).Step();
    }

    private static Statement Key(Statement statement, ThreadId thread) =>
        statement.Set("$tenant", thread.Tenant.Value).Set("$project", thread.Project.Value).Set("$conversation", thread.Conversation);

    private static Statement Key(Statement statement, MemoryOwner owner) =>
        statement.Set("$tenant", owner.Tenant.Value).Set("$project", owner.Project.Value).Set("$user", owner.User);
}
