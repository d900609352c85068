using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Usage;

/// <summary>The ledger's reading side in SQLite. Times are kept to the millisecond, and a query's bounds are cut to it in the same way.</summary>
internal sealed class SqliteUsageStore(SqliteDatabase database) : IUsageStore
{
    internal const string SelectRows = $"""
        SELECT {LedgerRows.Columns}
        FROM ledger INDEXED BY ledger_by_time
        WHERE tenant = $tenant AND at >= $from AND at < $to AND kind > 0
          AND ($key IS NULL OR key_id = $key) AND ($project IS NULL OR project = $project)
          AND ($model IS NULL OR model = $model) AND ($provider IS NULL OR provider = $provider)
          AND ($endUser IS NULL OR end_user = $endUser) AND ($conversation IS NULL OR conversation = $conversation) AND ($request IS NULL OR request = $request)
        ORDER BY at DESC, kind DESC, number DESC LIMIT $limit
        """;

    public Task<UsageReport> SumAsync(TenantId tenant, UsageQuery query, CancellationToken ct) =>
        database.ReadAsync(session => UsageSums.Report(session, tenant, query), ct);

    public Task<IReadOnlyList<LedgerRow>> ListAsync(TenantId tenant, UsageQuery query, int limit, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(limit);
        return database.ReadAsync<IReadOnlyList<LedgerRow>>(session => List(session, tenant, query, limit), ct);
    }

    public Task<LogHistogram> ConversationCostsAsync(TenantId tenant, DateTimeOffset from, DateTimeOffset to, CancellationToken ct) =>
        database.ReadAsync(session => Conversations.Costs(session, tenant, from, to), ct);

    public Task<int> DropAsync(DateTimeOffset before, CancellationToken ct) => database.WriteAsync(session => Retained.Drop(session, before), ct);

    private static List<LedgerRow> List(Session session, TenantId tenant, UsageQuery query, int limit)
    {
        using var row = session.Use(SelectRows);
        UsageSums.Filter(row, tenant, query).Set("$from", query.From.ToUnixTimeMilliseconds()).Set("$to", query.To.ToUnixTimeMilliseconds()).Set("$limit", limit);
        var rows = new List<LedgerRow>();
        while (row.Step()) rows.Add(LedgerRows.Read(row));
        return rows;
    }
}
