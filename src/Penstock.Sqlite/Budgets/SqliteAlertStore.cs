using Penstock.Budgets;
using Penstock.Kernel;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Budgets;

/// <summary>Alerts in SQLite. A claim is a write on the one writer, so that no two takers get the same alert.</summary>
internal sealed class SqliteAlertStore(SqliteDatabase database) : IAlertStore
{
    private const string Columns =
        "tenant, scope_kind, scope_name, period, window_at, threshold, window_until, limit_nanos, hard, time_zone, spent_nanos, raised_at, tries, delivered";

    // Every tenant's: whoever delivers serves them all.
    internal const string SelectDue = $"SELECT {Columns} FROM alerts INDEXED BY alerts_by_due WHERE due_at <= $now ORDER BY due_at LIMIT $limit";

    internal const string TakeAlert = """
        UPDATE alerts SET due_at = $until, tries = tries + 1
        WHERE tenant = $tenant AND scope_kind = $kind AND scope_name = $name AND period = $period AND window_at = $window AND threshold = $threshold
        """;

    internal const string ReportAlert = """
        UPDATE alerts SET due_at = $retry, delivered = $delivered
        WHERE tenant = $tenant AND scope_kind = $kind AND scope_name = $name AND period = $period AND window_at = $window AND threshold = $threshold
          AND tries = $tries AND due_at IS NOT NULL
        """;

    public async Task<IReadOnlyList<BudgetAlert>> ClaimAsync(DateTimeOffset now, DateTimeOffset until, int limit, CancellationToken ct)
    {
        // Looking costs the writer nothing where nothing is due, which is nearly always.
        if ((await database.ReadAsync(session => Due(session, now, 1), ct)).Count == 0) return [];
        return await database.WriteAsync<IReadOnlyList<BudgetAlert>>(
            session =>
            {
                var due = Due(session, now, limit);
                foreach (var alert in due)
                {
                    using var take = session.Use(TakeAlert);
                    Key(take, alert).Set("$until", until.ToUnixTimeMilliseconds()).Run();
                }

                return due.ConvertAll(alert => alert with { Tries = alert.Tries + 1 });
            },
            ct);
    }

    public Task ReportAsync(BudgetAlert alert, IReadOnlyList<string> delivered, DateTimeOffset? retryAt, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var report = session.Use(ReportAlert);
            return Key(report, alert).Set("$tries", alert.Tries).Set("$delivered", string.Join('\n', delivered)).Set("$retry", retryAt?.ToUnixTimeMilliseconds()).Run();
        },
        ct);

    private static List<BudgetAlert> Due(Session session, DateTimeOffset now, int limit)
    {
        using var rows = session.Use(SelectDue);
        rows.Set("$now", now.ToUnixTimeMilliseconds()).Set("$limit", limit);
        var due = new List<BudgetAlert>();
        while (rows.Step()) due.Add(Read(rows));
        return due;
    }

    /// <summary>Reads <see cref="Columns"/>.</summary>
    private static BudgetAlert Read(Statement row)
    {
        var budget = new Budget
        {
            Tenant = new TenantId(row.Text(0)),
            Scope = new BudgetScope((BudgetScopeKind)row.Int(1), row.Text(2)),
            Period = (BudgetPeriod)row.Int(3),
            Limit = new Money(row.Long(7)),
            Hard = row.Flag(8),
            TimeZone = row.Text(9),
        };
        var window = new BudgetWindow(Time(row.Long(4)), row.LongOrNull(6) is { } end ? Time(end) : null);
        var threshold = row.Int(5);
        return new BudgetAlert(
            AlertRules.IdOf(budget, window, threshold),
            budget,
            window,
            threshold,
            new Money(row.Long(10)),
            Time(row.Long(11)),
            row.Text(13).Split('\n', StringSplitOptions.RemoveEmptyEntries),
            row.Int(12));
    }

    private static Statement Key(Statement statement, BudgetAlert alert) => Alerts.Key(statement, alert.Budget, alert.Window).Set("$threshold", alert.Threshold);

    private static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
