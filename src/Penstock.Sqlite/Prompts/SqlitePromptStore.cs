using Penstock.Kernel;
using Penstock.Prompts;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Prompts;

/// <summary>Templates in SQLite. Times are kept to the millisecond.</summary>
internal sealed class SqlitePromptStore(SqliteDatabase database) : IPromptStore
{
    private const string InsertVersion = """
        INSERT INTO prompt_versions (tenant, name, hash, at, added_by, text) VALUES ($tenant, $name, $hash, $at, $by, $text)
        ON CONFLICT DO NOTHING
        """;

    // 'g' comes after every hexadecimal digit.
    private const string SelectVersions =
        "SELECT hash, at, added_by, text FROM prompt_versions WHERE tenant = $tenant AND name = $name AND hash >= $hash AND hash < $hash || 'g' ORDER BY hash LIMIT 2";

    private const string SelectEntries =
        "SELECT name, hash, at, added_by FROM prompt_versions WHERE tenant = $tenant AND ($name IS NULL OR name = $name) ORDER BY at DESC, name, hash";

    private const string Move = "name, label, number, from_hash, to_hash, before, moved_by, at, reason";

    private const string SelectLast = $"SELECT {Move} FROM prompt_moves WHERE tenant = $tenant AND name = $name AND label = $label ORDER BY number DESC LIMIT 1";

    private const string SelectMove = $"SELECT {Move} FROM prompt_moves WHERE tenant = $tenant AND name = $name AND label = $label AND number = $number";

    private const string SelectLabels = $"""
        SELECT {Move} FROM prompt_moves AS last
        WHERE tenant = $tenant AND ($name IS NULL OR name = $name)
          AND number = (SELECT max(number) FROM prompt_moves WHERE tenant = $tenant AND name = last.name AND label = last.label)
        ORDER BY name, label
        """;

    private const string SelectHistory = $"SELECT {Move} FROM prompt_moves WHERE tenant = $tenant AND name = $name ORDER BY at DESC, label DESC, number DESC LIMIT $limit";

    private const string InsertMove = $"""
        INSERT INTO prompt_moves (tenant, {Move}) VALUES ($tenant, $name, $label, $number, $from, $to, $before, $by, $at, $reason)
        ON CONFLICT DO NOTHING
        """;

    public Task<bool> AddAsync(PromptVersion version, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var insert = session.Use(InsertVersion);
            var entry = version.Entry;
            return insert
                .Set("$tenant", entry.Tenant.Value).Set("$name", entry.Name).Set("$hash", entry.Hash)
                .Set("$at", entry.At.ToUnixTimeMilliseconds()).Set("$by", entry.By).Set("$text", version.Text)
                .Run() > 0;
        },
        ct);

    public Task<IReadOnlyList<PromptVersion>> FindAsync(TenantId tenant, string name, string hash, CancellationToken ct) => database.ReadAsync<IReadOnlyList<PromptVersion>>(
        session =>
        {
            using var rows = session.Use(SelectVersions);
            rows.Set("$tenant", tenant.Value).Set("$name", name).Set("$hash", hash);
            var found = new List<PromptVersion>();
            while (rows.Step()) found.Add(new PromptVersion(new PromptEntry(tenant, name, rows.Text(0), Time(rows.Long(1)), rows.Text(2)), rows.Text(3)));
            return found;
        },
        ct);

    public Task<IReadOnlyList<PromptEntry>> ListAsync(TenantId tenant, string? name, CancellationToken ct) => database.ReadAsync<IReadOnlyList<PromptEntry>>(
        session =>
        {
            using var rows = session.Use(SelectEntries);
            rows.Set("$tenant", tenant.Value).Set("$name", name);
            var found = new List<PromptEntry>();
            while (rows.Step()) found.Add(new PromptEntry(tenant, rows.Text(0), rows.Text(1), Time(rows.Long(2)), rows.Text(3)));
            return found;
        },
        ct);

    public Task<PromptMove?> LabelAsync(TenantId tenant, string name, string label, CancellationToken ct) =>
        database.ReadAsync(session => Last(session, tenant, name, label), ct);

    public Task<IReadOnlyList<PromptMove>> LabelsAsync(TenantId tenant, string? name, CancellationToken ct) => database.ReadAsync<IReadOnlyList<PromptMove>>(
        session =>
        {
            using var rows = session.Use(SelectLabels);
            return ReadAll(rows.Set("$tenant", tenant.Value).Set("$name", name), tenant);
        },
        ct);

    public Task<PromptMoved> MoveAsync(PromptMove move, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            if (!Has(session, move)) return PromptMoved.NoSuchVersion;
            if ((Last(session, move.Tenant, move.Name, move.Label)?.Number ?? 0) != move.Number - 1) return PromptMoved.Overtaken;
            using var insert = session.Use(InsertMove);
            insert
                .Set("$tenant", move.Tenant.Value).Set("$name", move.Name).Set("$label", move.Label).Set("$number", move.Number)
                .Set("$from", move.From).Set("$to", move.To).Set("$before", move.Before).Set("$by", move.By)
                .Set("$at", move.At.ToUnixTimeMilliseconds()).Set("$reason", move.Reason);
            return insert.Run() > 0 ? PromptMoved.Moved : PromptMoved.Overtaken;
        },
        ct);

    public Task<PromptMove?> MoveOfAsync(TenantId tenant, string name, string label, long number, CancellationToken ct) => database.ReadAsync(
        session =>
        {
            using var row = session.Use(SelectMove);
            row.Set("$tenant", tenant.Value).Set("$name", name).Set("$label", label).Set("$number", number);
            return row.Step() ? Read(row, tenant) : null;
        },
        ct);

    public Task<IReadOnlyList<PromptMove>> HistoryAsync(TenantId tenant, string name, int limit, CancellationToken ct) => database.ReadAsync<IReadOnlyList<PromptMove>>(
        session =>
        {
            using var rows = session.Use(SelectHistory);
            return ReadAll(rows.Set("$tenant", tenant.Value).Set("$name", name).Set("$limit", limit), tenant);
        },
        ct);

    private static bool Has(Session session, PromptMove move)
    {
        using var row = session.Use(SelectVersions);
        return row.Set("$tenant", move.Tenant.Value).Set("$name", move.Name).Set("$hash", move.To).Step();
    }

    private static PromptMove? Last(Session session, TenantId tenant, string name, string label)
    {
        using var row = session.Use(SelectLast);
        row.Set("$tenant", tenant.Value).Set("$name", name).Set("$label", label);
        return row.Step() ? Read(row, tenant) : null;
    }

    private static List<PromptMove> ReadAll(Statement rows, TenantId tenant)
    {
        var found = new List<PromptMove>();
        while (rows.Step()) found.Add(Read(rows, tenant));
        return found;
    }

    private static PromptMove Read(Statement row, TenantId tenant) => new()
    {
        Tenant = tenant,
        Name = row.Text(0),
        Label = row.Text(1),
        Number = row.Long(2),
        From = row.TextOrNull(3),
        To = row.Text(4),
        Before = row.Long(5),
        By = row.Text(6),
        At = Time(row.Long(7)),
        Reason = row.Text(8),
    };

    private static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
